"""Commands as an agent's process reads them."""

import json

import pytest

from agent_bus.bus import Bus
from agent_bus.commands import StopCommand
from agent_bus.sessions import Sessions
from tests.unit.agent_bus.test_events import record

FIELDS = {
    "command": "stop",
    "command_id": "c",
    "session_id": "s",
    "run": 7,
    "requested_at": "2026-01-24T10:00:00+00:00",
}


def test_a_command_is_read_and_fields_of_a_newer_version_are_left_alone() -> None:
    command = StopCommand.from_json(json.dumps(FIELDS | {"reason": "new"}))
    assert command == StopCommand("c", "s", "7", "2026-01-24T10:00:00+00:00")


@pytest.mark.parametrize("missing", ["command_id", "session_id", "run", "requested_at"])
def test_a_command_without_what_it_needs_is_no_command(missing: str) -> None:
    with pytest.raises(KeyError):
        StopCommand.from_json(json.dumps({name: value for name, value in FIELDS.items() if name != missing}))


@pytest.mark.parametrize(
    "text",
    [b"", b"x", b"\xff", b"null", b"[]", b"1", b'"stop"', b"{}", b'{"command":"stop"}', b'{"command":["stop"]}',
    b"[" * 100_000,
     json.dumps({name: value for name, value in FIELDS.items() if name != "run"})],
)  # fmt: skip
def test_what_is_not_understood_only_says_to_look_again(text: bytes) -> None:
    """The race that is none: one odd message must not end a bridge's hearing for good."""
    assert StopCommand.heard(text) is None


def test_an_order_is_heard_and_other_words_say_to_look_again() -> None:
    assert StopCommand.heard(json.dumps(FIELDS)) == StopCommand.from_json(json.dumps(FIELDS))
    assert StopCommand.heard(json.dumps(FIELDS | {"command": "renew"})) is None


@pytest.mark.parametrize("session_id", ["s", 'quote " back', "ä 😀", "a:b {c}", "%s %d"])
async def test_what_the_scripts_write_is_read_back_whatever_the_id(bus: Bus, session_id: str) -> None:
    sessions = Sessions(bus)
    lease = await sessions.enter(session_id, "owner", record(1, "session_start"))
    await sessions.request_stop(session_id, 'c"1')
    renewed = await sessions.renew(session_id, "owner", lease.run, record(1, "session_start"))
    assert renewed.command is not None
    assert (renewed.command.command_id, renewed.command.session_id) == ('c"1', session_id)
    assert renewed.command.run == lease.run == renewed.run
