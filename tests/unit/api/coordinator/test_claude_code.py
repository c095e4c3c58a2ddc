"""The order to stop, on its way to the program: it counts as told when somebody was there to hear it."""

import asyncio
import logging

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from starlette.types import Message

from api.coordinator.claude_code import StopOrder

SCOPE = {"type": "http", "method": "POST", "path": "/hooks/claude-code", "headers": []}


class Client:
    """One who asked. gone: has hung up since."""

    def __init__(self, *, gone: bool = False) -> None:
        self._gone = gone
        self.heard: list[str] = []

    async def receive(self) -> Message:
        if not self._gone:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.heard.append(message["type"])


async def test_it_is_noted_once_it_has_been_sent() -> None:
    client = Client()

    async def note() -> None:
        client.heard.append("noted")

    await StopOrder(b"{}", note)(SCOPE, client.receive, client.send)
    assert client.heard == ["http.response.start", "http.response.body", "noted"]


async def test_it_is_not_noted_where_nobody_hears_it_any_more() -> None:
    client = Client(gone=True)

    async def note() -> None:
        client.heard.append("noted")

    await StopOrder(b"{}", note)(SCOPE, client.receive, client.send)
    assert client.heard == []


async def test_a_note_that_can_not_be_made_is_logged_and_the_program_has_its_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = Client()

    async def note() -> None:
        raise RedisConnectionError("away")

    with caplog.at_level(logging.WARNING):
        await StopOrder(b"{}", note)(SCOPE, client.receive, client.send)
    assert client.heard == ["http.response.start", "http.response.body"]
    assert "could not be noted" in caplog.text
