"""What comes out of Redis: orders to agents, and messages of the bus."""

import json

from agent_bus.archive import ArchivedHistory
from agent_bus.bus import Position, parse_live
from agent_bus.commands import StopCommand
from agent_bus.log_lines import redacted
from agent_bus.sequence import judge
from tests.fuzz.harness import Harnesses, into, text_of

GROUP: Harnesses = {}

ORDER = {"command": "stop", "command_id": "c", "session_id": "s", "run": 7, "requested_at": "2026-01-24T10:00:00+00:00"}


@into(
    GROUP, "stop-command", "an order to stop is heard; all else only says to look again",
    seeds=(json.dumps(ORDER).encode(), b"{}", b"", b'{"command":"renew"}', b'{"command":"stop"}', b"[]", b"null",
    b"\xff",
           json.dumps(ORDER | {"run": None, "command_id": []}).encode(), b"[" * 5000),
    words=(b'"command"', b'"stop"', b'"command_id"', b'"session_id"', b'"run"', b'"requested_at"', b"null", b"[[[["),
)  # fmt: skip
def stop_command(data: bytes) -> None:
    command = StopCommand.heard(data)
    if command is not None:
        assert json.loads(data)["command"] == "stop"
        assert isinstance(command.run, str)
        hash(command.run)


@into(
    GROUP, "bus-message", "a message has an epoch, a number and its session; all else is ValueError",
    seeds=(b'e 5 1 s{"type":"note"}', b"e 5 0 {}", b"e -1 -1 s{}", b"a b c d", b"", b"\xff 1 1 s", b"e 5 2 \xc3\xa4{}"),
    words=(b" ", b"{", b"}", b"-1", b"9" * 20, b"\xc3\xa4"),
)  # fmt: skip
def bus_message(data: bytes) -> None:
    try:
        epoch, message = parse_live(data)
    except ValueError:
        return
    assert isinstance(message.session_id, str)
    judge(Position("e", 4), epoch, message.seq)


@into(
    GROUP, "archive-reference", "a reference is a name and whole numbers, written as it was read; all else is refused",
    seeds=(b"0123456789abcdef0123456789abcdef 1000 900 19 20", b"", b"a 1 2 3", b"a 1 2 3 4 5", b"a b c d e"),
    words=(b" ", b"0", b"-", b"_"),
)  # fmt: skip
def archive_reference(data: bytes) -> None:
    try:
        found = ArchivedHistory.parse(text_of(data))
    except (ValueError, TypeError):
        return
    assert ArchivedHistory.parse(str(found)) == found


PASSWORD = "pAsSw0rd"


@into(
    GROUP, "log-line", "a line tells no password of an address, no bearer token and no ticket, whatever is around them",
    seeds=(b"redis at : down", b"a b", b"'", b'"', b"://", b"x://y:z@", b"Bearer x", b"ticket=a&",
    b"a" * 500 + b"://" * 100),
    words=(b"redis://", b"@", b":", b"Bearer ", b"ticket=", b"aot_", b"\n", b"'"),
)  # fmt: skip
def log_line(data: bytes) -> None:
    around = text_of(data)
    for secret in (
        f"redis://user:{PASSWORD}@host:1/0",
        f"Bearer {PASSWORD}",
        f"/ws?ticket={PASSWORD}",
        f"aot_{PASSWORD}",
    ):
        assert PASSWORD not in redacted(f"{around} {secret} {around}")
