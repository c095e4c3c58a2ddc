import io
import json
import logging
import sys
from typing import Any

import pytest

from agent_bus.log_lines import (
    FORMAT_VARIABLE,
    InvalidFormat,
    JsonFormatter,
    LineFormatter,
    about,
    chosen_format,
    formatter,
    redacted,
    request_id,
    subject,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def record(message: str, *arguments: object, failed: bool = False) -> logging.LogRecord:
    made = logging.LogRecord("part", logging.INFO, "", 0, message, arguments, sys.exc_info() if failed else None)
    made.created, made.msecs = 0.007, 7.0
    return made


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter().format(made)
    assert "\n" not in line
    fields: dict[str, Any] = json.loads(line)
    return fields


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


def test_json_has_the_same_in_fields() -> None:
    assert as_json(record("said %d", 1)) == {
        "time": "1970-01-01T00:00:00.007Z", "level": "INFO", "logger": "part", "message": "said 1",
    }  # fmt: skip


def test_json_has_the_traceback_in_the_same_line() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        fields = as_json(record("failed", failed=True))
    assert fields["exception"].splitlines()[-1] == "ValueError: why"


def test_json_says_what_a_line_is_about() -> None:
    token = request_id.set(b"r-1")
    try:
        with about(session_id="s"), about(command_id="c"):
            assert as_json(record("x")).items() >= {"request_id": "r-1", "session_id": "s", "command_id": "c"}.items()
        assert subject() == {"request_id": "r-1"}
    finally:
        request_id.reset(token)
    assert subject() == {}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:secret@host:6379/0 is away", "redis://:***@host:6379/0 is away"),
        ("rediss://user:se@cr/et@host/0", "rediss://user:***@host/0"),
        ("GET /ws?ticket=abc_DEF-1&since=3", "GET /ws?ticket=***&since=3"),
        ("Authorization: Bearer abc.def/ghi+=", "Authorization: Bearer ***"),
        ("{'authorization': 'bearer abc'}", "{'authorization': 'bearer ***'}"),
        ("Bearer  bearer abc", "Bearer  bearer ***"),
        ("unix:///tmp/a.sock?password=secret&db=1", "unix:///tmp/a.sock?password=***&db=1"),
        ("redis+sentinel://h/s?sentinel_password=secret", "redis+sentinel://h/s?sentinel_password=***"),
        ("the token aot_0123456789-_abc was sent", "the token aot_*** was sent"),
        (
            "http://localhost:8765/sessions/a of user@example.org",
            "http://localhost:8765/sessions/a of user@example.org",
        ),
        ("a ticket for the opera, by bearer", "a ticket for the opera, by bearer"),
    ],
)
def test_what_looks_like_a_secret_is_left_out(text: str, shown: str) -> None:
    assert redacted(text) == shown
    assert LineFormatter().format(record("%s", text)).endswith(shown)
    assert as_json(record("%s", text))["message"] == shown


def test_a_secret_in_a_traceback_is_left_out() -> None:
    try:
        raise ValueError("redis://:secret@host")
    except ValueError:
        failed = record("failed", failed=True)
    assert "secret@" not in LineFormatter().format(failed)
    assert "secret@" not in JsonFormatter().format(failed)


def test_terminals_get_text_and_everything_else_json() -> None:
    assert chosen_format({}, Terminal()) == "text"
    assert chosen_format({}, io.StringIO()) == "json"
    assert chosen_format({FORMAT_VARIABLE: ""}, Terminal()) == "text"


def test_the_environment_has_the_last_word() -> None:
    assert chosen_format({FORMAT_VARIABLE: "json"}, Terminal()) == "json"
    assert chosen_format({FORMAT_VARIABLE: "text"}, io.StringIO()) == "text"
    with pytest.raises(InvalidFormat, match="'xml' is neither text nor json"):
        chosen_format({FORMAT_VARIABLE: "xml"}, Terminal())


def test_a_process_without_standard_error_still_has_a_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert chosen_format({}) == "json"


def test_each_format_has_its_formatter() -> None:
    assert isinstance(formatter("text"), LineFormatter)
    assert isinstance(formatter("json"), JsonFormatter)
