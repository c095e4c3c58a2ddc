"""What comes from others: each direct dependency has its reason, and each package that is installed its hashes."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
REASONS = (REPOSITORY / "docs" / "decisions.md").read_text("utf-8").partition("## Dependencies, and why each")[2]
LOCKS = {path.name: path for path in (*REPOSITORY.glob("requirements*.lock"), *REPOSITORY.glob("dashboard/*.lock"))}
EXTRAS_OF = {
    "requirements.lock": (),
    "requirements-dev.lock": ("dev",),
    "requirements-fuzz.lock": ("fuzz",),
    "requirements-image.lock": ("telemetry",),
}


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return found[0].lower().replace("_", "-")


def names(*extras: str) -> list[str]:
    optional = PROJECT["optional-dependencies"]
    return [name_of(requirement) for extra in extras for requirement in optional[extra]]


DIRECT = [name_of(requirement) for requirement in PROJECT["dependencies"]]
WITH_EXTRAS = [*DIRECT, *names(*(extra for extra in PROJECT["optional-dependencies"] if extra != "dev"))]


@pytest.mark.parametrize("name", sorted(set(WITH_EXTRAS)))
def test_each_direct_dependency_has_its_row_with_a_reason(name: str) -> None:
    rows = [line.split("|")[1:3] for line in REASONS.splitlines() if line.startswith("| ")]
    said = [
        reason.strip() for packages, reason in rows if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", packages)
    ]
    assert said, f"say in docs/decisions.md what {name} is for, and instead of what"
    assert said[0]


@pytest.mark.parametrize("name", sorted(set(names("dev"))))
def test_each_development_tool_is_named(name: str) -> None:
    assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", REASONS), f"name {name} in docs/decisions.md"


def test_each_package_of_the_dashboard_is_named() -> None:
    package = json.loads((REPOSITORY / "dashboard" / "package.json").read_text("utf-8"))
    direct = {*package.get("dependencies", ()), *package.get("devDependencies", ())}
    # Types go with what they are types of, and the parts of one project go under its name.
    wanted = {name: re.split(r"[@/]", name) for name in direct if not name.startswith("@types/")}
    missing = [
        name for name, words in wanted.items()
        if not any(word and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", REASONS) for word in words)
    ]  # fmt: skip
    assert not missing, f"say in docs/decisions.md what {missing} are for"


def test_what_a_row_speaks_of_is_a_dependency() -> None:
    rows = REASONS.partition("The dashboard, at build time only")[0]
    named = {
        name.strip().partition(" ")[0].partition("[")[0]
        for line in rows.splitlines() if line.startswith("| ") and not line.startswith(("| package", "| ---"))
        for name in line.split("|")[1].split(",")
    }  # fmt: skip
    assert named <= {*WITH_EXTRAS, *names("dev")}, "take the row out of docs/decisions.md"


@pytest.mark.parametrize("lock", sorted(LOCKS))
def test_each_package_is_pinned_with_its_hashes_and_without_where_it_comes_from(lock: str) -> None:
    text = LOCKS[lock].read_text("utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    packages = [entry for entry in entries if re.match(r"[A-Za-z0-9]", entry)]
    assert packages
    for entry in packages:
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+", entry), entry.partition("\n")[0]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry.partition("\n")[0]
    assert "://" not in re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("lock", sorted(EXTRAS_OF))
def test_each_direct_dependency_is_in_its_lock(lock: str) -> None:
    pinned = {
        name_of(line) for line in re.findall(r"^[A-Za-z0-9._-]+(?=[=\[])", LOCKS[lock].read_text("utf-8"), re.MULTILINE)
    }
    missing = {*DIRECT, *names(*EXTRAS_OF[lock])} - pinned
    assert not missing, f"{missing}: make lock"


def test_the_image_takes_nothing_that_is_not_pinned() -> None:
    installs = re.findall(r"pip install[^&\\]*", (REPOSITORY / "Dockerfile").read_text("utf-8"))
    assert installs
    for install in installs:
        pinned = "--require-hashes -r requirements-image.lock" in install
        assert pinned or re.search(r"--no-deps \.\s*$", install), install
