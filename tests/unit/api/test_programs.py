import sys
from collections.abc import AsyncIterator

import pytest

from api import health, programs
from api.cannot_start import CannotStart
from api.programs import server, until_healthy
from api.supervisor import Program, Supervisor
from tests.processes import free_port

SLEEPS = (sys.executable, "-c", "import time; time.sleep(3600)")


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(lambda *_: None)
    yield supervisor
    supervisor.hurry()
    await supervisor.stop()


def test_one_process_serves_by_itself() -> None:
    program = server("documents", "127.0.0.1", 9, {})
    assert program.argv == (sys.executable, "-P", "-m", "api.cli", "documents", "--host", "127.0.0.1", "--port", "9")


def test_one_that_supervises_has_longer_to_end_than_those_it_supervises() -> None:
    program = server("coordinator", "127.0.0.1", 9, {}, processes=2)
    assert program.argv[-2:] == ("--processes", "2")
    assert program.grace_seconds > server("coordinator", "127.0.0.1", 9, {}).grace_seconds


async def test_a_server_that_ends_before_it_is_healthy_is_told(supervisor: Supervisor) -> None:
    child = await supervisor.start(Program("dying", (sys.executable, "-c", "raise SystemExit(7)")))
    with pytest.raises(CannotStart, match="dying ended with exit code 7 before it was healthy"):
        await until_healthy(child, "127.0.0.1", free_port())


async def test_a_server_that_never_answers_is_not_waited_for_for_ever(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "START_SECONDS", 0.05)
    child = await supervisor.start(Program("silent", SLEEPS))
    with pytest.raises(CannotStart, match=r"silent was not healthy after 0\.05 s"):
        await until_healthy(child, "127.0.0.1", free_port())


async def test_the_wait_is_over_once_it_is_healthy(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([False, True])
    monkeypatch.setattr(health, "is_healthy", lambda *_: next(answers))
    await until_healthy(await supervisor.start(Program("server", SLEEPS)), "127.0.0.1", 9)
    assert list(answers) == []
