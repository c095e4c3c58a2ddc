"""Cursors: what was given comes back, and nothing else does."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_bus.sessions import Cursor
from api.coordinator.cursors import InvalidCursor, decode_cursor, encode_cursor


@given(session_id=st.text(min_size=1, max_size=200), score=st.integers(0, 2**53))
def test_a_cursor_survives_the_way_through_a_url(session_id: str, score: int) -> None:
    text = encode_cursor(Cursor(session_id, str(score)))
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    assert decode_cursor(text) == Cursor(session_id, str(score))


@given(text=st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode().rstrip("=")))
def test_any_other_text_is_refused_or_a_possible_cursor(text: str) -> None:
    try:
        cursor = decode_cursor(text)
    except InvalidCursor:
        return
    assert cursor.session_id
    assert cursor.score.isascii()
    assert int(cursor.score) < 10**17


@pytest.mark.parametrize(
    "plain", ["", "s", "1", "1:", ":s", "-1:s", "1.5:s", "+inf:s", "(1:s", "٣:s", "²:s", "1" * 17 + ":s", " 1:s"]
)
def test_scores_are_plain_numbers(plain: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(base64.urlsafe_b64encode(plain.encode()).decode())


@pytest.mark.parametrize("text", ["", "=", "====", "a", "!!!!", "MTpz\n", "MTpz MTpz", "ä", "_w"])
def test_what_is_not_base64_of_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(text)
