"""Cursors as clients see them: opaque, safe in a URL."""

import base64
import binascii

from agent_bus.sessions import Cursor


class InvalidCursor(ValueError):
    """The text is no cursor that this server gave."""


def encode_cursor(cursor: Cursor) -> str:
    """A cursor as text."""
    return base64.urlsafe_b64encode(f"{cursor.score}:{cursor.session_id}".encode()).decode().rstrip("=")


def decode_cursor(text: str) -> Cursor:
    """The cursor again. Raises InvalidCursor."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor("Not a cursor; use the `next` of an earlier answer") from error
    score, colon, session_id = plain.partition(":")
    if not colon or not session_id or not (score.isascii() and score.isdigit()) or len(score) > len(str(2**53)):
        raise InvalidCursor("Not a cursor; use the `next` of an earlier answer")
    return Cursor(session_id, score)
