"""Session ids: what may be one. Light enough to import into an agent's process.

An id ends a key, a channel and a URL's path segment. Any text will do that has no separators or control characters and
is not one of the two names that clients resolve in paths.
"""

import re

ID_PATTERN = r"^[^/\\\x00-\x1f\x7f-\x9f]+$"
ID_LENGTH = 200
NAME_LENGTH = 500
_ID = re.compile(ID_PATTERN)


def check_session_id(value: str) -> str:
    """Returns the id. Raises ValueError with what is allowed."""
    if not _ID.fullmatch(value) or len(value) > ID_LENGTH or value in (".", "..") or not _is_utf8(value):
        raise ValueError(
            f"a session id is 1 to {ID_LENGTH} characters without / \\ and control characters, not . or .."
        )
    return value


def check_name(value: str) -> str:
    """Returns the session's name. Raises ValueError with what is allowed."""
    if not 0 < len(value) <= NAME_LENGTH or "\x00" in value:
        raise ValueError(f"a session's name is 1 to {NAME_LENGTH} characters without NUL")
    return value


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
