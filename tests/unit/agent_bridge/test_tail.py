import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from agent_bridge import tail as tail_module
from agent_bridge.coordinator import Coordinator, CoordinatorError, Refused
from agent_bridge.tail import Tail

Json = dict[str, Any]
Part = Callable[[ServerConnection], None]

TIME = "2026-01-24T10:00:00+00:00"
RESTART, TOO_SLOW = 1012, 4008


def event(number: int) -> Json:
    return {"id": number, "event_type": "note", "session_id": "s", "timestamp": TIME}


def session(status: str = "running") -> Json:
    return {"session_id": "s", "session_name": "s", "status": status}


def init(seq: int, status: str = "running", epoch: str = "e1") -> Json:
    return {"type": "init", "seq": seq, "epoch": epoch, "sessions": [session(status)]}


def happened(number: int) -> Json:
    return {"type": "event", "seq": number, "data": event(number)}


def changed(seq: int, status: str) -> Json:
    return {"type": "session_updated", "seq": seq, "session": session(status)}


DELETED = {"type": "session_deleted", "seq": 99, "session_id": "s"}


class Flow:
    """A coordinator's events: each connection plays its part, and the history is what it is at that moment."""

    def __init__(self) -> None:
        self.url = ""
        self.history: list[Json] = []
        self.parts: list[Part] = []
        self.queries: list[dict[str, str]] = []
        self.pages: list[dict[str, str]] = []
        self.largest_page = 1000
        self.handshakes: list[int] = []
        self.authorizations: list[str | None] = []
        self.history_statuses: list[int] = []

    def plays(self, *messages: Json, close: int = RESTART, meanwhile: tuple[int, ...] = ()) -> None:
        """The next connection: these messages, then the close. Meanwhile: what is accepted just before."""

        def part(connection: ServerConnection) -> None:
            self.history += map(event, meanwhile)
            for message in messages:
                connection.send(json.dumps(message))
            connection.close(close)

        self.parts.append(part)

    def handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.queries.append(
            {name: value for name, [value] in parse_qs(urlsplit(connection.request.path).query).items()}
        )
        self.parts.pop(0)(connection)

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        url = urlsplit(request.path)
        if url.path == "/ws":
            self.authorizations.append(request.headers.get("Authorization"))
            status = self.handshakes.pop(0) if self.handshakes else 101
            return None if status == 101 else connection.respond(status, '{"detail": "no"}')
        if url.path == "/sessions/s":
            return connection.respond(200, json.dumps(session()))
        query = {name: value for name, [value] in parse_qs(url.query).items()}
        self.pages.append(query)
        if self.history_statuses and (status := self.history_statuses.pop(0)) != 200:
            return connection.respond(status, '{"detail": "no"}')
        return connection.respond(200, json.dumps(self.page(query)))

    def page(self, query: dict[str, str]) -> Json:
        limit = min(int(query["limit"]), self.largest_page)
        if "after" in query:
            found = [one for one in self.history if one["id"] > int(query["after"])]
            some = found[:limit]
        else:
            found = [one for one in self.history if one["id"] < int(query.get("before", 2**53))]
            some = found[-limit:]
        more = len(found) > len(some)
        edge = some[-1 if "after" in query else 0]["id"] if some else None
        return {"events": some, "has_more": more, "next": edge if more else None}


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Flow]:
    monkeypatch.setattr(tail_module, "FIRST_DELAY_SECONDS", 0.001)
    told = Flow()
    with serve(told.handle, "127.0.0.1", 0, process_request=told.answer) as server:
        told.url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()


def follow(flow: Flow, last: int | None = 20, *, until_end: bool = False) -> list[int]:
    shown: list[Json] = []
    Tail(Coordinator(flow.url), "s", shown.append, last=last, until_end=until_end).follow()
    assert flow.parts == [], "every connection was made"
    return [one["id"] for one in shown]


@pytest.mark.parametrize(
    ("last", "shown"),
    [(None, [1, 3, 4, 6, 7, 8, 9]), (20, [1, 3, 4, 6, 7, 8, 9]), (3, [6, 7, 8, 9]), (1, [8, 9]), (0, [6, 7, 8, 9])],
)
def test_what_is_in_the_history_and_in_the_flow_is_shown_once(flow: Flow, last: int | None, shown: list[int]) -> None:
    flow.history = [event(1), event(3), event(4)]
    flow.plays(init(5), *map(happened, (6, 7, 8, 9)), DELETED, meanwhile=(6, 7, 8))
    assert follow(flow, last) == shown


@pytest.mark.parametrize("last", [None, 7, 10, 500])
def test_the_history_is_read_page_after_page(flow: Flow, last: int | None) -> None:
    flow.largest_page = 3
    flow.history = [event(number) for number in range(1, 11)]
    flow.plays(init(10), happened(11), DELETED)
    assert follow(flow, last) == [*range(1, 11), 11][-(last or 500) - 1 :]
    assert all(int(page["limit"]) <= 1000 for page in flow.pages)


@pytest.mark.parametrize("code", [RESTART, TOO_SLOW, 1011, 1000])
def test_after_a_lost_connection_the_flow_goes_on_behind_the_last_message(
    flow: Flow, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    flow.history = [event(2)]
    flow.plays(init(3), happened(5), changed(6, "running"), close=code)
    flow.plays(happened(8), close=code)
    flow.plays(DELETED)
    assert follow(flow) == [2, 5, 8]
    assert flow.queries == [
        {"session_id": "s"}, {"session_id": "s", "since": "6", "epoch": "e1"},
        {"session_id": "s", "since": "8", "epoch": "e1"},
    ]  # fmt: skip
    assert len(flow.pages) == 1
    said = capsys.readouterr().err.splitlines()
    assert "the connection is lost, trying again" in said[0]
    assert said[1] == "agent-bridge: connected again"
    assert said[-1] == "agent-bridge: session s was deleted"


def test_a_flow_that_starts_over_is_asked_for_anew_and_the_history_fills_the_gap(flow: Flow) -> None:
    flow.plays(init(3), happened(5), close=4009)
    flow.plays(init(9, epoch="e2"), happened(9), happened(10), close=RESTART, meanwhile=(5, 7, 9))
    flow.plays(DELETED)
    assert follow(flow) == [5, 7, 9, 10]
    assert flow.queries[1:] == [{"session_id": "s"}, {"session_id": "s", "since": "10", "epoch": "e2"}]
    assert flow.pages[-1]["after"] == "5"


def test_an_init_instead_of_what_followed_is_read_up_on_in_the_history(flow: Flow) -> None:
    flow.plays(init(3), happened(5))
    flow.plays(init(20, epoch="e2"), happened(21), DELETED, meanwhile=(5, 6))
    assert follow(flow, 0) == [5, 6, 21]


def test_events_that_were_not_asked_for_are_not_shown_after_a_lost_connection(flow: Flow) -> None:
    flow.history = [event(1), event(2)]
    flow.plays(init(4), close=4009)
    flow.plays(init(6), DELETED, meanwhile=(5,))
    assert follow(flow, 0) == [5]


def test_a_connection_that_breaks_without_a_word_is_made_again(flow: Flow) -> None:
    def break_off(connection: ServerConnection) -> None:
        connection.send(json.dumps(init(1)))
        connection.send(json.dumps(happened(2)))
        connection.socket.shutdown(2)

    flow.parts.append(break_off)
    flow.plays(happened(3), DELETED)
    assert follow(flow) == [2, 3]


def test_a_coordinator_that_is_not_ready_is_tried_again(flow: Flow, capsys: pytest.CaptureFixture[str]) -> None:
    flow.handshakes = [503, 502]
    flow.history_statuses = [503]
    flow.history = [event(1)]
    flow.plays(init(1))
    flow.plays(init(1), DELETED)
    assert follow(flow) == [1]
    assert capsys.readouterr().err.count("trying again") == 1


def test_a_session_that_was_deleted_meanwhile_is_over(flow: Flow) -> None:
    flow.plays(init(1), close=4009)
    flow.plays(init(5) | {"sessions": []})
    assert follow(flow) == []


def test_a_history_that_was_deleted_meanwhile_is_over(flow: Flow) -> None:
    flow.history_statuses = [404]
    flow.plays(init(1))
    assert follow(flow) == []


@pytest.mark.parametrize("status", ["finished", "stopped"])
def test_it_ends_with_the_session_when_asked_to(flow: Flow, status: str, capsys: pytest.CaptureFixture[str]) -> None:
    flow.plays(init(1), changed(2, "running"), happened(3), changed(4, status), happened(5))
    assert follow(flow, until_end=True) == [3]
    assert capsys.readouterr().err == f"agent-bridge: session s is {status}\n"


def test_a_session_that_is_over_already_is_shown_before_it_ends(flow: Flow) -> None:
    flow.history = [event(1)]
    flow.plays(init(2, "finished"))
    assert follow(flow, until_end=True) == [1]


def test_a_session_that_ends_is_followed_on_unless_asked_otherwise(flow: Flow) -> None:
    flow.plays(init(1, "finished"), changed(2, "running"), changed(3, "stopped"), happened(4), DELETED)
    assert follow(flow) == [4]


def test_what_it_does_not_know_is_passed_over(flow: Flow) -> None:
    flow.plays(init(1), {"type": "news", "seq": 2}, {"type": "older"}, happened(3))
    flow.plays(DELETED)
    assert follow(flow) == [3]
    assert flow.queries[1]["since"] == "3"


def test_a_query_that_is_refused_is_not_tried_again(flow: Flow) -> None:
    flow.plays(close=4400)
    with pytest.raises(CoordinatorError, match="does not understand"):
        follow(flow)


def test_a_handshake_that_is_refused_is_not_tried_again(flow: Flow) -> None:
    flow.handshakes = [403]
    with pytest.raises(Refused, match="answered 403 to /ws"):
        follow(flow)


@pytest.mark.parametrize("code", [4401, 4403])
def test_who_is_not_let_in_does_not_try_again(flow: Flow, code: int) -> None:
    flow.plays(init(1), close=code)
    with pytest.raises(CoordinatorError, match="AGENT_ORCHESTRATOR_TOKEN"):
        follow(flow)


def test_the_token_goes_along_with_the_handshake(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_ORCHESTRATOR_TOKEN", "aot_1")
    flow.plays(init(1), DELETED)
    follow(flow)
    assert flow.authorizations == ["Bearer aot_1"]
    assert "aot_1" not in str(flow.queries)


def invoke(flow: Flow, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(tail_module.tail, ["s", "--api-url", flow.url, *arguments])
    return result.exit_code, result.stdout


def test_json_is_what_the_api_gives(flow: Flow) -> None:
    flow.history = [event(1)]
    flow.plays(init(1), happened(2), DELETED)
    code, output = invoke(flow, "--json")
    assert (code, [json.loads(line) for line in output.splitlines()]) == (0, [event(1), event(2)])


def test_by_default_it_begins_with_the_last_twenty(flow: Flow) -> None:
    flow.history = [event(number) for number in range(1, 30)]
    for arguments, lines in (((), 20), (("-n", "2"), 2), (("--since-start",), 29)):
        flow.plays(init(29), DELETED)
        code, output = invoke(flow, *arguments)
        assert (code, output.count("note\n")) == (0, lines)


@pytest.mark.parametrize("arguments", [("-n", "-1"), ("-n", "3", "--since-start")])
def test_what_makes_no_sense_is_refused(flow: Flow, arguments: tuple[str, ...]) -> None:
    assert invoke(flow, *arguments)[0] == 2


def test_a_reader_that_has_left_is_noticed_while_nothing_happens(monkeypatch: pytest.MonkeyPatch, flow: Flow) -> None:
    monkeypatch.setattr(tail_module, "LOOK_SECONDS", 0.01)
    left = threading.Event()

    def say_nothing_more(connection: ServerConnection) -> None:
        connection.send(json.dumps(init(1)))
        with contextlib.suppress(Exception):
            connection.recv()
        left.set()

    flow.parts.append(say_nothing_more)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        monkeypatch.setattr("sys.stdout", output)
        with pytest.raises(BrokenPipeError):
            follow(flow)
    assert left.wait(30)
