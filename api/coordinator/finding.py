"""Finding sessions: by one index where one answers the question, else by reading the shortest index through."""

from dataclasses import dataclass

from agent_bus.messages import Session
from agent_bus.sessions import MAX_PAGE, Cursor, Sessions
from agent_bus.timestamps import microseconds


@dataclass(frozen=True, slots=True)
class Filter:
    """What a session must be; None means anything. q: part of its name, id, project or agent, in any case."""

    status: str | None = None
    agent_name: str | None = None
    project_dir: str | None = None
    q: str | None = None

    def matches(self, session: Session) -> bool:
        """Whether a session is meant."""
        if self.q is not None:
            texts = (session.session_name, session.session_id, session.project_dir or "", session.agent_name or "")
            if self.q.casefold() not in "\n".join(texts).casefold():
                return False
        return (
            (self.status is None or session.status == self.status)
            and (self.agent_name is None or session.agent_name == self.agent_name)
            and (self.project_dir is None or session.project_dir == self.project_dir)
        )

    @property
    def one_index(self) -> bool:
        """Whether an index holds exactly what is meant."""
        return self.q is None and self.project_dir is None and (self.status is None or self.agent_name is None)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of matches as JSON, how many match altogether, and where to go on."""

    sessions: list[bytes]
    total: int
    next: Cursor | None


def _order(cursor: Cursor) -> tuple[int, bytes]:
    # As Redis sorts: by score, then by the bytes of the member.
    return int(cursor.score), cursor.session_id.encode()


async def find_sessions(sessions: Sessions, wanted: Filter, *, limit: int, after: Cursor | None = None) -> Found:
    """The matches, newest `created_at` first.

    A single index costs a page; anything else reads the agent's (or else the status') whole index, for an exact total.
    """
    if wanted.one_index:
        page = await sessions.page(limit=limit, after=after, status=wanted.status, agent_name=wanted.agent_name)
        return Found(list(page.sessions), page.total, page.next)
    status = wanted.status if wanted.agent_name is None else None
    matches: list[bytes] = []
    total, last, more = 0, None, False
    past_cursor = after is None
    position: Cursor | None = None
    while True:
        page = await sessions.page(limit=MAX_PAGE, after=position, status=status, agent_name=wanted.agent_name)
        for text in page.sessions:
            session = Session.model_validate_json(text)
            here = Cursor(session.session_id, str(microseconds(session.created_at)))
            if after is not None and not past_cursor:
                past_cursor = _order(here) < _order(after)
            if wanted.matches(session):
                total += 1
                if past_cursor and len(matches) < limit:
                    matches.append(text)
                    last = here
                elif past_cursor:
                    more = True
        if page.next is None:
            return Found(matches, total, last if more else None)
        position = page.next
