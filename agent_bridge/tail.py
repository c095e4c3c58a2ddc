"""`agent-bridge tail`: one session's events, those that were and those that come, each once and in order.

The live flow is opened first and the history read then; what is in both is known by its number. After a lost connection
the flow goes on behind the last message, or begins anew and the history is read from the last event on.
"""

import errno
import json
import select
import sys
import time
from collections.abc import Callable, Iterator

import click
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from agent_bridge.coordinator import Coordinator, CoordinatorError, Json, Refused, Unreachable, with_coordinator
from agent_bridge.listing import line_of, say
from agent_bus.coordinator_address import TOKEN_VARIABLE

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.25, 8.0
# How often it is looked whether there is still somebody who reads what is printed.
LOOK_SECONDS = 1.0
CLOSE_SECONDS = 1.0
PAGE = 1000

# The coordinator's close codes: the query is wrong; what followed the last message can't be had any more; the token is
# unknown; its role may not read.
BAD_REQUEST, START_OVER, UNAUTHORIZED, FORBIDDEN = 4400, 4009, 4401, 4403


@click.command()
@click.argument("session")
@click.option("-n", "--last", type=click.IntRange(min=0), metavar="N", help="Begin with the last N.  [default: 20]")
@click.option("--since-start", is_flag=True, help="Begin with the session's first event.")
@click.option("--until-end", is_flag=True, help="End when the session is not running any more.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as the API gives them.")
@with_coordinator
def tail(
    coordinator: Coordinator, session: str, last: int | None, *, since_start: bool, until_end: bool, as_json: bool
) -> None:
    """Follow a session's events until it is deleted.

    SESSION is an id, or a running session's name or the start of its id.
    """
    if since_start and last is not None:
        raise click.UsageError("--last and --since-start exclude each other")
    try:
        found = coordinator.find(session)
        session_id = found["session_id"]
        if found["status"] != "running" and not until_end:
            say(f"session {session_id} is {found['status']}; what a new run says will follow")
        count = None if since_start else 20 if last is None else last
        show = _show_json if as_json else _show_line
        Tail(coordinator, session_id, show, last=count, until_end=until_end).follow()
    except KeyboardInterrupt:
        sys.exit(130)


class Tail:
    """Follows one session."""

    def __init__(
        self,
        coordinator: Coordinator,
        session_id: str,
        show: Callable[[Json], None],
        *,
        last: int | None,
        until_end: bool = False,
    ) -> None:
        """last: with how many events to begin; None for all."""
        self._coordinator = coordinator
        self._session_id = session_id
        self._show = show
        self._last = last
        self._until_end = until_end
        # Every event up to this number has been shown, or was not asked for.
        self._shown: int | None = 0 if last is None else None
        # Where the live flow stands.
        self._seq: int | None = None
        self._epoch = ""

    def follow(self) -> None:
        """Returns when the session is deleted or, if asked so, not running any more. Raises CoordinatorError."""
        delay, lost = FIRST_DELAY_SECONDS, False
        while True:
            try:
                with self._connect() as connection:
                    for message in _messages(connection):
                        if message is not None and (over := self._take(message)):
                            return say(f"session {self._session_id} {over}")
                        if lost:
                            say("connected again")
                        delay, lost = FIRST_DELAY_SECONDS, False
            except (_Lost, Unreachable, Refused) as error:
                if isinstance(error, Refused) and error.status < 500:
                    raise
                if isinstance(error, _Lost) and error.code == START_OVER:
                    self._seq = None
                if not lost:
                    say(f"the connection is lost, trying again: {error}")
                lost = True
            time.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)

    def _connect(self) -> ClientConnection:
        query = {"session_id": self._session_id}
        if self._seq is not None:
            query |= {"since": str(self._seq), "epoch": self._epoch}
        try:
            # What commands ask a coordinator goes straight to it, and an event may be large.
            return connect(
                self._coordinator.websocket_url(query),
                additional_headers=self._coordinator.headers,
                proxy=None,
                max_size=None,
                close_timeout=CLOSE_SECONDS,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            raise Refused(f"The coordinator at {self._coordinator.url} answered {status} to /ws", status) from error
        except (OSError, InvalidHandshake, InvalidMessage) as error:
            raise _Lost(str(error)) from error

    def _take(self, message: Json) -> str:
        """Takes the next message; returns how the session ended, or nothing."""
        kind = message.get("type")
        if kind == "session_deleted":
            return "was deleted"
        if kind == "event":
            self._show_new([message["data"]])
        session = message.get("session")
        if kind == "init":
            session = next(iter(message["sessions"]), None)
            if session is None or not self._catch_up():
                return "was deleted"
            self._epoch = message["epoch"]
            # No event up to here is missing, for the history was read after it.
            self._shown = max(self._shown or 0, message["seq"])
        self._seq = message.get("seq", self._seq)
        if self._until_end and session is not None and session["status"] != "running":
            return f"is {session['status']}"
        return ""

    def _catch_up(self) -> bool:
        """Shows what the history has that was not shown; False if the session is gone."""
        if self._shown is None:
            events = self._newest(self._last or 0)
            self._show_new(events or [])
            return events is not None
        more = True
        while more:
            page = self._coordinator.events(self._session_id, limit=PAGE, after=self._shown)
            if page is None:
                return False
            self._show_new(page["events"])
            more = page["has_more"]
        return True

    def _newest(self, count: int) -> list[Json] | None:
        events: list[Json] = []
        before: dict[str, int] = {}
        while len(events) < count:
            page = self._coordinator.events(self._session_id, limit=min(PAGE, count - len(events)), **before)
            if page is None:
                return None
            events = page["events"] + events
            if not page["has_more"]:
                break
            before = {"before": page["next"]}
        return events

    def _show_new(self, events: list[Json]) -> None:
        for event in events:
            if self._shown is None or event["id"] > self._shown:
                self._show(event)
                self._shown = event["id"]


class _Lost(Exception):
    """The connection is no more; `code` is the WebSocket's, if it was closed in order."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


def _messages(connection: ClientConnection) -> Iterator[Json | None]:
    """What comes, and None each time when nothing came for a while."""
    while True:
        try:
            text = connection.recv(LOOK_SECONDS)
        except TimeoutError:
            _check_reader()
            yield None
            continue
        except ConnectionClosed as closed:
            code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (None, "")
            if code == BAD_REQUEST:
                raise CoordinatorError(f"The coordinator does not understand the request: {reason}") from closed
            if code in (UNAUTHORIZED, FORBIDDEN):
                # A revoked token's connection is closed without words.
                why = reason or f"the token in {TOKEN_VARIABLE} is not known there any more"
                raise CoordinatorError(f"The coordinator does not let this in: {why}") from closed
            raise _Lost(str(closed), code) from closed
        yield json.loads(text)


def _check_reader() -> None:
    """Raises BrokenPipeError once nobody reads stdout any more; otherwise that shows with the next event only."""
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):
        # It is no file.
        return
    if any(state & (select.POLLERR | select.POLLHUP) for _, state in poll.poll(0)):
        raise BrokenPipeError(errno.EPIPE, "nobody reads stdout")


def _show_json(event: Json) -> None:
    click.echo(json.dumps(event))


def _show_line(event: Json) -> None:
    click.echo(line_of(event))
