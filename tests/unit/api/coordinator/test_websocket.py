"""What a browser may ask for in its handshake."""

import pytest
from starlette.datastructures import QueryParams

from api.coordinator.websocket import InvalidQuery, read_query


def test_nothing_asked_is_everything_from_now_on() -> None:
    outbox = read_query(QueryParams(""), 1000)
    assert (outbox.sessions, outbox.since, outbox.epoch, outbox.limit) == (frozenset(), None, None, 1000)


def test_a_position_and_sessions_can_be_asked_for() -> None:
    outbox = read_query(QueryParams("since=12&epoch=ab&session_id=a&session_id=b%2Cc&other=1"), 1000)
    assert (outbox.sessions, outbox.since, outbox.epoch) == (frozenset({"a", "b,c"}), 12, "ab")


@pytest.mark.parametrize(
    "query",
    ["since=", "since=-1", "since=1.5", "since=x", "since=%C2%B2", "since=" + "9" * 17, "session_id=",
     "session_id=" + "x" * 201, "&".join(f"session_id={n}" for n in range(101))],
)  # fmt: skip
def test_what_can_not_be_meant_is_refused_in_words_that_fit_a_close_frame(query: str) -> None:
    with pytest.raises(InvalidQuery) as refusal:
        read_query(QueryParams(query), 1000)
    assert 0 < len(str(refusal.value).encode()) <= 123
