"""Browsers that come back: each keeps one connection to some replica, and writes down all that it is sent."""

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.faults.history import BrowserHistory, Chapter, Seen

START_OVER = 4009
# A page that can't connect tries again this soon; a real one would wait longer.
PAUSE_SECONDS = 0.05
HANDSHAKE_SECONDS = 5.0


class Watcher:
    """A browser's side. Run `run()` as a task; it ends when cancelled.

    with_epoch: it names its epoch when it comes back, as the dashboard does.
    """

    def __init__(self, name: str, replicas: Sequence[str], first: int, *, with_epoch: bool) -> None:
        self.history = BrowserHistory(name)
        self._replicas = replicas
        self._at = first
        self._with_epoch = with_epoch
        self._start_over = True
        self.newest: dict[str, int] = {}
        """The greatest number of an event of each session that has come."""

    @property
    def seq(self) -> int:
        """The number of the last message."""
        chapter = self.history.chapters[-1]
        return chapter.messages[-1].seq if chapter.messages else chapter.began

    async def run(self) -> None:
        """Stays connected, somewhere."""
        while True:
            with contextlib.suppress(OSError, InvalidHandshake, TimeoutError, EOFError):
                await self._stay()
            self._at += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def _stay(self) -> None:
        url = self._replicas[self._at % len(self._replicas)]
        if not self._start_over:
            url += f"?since={self.seq}"
            if self._with_epoch:
                url += f"&epoch={self.history.chapters[-1].epoch}"
        async with connect(url, max_size=None, open_timeout=HANDSHAKE_SECONDS, ping_interval=None) as connection:
            try:
                async for text in connection:
                    self._take(text if isinstance(text, bytes) else text.encode())
            except ConnectionClosed:
                pass
            code = connection.close_code or 1006
            self.history.closes[code] += 1
            self._start_over = not self.history.chapters or code == START_OVER

    def _take(self, text: bytes) -> None:
        message = json.loads(text)
        if message["type"] == "init":
            self.history.chapters.append(Chapter(message["epoch"], message["seq"]))
            self._start_over = False
            return
        seen = _seen(message, hash(text))
        self.history.chapters[-1].messages.append(seen)
        if seen.n is not None and seen.session_id is not None:
            self.newest[seen.session_id] = max(seen.n, self.newest.get(seen.session_id, -1))


def _seen(message: dict[str, object], digest: int) -> Seen:
    seq, at = message["seq"], time.monotonic()
    assert isinstance(seq, int)
    match message:
        case {"data": {"session_id": str(session_id), "n": int(n)}}:
            return Seen(seq, session_id, n, False, digest, at)
        case {"data": {"session_id": str(session_id)}}:
            return Seen(seq, session_id, None, False, digest, at)
        case {"session": {"session_id": str(session_id), "stop_confirmed": confirmed}}:
            return Seen(seq, session_id, None, confirmed is True, digest, at)
    return Seen(seq, None, None, False, digest, at)
