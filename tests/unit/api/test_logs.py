import io
import json
import logging
from collections.abc import Iterator

import pytest

from agent_bus.log_lines import FORMAT_VARIABLE, InvalidFormat
from api import logs


@pytest.fixture(autouse=True)
def root() -> Iterator[logging.Logger]:
    """The root logger, left as it was found."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("chosen", ["json", "text"])
def test_the_log_has_the_format_that_is_chosen(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FORMAT_VARIABLE, chosen)
    written = io.StringIO()
    logs.configure(logging.StreamHandler(written))
    logging.getLogger("part").info("said")
    if chosen == "json":
        assert json.loads(written.getvalue())["message"] == "said"
    else:
        assert written.getvalue().endswith("Z INFO part: said\n")


def test_a_format_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FORMAT_VARIABLE, "xml")
    with pytest.raises(InvalidFormat):
        logs.configure()


def test_what_libraries_chat_is_left_out(root: logging.Logger) -> None:
    logs.configure(logging.NullHandler())
    assert root.level == logging.INFO
    assert not logging.getLogger("uvicorn").isEnabledFor(logging.INFO)
    assert logging.getLogger("uvicorn").isEnabledFor(logging.WARNING)
