"""The real browser that tests drive: Debian's package `chromium`, or any of its relatives."""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO = "there is no chromium on PATH: install it (on Debian and Ubuntu: apt install chromium)"


def find_chromium() -> str:
    """Its path. Without one the test is skipped, except in CI, where it fails: there it is always to be had."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    if os.environ.get("CI") == "true":
        pytest.fail(HOW_TO)
    pytest.skip(HOW_TO)
