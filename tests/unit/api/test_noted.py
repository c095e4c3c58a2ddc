from typing import Any

import pytest
from starlette.types import Message

from agent_bus.log_lines import request_id
from api.errors import problem
from api.noted import NotedResponse, ensure_name, give_name, noted_status


@pytest.fixture(autouse=True)
def unnamed() -> None:
    request_id.set(b"")


async def sent(answer: NotedResponse, scope: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    messages: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("an answer asks nothing")

    async def send(message: Message) -> None:
        messages.append(message)

    await answer(scope, receive, send)
    headers: list[tuple[bytes, bytes]] = messages[0]["headers"]
    return headers


async def test_an_answer_says_its_status_and_gives_the_name_back() -> None:
    scope: dict[str, Any] = {"type": "http"}
    assert noted_status(scope) == 0
    give_name(scope, b"mine")
    assert (b"x-request-id", b"mine") in await sent(NotedResponse("", 202), scope)
    assert noted_status(scope) == 202


async def test_without_a_name_none_is_given_back() -> None:
    scope: dict[str, Any] = {"type": "http"}
    assert b"x-request-id" not in dict(await sent(NotedResponse(""), scope))


async def test_every_error_is_such_an_answer() -> None:
    answer = problem(418, "why")
    assert isinstance(answer, NotedResponse)
    scope: dict[str, Any] = {"type": "http"}
    await sent(answer, scope)
    assert noted_status(scope) == 418


def test_a_request_is_named_once() -> None:
    scope: dict[str, Any] = {"type": "http"}
    ensure_name(scope)
    name = request_id.get()
    assert name
    ensure_name(scope)
    assert request_id.get() == name
