import socket
from collections.abc import Iterator
from typing import Any

import pytest

from agent_bridge.coordinator import Coordinator, CoordinatorError, InvalidToken, NotOne, Refused, Unreachable
from agent_bus.coordinator_address import API_URL_VARIABLE, TOKEN_VARIABLE
from tests.processes import free_port
from tests.unit.agent_bridge.small_servers import SmallCoordinator, listening, small_coordinator


@pytest.fixture
def told() -> Iterator[SmallCoordinator]:
    with small_coordinator() as server:
        yield server


def named(session_id: str, name: str = "") -> dict[str, Any]:
    return {"session_id": session_id, "session_name": name or session_id}


def test_a_session_is_asked_for_by_its_id_whatever_is_in_it(told: SmallCoordinator) -> None:
    told.answers["GET", "/sessions/a%3Fb%20%23%25%C3%BC"] = 200, named("a?b #%ü")
    assert Coordinator(told.url).session("a?b #%ü") == named("a?b #%ü")
    assert Coordinator(told.url).session("other") is None


def test_the_sessions_come_page_after_page(told: SmallCoordinator) -> None:
    told.answers["GET", "/sessions?status=running"] = 200, {"sessions": [named("c"), named("b")], "next": "n&2"}
    told.answers["GET", "/sessions?status=running&cursor=n%262"] = 200, {"sessions": [named("a")], "next": None}
    assert [session["session_id"] for session in Coordinator(told.url).sessions("running")] == ["c", "b", "a"]


def test_the_url_may_have_a_path(told: SmallCoordinator) -> None:
    told.answers["GET", "/ao/sessions/a"] = 200, named("a")
    coordinator = Coordinator(f"{told.url}/ao/")
    assert coordinator.session("a") == named("a")
    assert coordinator.websocket_url({"session_id": "a b"}) == f"ws{told.url.removeprefix('http')}/ao/ws?session_id=a+b"
    assert Coordinator("https://host").websocket_url({"since": "1"}) == "wss://host/ws?since=1"


def test_where_it_is_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(API_URL_VARIABLE, "http://elsewhere:1/")
    assert Coordinator().url == "http://elsewhere:1"
    assert Coordinator("http://here").url == "http://here"
    monkeypatch.delenv(API_URL_VARIABLE)
    assert Coordinator().url == "http://localhost:8765"


@pytest.mark.parametrize(("token", "sent"), [("aot_1-x", "Bearer aot_1-x"), (" aot_1\n", "Bearer aot_1"), ("", None)])
def test_the_token_of_the_environment_goes_along(
    told: SmallCoordinator, monkeypatch: pytest.MonkeyPatch, token: str, sent: str | None
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    told.answers["POST", "/sessions/stop"] = 200, {"sessions": []}
    coordinator = Coordinator(told.url)
    coordinator.session("a")
    coordinator.stop_several()
    assert told.authorizations == [sent, sent]


@pytest.mark.parametrize("token", ["s3cret\r\nX: y", "s3 cret", "s3crét"])
def test_what_no_header_can_carry_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    with pytest.raises(InvalidToken, match=TOKEN_VARIABLE) as refusal:
        Coordinator()
    assert "s3" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    ["localhost:8765", "ftp://localhost", "http://", "http://:80", "http://localhost:0", "http://localhost:http",
     "http://localhost:65536", "http://me@localhost", "http://localhost/?q=1", "http://localhost/#f", "http://[::1",
     "http://local host"],
)  # fmt: skip
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no URL of a coordinator"):
        Coordinator(url)


@pytest.fixture
def running(told: SmallCoordinator) -> Coordinator:
    sessions = [named("abc1", "nightly"), named("abc2", "a"), named("b", "nightly"), named("c", "week"), named("week2")]
    told.answers["GET", "/sessions?status=running"] = 200, {"sessions": sessions, "next": None}
    told.answers["GET", "/sessions/over"] = 200, named("over")
    told.answers["GET", "/sessions/b"] = 200, named("b")
    return Coordinator(told.url)


@pytest.mark.parametrize(("given", "found"), [("over", "over"), ("b", "b"), ("abc2", "abc2"), ("week2", "week2")])
def test_a_session_is_found_by_id_or_by_what_only_it_has(running: Coordinator, given: str, found: str) -> None:
    assert running.find(given)["session_id"] == found


@pytest.mark.parametrize(
    ("given", "candidates"),
    [("ab", ["abc1", "abc2"]), ("nightly", ["abc1", "b"]), ("week", ["c", "week2"]), ("a", ["abc1", "abc2"])],
)
def test_what_several_have_is_answered_with_all_of_them(
    running: Coordinator, given: str, candidates: list[str]
) -> None:
    with pytest.raises(NotOne) as refused:
        running.find(given)
    assert [line.split()[0] for line in refused.value.message.splitlines()[1:]] == candidates


@pytest.mark.parametrize("given", ["", "x", "../sessions", "."])
def test_what_nobody_has_is_said(running: Coordinator, given: str) -> None:
    with pytest.raises(NotOne, match="No session"):
        running.find(given)


def test_an_error_is_passed_on_with_its_status(told: SmallCoordinator) -> None:
    told.answers["GET", "/sessions/a"] = 503, {"detail": "Redis is away"}
    told.answers["GET", "/events/a?limit=0"] = 422, {"detail": [{"msg": "limit"}]}
    with pytest.raises(Refused, match="answered 503: Redis is away") as refused:
        Coordinator(told.url).session("a")
    assert refused.value.status == 503
    with pytest.raises(Refused, match=r'answered 422: \[{"msg": "limit"}\]'):
        Coordinator(told.url).events("a", limit=0)


def test_nobody_there_is_answered_with_what_to_do() -> None:
    with pytest.raises(Unreachable, match=r"No coordinator at .*Connection refused.*make up.*--api-url"):
        Coordinator(f"http://localhost:{free_port()}").session("a")


def test_who_says_nothing_is_not_waited_for_for_ever() -> None:
    with listening(lambda connection: connection.recv(65536) and connection.recv(1)) as port:
        coordinator = Coordinator(f"http://127.0.0.1:{port}")
        with pytest.raises(Unreachable, match="does not answer"):
            coordinator._ask("GET", "/health", seconds=0.05)


@pytest.mark.parametrize(
    "answer",
    [b"-ERR\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
     b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<p/>", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"],
)  # fmt: skip
def test_something_else_that_answers_is_told_apart(answer: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    with listening(serve) as port, pytest.raises(CoordinatorError):
        Coordinator(f"http://127.0.0.1:{port}").session("a")


def test_another_server_that_knows_no_sessions_is_told_apart(told: SmallCoordinator) -> None:
    with pytest.raises(CoordinatorError, match="is no coordinator"):
        list(Coordinator(told.url).sessions())


def test_only_what_can_be_one_is_asked_for_as_an_id(told: SmallCoordinator) -> None:
    told.answers["GET", "/sessions?status=running"] = 200, {"sessions": [named("a", "x/y")], "next": None}
    assert Coordinator(told.url).find("x/y") == named("a", "x/y")
    assert [path for _, path, _ in told.requests] == ["/sessions?status=running"]


def test_several_are_stopped_in_one_request(told: SmallCoordinator) -> None:
    told.answers["POST", "/sessions/stop"] = 200, {"sessions": [{"session_id": "a"}], "requested": 1, "stopped": 1}
    assert Coordinator(told.url).stop_several(["a"]) == [{"session_id": "a"}]
    Coordinator(told.url).stop_several()
    assert [body for _, _, body in told.requests] == [{"session_ids": ["a"]}, {"all": True}]
