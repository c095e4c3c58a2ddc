"""The coordinator's HTTP API, as the commands use it: blocking, on the standard library, one connection a request."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import click

from agent_bus.coordinator_address import API_URL_VARIABLE, TOKEN_VARIABLE, find_api_url, find_token
from agent_bus.identifiers import check_session_id

Json = dict[str, Any]

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
# A coordinator can be set to wait up to 600 s for an agent's confirmation.
STOP_SECONDS = 630.0


class CoordinatorError(click.ClickException):
    """A command can't go on; the message says why and what to do. The exit code is 1."""


class Unreachable(CoordinatorError):
    """Nobody answers, or not in time."""


class Refused(CoordinatorError):
    """The coordinator answered with an error; `status` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class InvalidToken(CoordinatorError):
    """The environment's token can't be sent."""


class NotOne(CoordinatorError):
    """What was given names no session, or several."""


class Coordinator:
    """A coordinator at a URL. Nothing connects before the first request. Threads may share it."""

    def __init__(self, url: str | None = None) -> None:
        """url: without it, the environment's, else the local default. The token is the environment's.

        Raises InvalidToken, or ValueError for what is no such URL.
        """
        self.url = find_api_url(url)
        self._parts = _split(self.url)
        try:
            token = find_token()
        except ValueError as error:
            raise InvalidToken(str(error)) from None
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        """What every request carries, the WebSocket's handshake too."""

    def session(self, session_id: str) -> Json | None:
        """One session, or None where it is unknown."""
        return self._ask("GET", f"/sessions/{quote(session_id, safe='')}")

    def sessions(self, status: str | None = None) -> Iterator[Json]:
        """The sessions, newest first, page after page."""
        query = {} if status is None else {"status": status}
        while True:
            page = self._need("GET", "/sessions", query=query)
            yield from page["sessions"]
            if page.get("next") is None:
                return
            query["cursor"] = page["next"]

    def events(self, session_id: str, **query: int) -> Json | None:
        """A page of a session's events (`limit`, `before`, `after` as in the API); None where it is unknown."""
        numbers = {name: str(value) for name, value in query.items()}
        return self._ask("GET", f"/events/{quote(session_id, safe='')}", query=numbers)

    def stop(self, session_id: str) -> Json | None:
        """Stops one session and waits for what became of it; None where it is unknown."""
        return self._ask("POST", f"/sessions/{quote(session_id, safe='')}/stop", seconds=STOP_SECONDS)

    def stop_several(self, session_ids: list[str] | None = None) -> list[Json]:
        """Stops these sessions, or all that are running, together; what became of each."""
        which = {"all": True} if session_ids is None else {"session_ids": session_ids}
        results: list[Json] = self._need("POST", "/sessions/stop", body=which, seconds=STOP_SECONDS)["sessions"]
        return results

    def find(self, given: str) -> Json:
        """The session of this id, else the one running session of this name or with an id that begins so.

        Raises NotOne.
        """
        if _may_be_id(given) and (session := self.session(given)) is not None:
            return session
        found = [
            session
            for session in self.sessions("running")
            if session["session_name"] == given or (given and session["session_id"].startswith(given))
        ]
        if not found:
            raise NotOne(
                f"No session {given!r}: neither an id, nor a running session's name or the start of its id; "
                "`agent-bridge ps --all` lists them"
            )
        if len(found) > 1:
            lines = (f"  {session['session_id']}  {session['session_name']!r}" for session in found)
            raise NotOne("\n".join([f"{given!r} may be any of these running sessions; give more of the id:", *lines]))
        return found[0]

    def websocket_url(self, query: dict[str, str]) -> str:
        """Where the live flow is."""
        scheme = "wss" if self._parts.scheme == "https" else "ws"
        return f"{scheme}://{self._parts.netloc}{self._parts.path}/ws?{urlencode(query)}"

    def _need(self, method: str, path: str, **options: Any) -> Json:
        answer = self._ask(method, path, **options)
        if answer is None:
            raise self._stranger(f"it has no {path}")
        return answer

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Json | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Json | None:
        """What is answered; None for 404. Raises Unreachable or Refused."""
        target = self._parts.path + path + (f"?{urlencode(query)}" if query else "")
        content = None if body is None else json.dumps(body)
        headers = self.headers | ({} if body is None else {"Content-Type": "application/json"})
        connection = self._connection()
        try:
            connection.connect()
            connection.sock.settimeout(seconds)
            connection.request(method, target, content, headers)
            response = connection.getresponse()
            status, text = response.status, response.read()
        except TimeoutError as error:
            raise Unreachable(f"The coordinator at {self.url} does not answer") from error
        except OSError as error:
            raise Unreachable(
                f"No coordinator at {self.url} ({error.strerror or error}): start it with `make up`, "
                f"or say where it is with --api-url or {API_URL_VARIABLE}"
            ) from error
        except http.client.HTTPException as error:
            raise self._stranger(repr(error)) from error
        finally:
            connection.close()
        return self._read(status, text)

    def _connection(self) -> http.client.HTTPConnection:
        secure = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=CONNECT_SECONDS)

    def _read(self, status: int, text: bytes) -> Json | None:
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or (status >= 300 and "detail" not in answer):
            raise self._stranger(f"it answered {status}")
        if status == 404:
            return None
        if status >= 300:
            detail = answer["detail"]
            said = detail if isinstance(detail, str) else json.dumps(detail)
            raise Refused(f"The coordinator at {self.url} answered {status}: {said}", status)
        return answer

    def _stranger(self, why: str) -> CoordinatorError:
        return CoordinatorError(f"What answers at {self.url} is no coordinator ({why}); say where it is with --api-url")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        odd = parts.port == 0 or parts.username is not None or parts.query or parts.fragment
    except ValueError:
        parts, odd = SplitResult("", "", "", "", ""), True
    if odd or parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable() or " " in url:
        raise ValueError(f"{url!r} is no URL of a coordinator such as http://localhost:8765")
    return parts


def _may_be_id(text: str) -> bool:
    try:
        check_session_id(text)
    except ValueError:
        return False
    return True


def _connect(_: click.Context, __: click.Parameter, url: str | None) -> Coordinator:
    try:
        return Coordinator(url)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=f"--api-url or {API_URL_VARIABLE}") from error


with_coordinator = click.option(
    "--api-url",
    "coordinator",
    metavar="U",
    callback=_connect,
    help=f"The coordinator. Without it: {API_URL_VARIABLE}, the local default. Its token: {TOKEN_VARIABLE}.",
)
"""The option that all commands share; gives them the `coordinator`."""
