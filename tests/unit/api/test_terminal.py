import logging
import subprocess
import sys

import pytest

from api import terminal


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
