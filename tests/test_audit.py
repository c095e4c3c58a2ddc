"""What an audit says for each way that its programs end."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import audit
from tests.audit import NotAsked, of_dashboard, of_python, told

LOCK = "idna==1.0 ; python_version > '3' \\\n    --hash=sha256:0\n    # via x\nclick==2.0 \\\n    --hash=sha256:0\n"
CLEAN = {
    "dependencies": [{"name": "idna", "version": "1.0", "vulns": []}, {"name": "click", "version": "2.0", "vulns": []}]
}
WEAK = {"dependencies": [{"name": "idna", "version": "1.0", "vulns": [{"id": "X-1", "fix_versions": ["1.1"]}]}]}


def ending(stdout: str, status: int, stderr: str = "") -> audit.Run:
    def run(command: Sequence[str], folder: Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, status, stdout, stderr)

    return run


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.lock"
    path.write_text(LOCK)
    return path


@pytest.fixture
def dashboard(tmp_path: Path) -> Path:
    packages = {"": {}, "node_modules/a": {"license": "MIT"}, "node_modules/b": {}}
    (tmp_path / "package-lock.json").write_text(json.dumps({"packages": packages}))
    return tmp_path


def test_a_lock_of_which_nothing_is_known_is_counted(lock: Path) -> None:
    report = of_python(lock, "pip-audit", ending(json.dumps(CLEAN), 0))
    assert (report.packages, report.known, report.licences.total()) == (2, [], 2)
    assert next(iter(told(report))) == "requirements.lock: 2 packages, no known weaknesses"


def test_a_weakness_is_told_with_what_mends_it(lock: Path) -> None:
    report = of_python(lock, "pip-audit", ending(json.dumps(WEAK), 1))
    assert report.known == ["idna 1.0: X-1, mended in 1.1"]
    assert "  !! idna 1.0: X-1, mended in 1.1" in list(told(report))


@pytest.mark.parametrize(
    ("stdout", "status"), [("", 1), ("", 0), ("{}", 0), ("[]", 0), ("Traceback", 1),
                           (json.dumps({"dependencies": [{"name": "a", "skip_reason": "not found"}]}), 0)],
)  # fmt: skip
def test_what_gives_no_answer_is_no_success(lock: Path, dashboard: Path, stdout: str, status: int) -> None:
    run = ending(stdout, status, "Traceback\nConnectionError: no such host")
    with pytest.raises(NotAsked):
        of_python(lock, "pip-audit", run)
    with pytest.raises(NotAsked):
        of_dashboard(dashboard, ["npm"], run)


def test_npm_is_heard_too(dashboard: Path) -> None:
    clean = of_dashboard(dashboard, ["npm"], ending('{"vulnerabilities": {}}', 0))
    assert (clean.packages, dict(clean.licences)) == (2, {"MIT": 1, "not stated": 1})
    weak = json.dumps({"vulnerabilities": {"a": {"severity": "high", "range": "<2"}}})
    assert of_dashboard(dashboard, ["npm"], ending(weak, 1)).known == ["a: high, <2"]
    with pytest.raises(NotAsked, match="405 Method Not Allowed"):
        of_dashboard(dashboard, ["npm"], ending('{"message": "405 Method Not Allowed - POST elsewhere"}', 1))


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [([CLEAN, CLEAN, None], 2), ([WEAK, CLEAN, None], 2), ([CLEAN, CLEAN, CLEAN], 0), ([WEAK, CLEAN, CLEAN], 1)],
)  # fmt: skip
def test_the_status_is_the_worst(
    outcomes: list[object], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    coming = iter(outcomes)

    def report(*_: object) -> audit.Report:
        outcome = next(coming)
        if outcome is None:
            raise NotAsked("nobody there")
        return audit.Report("x", 1, audit.Counter(), ["weak"] if outcome is WEAK else [])

    monkeypatch.setattr(audit, "of_python", report)
    monkeypatch.setattr(audit, "of_dashboard", report)
    assert audit.main("pip-audit", "npm") == status
    assert ("could not be checked: nobody there" in capsys.readouterr().err) == (None in outcomes)
