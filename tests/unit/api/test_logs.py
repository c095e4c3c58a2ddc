import logging
import sys

from api.logs import LineFormatter


def record(message: str, *, failed: bool = False) -> logging.LogRecord:
    made = logging.LogRecord("part", logging.INFO, "", 0, message, (), sys.exc_info() if failed else None)
    made.created, made.msecs = 0.0, 7.0
    return made


def test_a_line_has_the_time_in_utc_the_level_and_the_origin() -> None:
    assert LineFormatter().format(record("said")) == "1970-01-01T00:00:00.007Z INFO part: said"


def test_a_line_break_in_a_message_can_not_forge_a_line() -> None:
    assert len(LineFormatter().format(record("one\r\ntwo\nthree")).splitlines()) == 1


def test_a_traceback_follows_its_line() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        lines = LineFormatter().format(record("failed", failed=True)).splitlines()
    assert lines[0].endswith("failed")
    assert lines[-1] == "ValueError: why"
