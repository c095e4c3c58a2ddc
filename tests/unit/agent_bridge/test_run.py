import logging
import uuid
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent_bridge import run as run_module
from agent_bridge.supervisor import Grace


class Asked:
    """What the command line asked for, instead of it being done."""

    def __init__(self) -> None:
        self.session: dict[str, Any] = {}
        self.command: tuple[str, ...] = ()
        self.grace: Grace | None = None
        self.capture = False

    def bridge(self, **session: Any) -> None:
        self.session = session

    async def run(self, _: object, command: tuple[str, ...], grace: Grace, *, capture: bool) -> int:
        self.command, self.grace, self.capture = command, grace, capture
        return 42


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Asked:
    found = Asked()
    monkeypatch.setattr(run_module, "AgentBridge", found.bridge)
    monkeypatch.setattr(run_module, "_run", found.run)
    monkeypatch.setattr(run_module, "_speak_up", lambda: None)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    return found


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(run_module.run, arguments)


def test_a_fresh_session_is_announced_once_on_stderr(asked: Asked) -> None:
    result = invoke("--", "true")
    assert result.exit_code == 42
    session_id = asked.session["session_id"]
    assert uuid.UUID(session_id)
    assert result.stdout == ""
    assert result.stderr == f"agent-bridge: session {session_id}; stop it with agent-bridge stop {session_id}\n"


@pytest.mark.parametrize("arguments", [("--quiet", "--", "true"), ("--session-id", "s1", "--", "true")])
def test_nothing_is_said_when_asked_to_be_quiet_or_the_id_is_known(asked: Asked, arguments: tuple[str, ...]) -> None:
    assert invoke(*arguments).stderr == ""


def test_the_session_is_described_by_the_options(asked: Asked, tmp_path: Path) -> None:
    invoke(
        "--session-id", "s1", "--name", "Nightly", "--agent", "reviewer", "--project-dir", "sub",
        "--redis-url", "redis://localhost:1/0", "--", "true",
    )  # fmt: skip
    assert asked.session == {
        "session_id": "s1", "session_name": "Nightly", "agent_name": "reviewer", "project_dir": tmp_path / "sub",
        "redis_url": "redis://localhost:1/0",
    }  # fmt: skip


def test_the_project_is_the_working_directory_unless_said(asked: Asked, tmp_path: Path) -> None:
    invoke("--", "true")
    assert asked.session["project_dir"] == tmp_path
    assert asked.session["redis_url"] == "redis://localhost:6379/0"


def test_the_redis_of_the_named_project_is_used(asked: Asked, tmp_path: Path) -> None:
    folder = tmp_path / "project" / ".agent-orchestrator"
    folder.mkdir(parents=True)
    (folder / "redis-url").write_text("redis://localhost:7777/0\n")
    invoke("--project-dir", "project", "--", "true")
    assert asked.session["redis_url"] == "redis://localhost:7777/0"


def test_a_url_that_is_none_is_refused_before_anything_starts(asked: Asked) -> None:
    result = invoke("--redis-url", "http://localhost", "--", "true")
    assert result.exit_code == 2
    assert "is not a Redis URL" in result.stderr
    assert asked.command == ()


def test_grace_and_capture_are_settable(asked: Asked) -> None:
    invoke("--capture", "--interrupt-seconds", "1", "--terminate-seconds", "0", "--kill-seconds", "2.5", "--", "true")
    assert (asked.grace, asked.capture) == (Grace(1, 0, 2.5), True)
    invoke("true")
    assert (asked.grace, asked.capture) == (Grace(5, 5, 5), False)


@pytest.mark.parametrize("arguments", [("--",), (), ("--kill-seconds", "-1", "--", "true")])
def test_what_makes_no_sense_is_refused(asked: Asked, arguments: tuple[str, ...]) -> None:
    assert invoke(*arguments).exit_code == 2


def test_each_kind_of_warning_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger(f"once-{uuid.uuid4()}")
    logger.propagate = False
    logger.addHandler(run_module._Once())
    for attempt in range(3):
        logger.warning("redis is away (%s)", attempt)
    logger.warning("something else")
    logger.info("not worth saying")
    assert capsys.readouterr().err == "agent-bridge: redis is away (0)\nagent-bridge: something else\n"
