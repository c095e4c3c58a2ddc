import json
import logging
import subprocess
import sys

import pytest

from agent_bus.log_lines import FORMAT_VARIABLE, JsonFormatter
from api import terminal


@pytest.fixture(autouse=True)
def for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FORMAT_VARIABLE, "text")


def test_lines_stand_under_their_process_name(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show("worker", "hello")
    terminal.show("coordinator", "hello")
    assert capsys.readouterr().out == "worker      | hello\ncoordinator | hello\n"


def test_the_processs_own_log_stands_among_them(capsys: pytest.CaptureFixture[str]) -> None:
    handler = terminal.TerminalHandler("up")
    handler.handle(logging.LogRecord("api.up", logging.INFO, "", 0, "told", (), None))
    assert capsys.readouterr().out.startswith("up          | ")


def test_a_reader_that_goes_away_does_not_end_the_writer() -> None:
    code = (
        "import sys\nfrom api import terminal\n"
        "sys.stdin.readline()\n"
        "for _ in range(3): terminal.say('x' * 100_000)\n"
        "print('went on', file=sys.stderr)"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as popen:  # type: ignore[call-overload]
        popen.stdout.close()
        popen.stdin.write(b"\n")
        popen.stdin.close()
        assert popen.stderr.read() == b"went on\n"
    assert popen.returncode == 0


def test_as_json_each_line_names_its_process(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("part", logging.INFO, "", 0, "told", (), None)
    terminal.show_json("worker", JsonFormatter().format(record))
    said = json.loads(capsys.readouterr().out)
    assert next(iter(said)) == "process"
    assert (said["process"], said["logger"], said["message"]) == ("worker", "part", "told")


def test_as_json_what_is_no_json_becomes_it_without_its_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show_json("redis", 'went "away" from redis://:secret@host')
    terminal.show_json("redis", "{braces}")
    terminal.show_json("redis", "  ")
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["process"], first["message"]) == ("redis", 'went "away" from redis://:***@host')
    assert (second["level"], second["message"]) == ("INFO", "{braces}")


def test_as_json_a_line_of_a_supervisors_own_process_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show_json("coordinator-1", '{"time": "t", "message": "m"}')
    inner = capsys.readouterr().out
    terminal.show_json("coordinator", inner.rstrip())
    assert capsys.readouterr().out == inner


def test_the_format_is_that_of_the_processs_own_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert terminal.writer() is terminal.show
    monkeypatch.setenv(FORMAT_VARIABLE, "json")
    assert terminal.writer() is terminal.show_json
    handler = terminal.TerminalHandler("up")
    handler.setFormatter(JsonFormatter())
    handler.handle(logging.LogRecord("api.up", logging.INFO, "", 0, "one\u2028line", (), None))
    (line,) = capsys.readouterr().out.rstrip("\n").split("\n")
    assert json.loads(line).items() >= {"process": "up", "message": "one\u2028line"}.items()
