"""What a browser may ask for in its handshake."""

from typing import Any

import pytest
from starlette.websockets import WebSocket

from api.coordinator.websocket import InvalidQuery, read_query


def handshake(query: str) -> WebSocket:
    async def nothing(*_: Any) -> Any:
        raise AssertionError("reading the query needs no I/O")

    scope = {"type": "websocket", "path": "/ws", "headers": [], "query_string": query.encode()}
    return WebSocket(scope, nothing, nothing)


def test_nothing_asked_is_everything_from_now_on() -> None:
    outbox = read_query(handshake(""), 1000)
    assert (outbox.sessions, outbox.since, outbox.epoch, outbox.limit) == (frozenset(), None, None, 1000)


def test_a_position_and_sessions_can_be_asked_for() -> None:
    outbox = read_query(handshake("since=12&epoch=ab&session_id=a&session_id=b%2Cc&other=1"), 1000)
    assert (outbox.sessions, outbox.since, outbox.epoch) == (frozenset({"a", "b,c"}), 12, "ab")


@pytest.mark.parametrize(
    "query",
    ["since=", "since=-1", "since=1.5", "since=x", "since=%C2%B2", "since=" + "9" * 17, "session_id=",
     "session_id=" + "x" * 201, "&".join(f"session_id={n}" for n in range(101))],
)  # fmt: skip
def test_what_can_not_be_meant_is_refused_in_words_that_fit_a_close_frame(query: str) -> None:
    with pytest.raises(InvalidQuery) as refusal:
        read_query(handshake(query), 1000)
    assert 0 < len(str(refusal.value).encode()) <= 123
