"""Requests as a client makes them that knows of several replicas, and what each answer promises."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import httpx

from tests.faults.history import Outcome

# Longer than a server may take for a Redis that hangs (6 s), or for an agent's confirmation.
TIMEOUT_SECONDS = 15.0
# After an answer that says so, or where nobody listens.
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request; status is 0 where no answer came. body: the answer's JSON, where it is that."""

    outcome: Outcome
    status: int = 0
    body: Any = None
    content: bytes = b""

    @property
    def text(self) -> str:
        """The beginning of what was answered, to be shown."""
        return self.content[:200].decode(errors="replace")


class Replicas:
    """The same server several times over. complaints: where answers are told that no fault explains."""

    def __init__(self, urls: Sequence[str], complaints: list[str]) -> None:
        self._clients = [
            httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS, limits=httpx.Limits(max_connections=None))
            for url in urls
        ]
        self._complaints = complaints

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            await client.aclose()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._clients)

    async def ask(self, method: str, path: str, *, at: int | None = None, **options: Any) -> Answer:
        """Asks one that listens, beginning anywhere; a request that was taken is never made again.

        at: ask this replica and no other.
        """
        first = random.randrange(len(self._clients))
        order = [at] if at is not None else [(first + i) % len(self._clients) for i in range(len(self._clients))]
        for index in order:
            try:
                answer = await self._clients[index].request(method, path, **options)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
            except httpx.TransportError:
                return Answer("unknown")
            return self._judge(f"{method} {path}", answer)
        await asyncio.sleep(PAUSE_SECONDS)
        return Answer("refused")

    def _judge(self, asked: str, answer: httpx.Response) -> Answer:
        body = answer.json() if answer.headers.get("content-type", "").startswith("application/json") else None
        if answer.is_success:
            return Answer("acknowledged", answer.status_code, body, answer.content)
        if answer.status_code in (503, 507):
            if "detail" not in (body or {}) or "retry-after" not in answer.headers:
                self._complaints.append(f"{asked}: {answer.status_code} without a detail or Retry-After: {answer.text}")
            return Answer("unknown", answer.status_code, body, answer.content)
        return Answer("refused", answer.status_code, body, answer.content)
