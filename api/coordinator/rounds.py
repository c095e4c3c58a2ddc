"""Handing messages to many browsers: what comes in one turn of the loop goes out in one write a browser.

A write is a system call of several microseconds, whether it carries one message or fifty, and a round over hundreds of
browsers takes milliseconds. So messages that come while a round is under way wait for the next, and a round is done in
slices, between which the loop serves whatever else there is: a stop is not to wait for a broadcast.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator
from itertools import chain

from agent_bus.bus import BusMessage
from api.coordinator.outbox import INTERNAL_ERROR, Batch, Outbox

logger = logging.getLogger(__name__)

# About an eighth of a millisecond.
SLICE = 16
# With so much to write, a system call is no longer what a write costs, and waiting for more saves nothing.
FULL_BYTES = 32 * 1024
# Where the bus is that much faster than a round, what waits is handed out at once, whoever else has to wait for it:
# from there on each browser's own limit decides.
MOST_BYTES = 16 * 1024 * 1024
# A round is followed by a pause as long as itself, up to this: half of the loop is left for requests, and under load
# twice as many messages go out in each write.
LONGEST_PAUSE_SECONDS = 0.02


class Rounds:
    """The live browsers of one process: those that want everything, and those that want some sessions only."""

    def __init__(self) -> None:
        self.everyone: set[Outbox] = set()
        """Live and unfiltered. One that is added gets the messages that follow its `seq`."""
        self._pending: list[BusMessage] = []
        self._pending_bytes = 0
        self._filtered: dict[Outbox, list[bytes]] = {}
        self._round: Iterator[tuple[Outbox, Batch]] | None = None
        self._began = 0.0
        self._not_before = 0.0
        self._soon = False
        self._pause: asyncio.TimerHandle | None = None
        self.handed = 0
        """How many messages were handed to browsers; one that goes to two counts twice."""

    def add(self, message: BusMessage, watchers: Iterable[Outbox]) -> None:
        """Takes the next message, for everyone and for those who watch its session."""
        wanted = bool(self.everyone)
        for outbox in watchers:
            self._filtered.setdefault(outbox, []).append(message.json)
            wanted = True
        if self.everyone:
            self._pending.append(message)
        if wanted:
            self._pending_bytes += len(message.json)
        if self._pending_bytes > MOST_BYTES:
            self.finish()
        self._schedule()

    def finish(self) -> None:
        """Hands out all that waits, now."""
        while self._round is not None or self._pending or self._filtered:
            for outbox, batch in self._round or self._next_round():
                self._hand(outbox, batch)
            self._round = None

    def _schedule(self) -> None:
        """Has a round begin: in the next turn of the loop, or after the pause."""
        if self._soon or self._round is not None or not (self._pending or self._filtered):
            return
        loop = asyncio.get_running_loop()
        wait = self._not_before - time.monotonic()
        if wait <= 0 or self._pending_bytes >= FULL_BYTES:
            if self._pause is not None:
                self._pause.cancel()
                self._pause = None
            self._soon = True
            loop.call_soon(self._begin)
        elif self._pause is None:
            self._pause = loop.call_later(wait, self._pause_over)

    def _pause_over(self) -> None:
        self._pause, self._not_before = None, 0.0
        self._schedule()

    def _begin(self) -> None:
        self._soon = False
        if self._round is None:
            self._began = time.monotonic()
            self._round = self._next_round()
            self._slice()

    def _next_round(self) -> Iterator[tuple[Outbox, Batch]]:
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        filtered, self._filtered = self._filtered, {}
        some = ((outbox, Batch(texts)) for outbox, texts in filtered.items())
        return chain(some, _for_all(pending, list(self.everyone)) if pending else ())

    def _slice(self) -> None:
        if self._round is None:
            return
        for handed, (outbox, batch) in enumerate(self._round, 1):
            self._hand(outbox, batch)
            if handed == SLICE:
                asyncio.get_running_loop().call_soon(self._slice)
                return
        self._round = None
        now = time.monotonic()
        self._not_before = now + min(now - self._began, LONGEST_PAUSE_SECONDS)
        self._schedule()

    def _hand(self, outbox: Outbox, batch: Batch) -> None:
        self.handed += len(batch.json)
        try:
            outbox.put(batch)
        except Exception:
            # One connection that fails in an unforeseen way must not silence the others.
            logger.exception("writing to a browser failed; it may come back")
            outbox.close(INTERNAL_ERROR)


def _for_all(pending: list[BusMessage], everyone: list[Outbox]) -> Iterator[tuple[Outbox, Batch]]:
    shared = Batch([message.json for message in pending])
    first = pending[0].seq
    for outbox in everyone:
        if outbox.seq < first:
            yield outbox, shared
        elif new := [message.json for message in pending if message.seq > outbox.seq]:
            # It came while these were waiting, and has some of them already.
            yield outbox, Batch(new)
