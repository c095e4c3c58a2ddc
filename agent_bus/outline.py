"""The outline of a session's history: a line for each event, enough for a picture, and a search in all they say."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from pydantic import BaseModel, ConfigDict

from agent_bus.events import MAX_PAGE_BYTES, ChunkSize, Events

# Looked at in one turn of the loop, which is a millisecond or two; an event is looked at in one.
TURN_BYTES = 256 * 1024

# Stands between texts: nobody asks for it, and it leaves ASCII what is ASCII, which is many times as quick to fold.
_SEAM, _SEAM_AS_JSON = "\x00", rb"\u0000"


class _Line(BaseModel):
    """What of an event goes into the outline. The rest of the JSON is passed over without becoming Python objects."""

    model_config = ConfigDict(extra="ignore")

    event_type: str
    timestamp: str
    session_id: str
    session_name: str
    tool_name: object = None
    tool_use_id: object = None
    agent_id: object = None
    error: object = None
    exit_code: object = None

    @property
    def failed(self) -> bool:
        ended_badly = self.event_type == "session_stop" and self.exit_code not in (0, None)
        return self.error is not None or ended_badly


class Search:
    """Finds events by a part of what they say, in any letter case.

    Searched is each text that an event holds as a value, at any depth, as it reads without JSON's escapes. Not
    searched: names of fields, and the session's id and name, which all of its events repeat. `q` is without NUL.
    """

    def __init__(self, q: str) -> None:
        self._wanted = q.casefold()

    def finds(self, event: bytes) -> bool:
        """Whether an event says it."""
        said = _said(event).casefold()
        if self._wanted not in said:
            return False
        line = _Line.model_validate_json(event)
        for repeated in (line.session_id, line.session_name):
            said = said.replace(f"{_SEAM}{repeated.casefold()}{_SEAM}", _SEAM, 1)
        return self._wanted in said


def _said(event: bytes) -> str:
    """All texts that are values, between seams.

    A megabyte may hold half a million values. So the texts are cut out of the JSON and read as one: a walk over objects
    holds the loop many times as long.
    """
    # With the backslashes and quotes of texts written otherwise, each quote that is left begins or ends a text.
    parts = event.replace(rb"\\", rb"\u005c").replace(rb"\"", rb"\u0022").split(b'"')
    # What a colon follows is a field's name; the events' encoders put nothing in between.
    texts = [text for text, then in zip(parts[1::2], parts[2::2], strict=True) if then[:1] != b":"]
    return str(orjson.loads(b'"%b%b%b"' % (_SEAM_AS_JSON, _SEAM_AS_JSON.join(texts), _SEAM_AS_JSON)))


def outlined(event_id: int, event: bytes) -> bytes:
    """An event's line, as JSON."""
    line = _Line.model_validate_json(event)
    return orjson.dumps({
        "id": event_id,
        "timestamp": line.timestamp,
        "event_type": line.event_type,
        "tool_name": _text(line.tool_name),
        "tool_use_id": _text(line.tool_use_id),
        "agent_id": _text(line.agent_id),
        "error": line.failed,
    })  # fmt: skip


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Outline:
    """Lines as JSON, oldest first.

    next: where to go on in the direction of reading, as long as there is more. scanned: how many events were looked at,
    whether or not they are among the lines.
    """

    events: Sequence[bytes]
    next: int | None
    scanned: int


async def read_outline(
    events: Events,
    session_id: str,
    *,
    limit: int,
    before: int | None = None,
    after: int | None = None,
    search: Search | None = None,
) -> Outline | None:
    """Looks at `limit` events, fewer where they are large; None for a session never heard of.

    Without `after`, at the newest ones (older than `before`, where given); with it, at the next ones that follow. What
    it holds in memory at once is a round trip's events and the lines.
    """
    found: list[bytes] = []
    scanned = size = 0
    chunk_size = ChunkSize()
    while True:
        # One more than is wanted tells whether there are more.
        asked_for = min(chunk_size.events, limit + 1 - scanned)
        chunk = await events.read(session_id, count=asked_for, before=before, after=after)
        if chunk is None:
            return None
        sizes = [len(event) for _, event in chunk]
        has_more = len(chunk) == asked_for
        del chunk[limit - scanned :]
        this_turn = 0
        for event_id, event in chunk:
            if this_turn > TURN_BYTES:
                await asyncio.sleep(0)
                this_turn = 0
            this_turn += len(event)
            if search is None or search.finds(event):
                found.append(outlined(event_id, event))
        if chunk and after is None:
            before = chunk[-1][0]
        elif chunk:
            after = chunk[-1][0]
        scanned += len(chunk)
        size += sum(sizes)
        if not has_more or len(chunk) < len(sizes) or size > MAX_PAGE_BYTES:
            break
        chunk_size.learn(sizes)
    if after is None:
        found.reverse()
    edge = before if after is None else after
    return Outline(found, edge if has_more else None, scanned)
