"""Gap detection: the verdict on one message, and the subscriber against every interleaving of a simulated Redis."""

import json
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, cast
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from agent_bus import subscriber
from agent_bus.bus import Bus, BusMessage, Position
from agent_bus.keys import Keys
from agent_bus.sequence import Verdict, judge
from agent_bus.subscriber import Subscriber

numbers = st.integers(0, 2**53)


@pytest.mark.parametrize(
    ("seq", "verdict"),
    [(0, Verdict.REPEAT), (4, Verdict.REPEAT), (5, Verdict.REPEAT), (6, Verdict.NEXT), (7, Verdict.GAP)],
)
def test_the_verdict_depends_on_the_number_within_an_epoch(seq: int, verdict: Verdict) -> None:
    assert judge(Position("e", 5), "e", seq) is verdict


@given(at=numbers, seq=numbers)
def test_exactly_the_next_number_is_delivered_at_once(at: int, seq: int) -> None:
    assert (judge(Position("e", at), "e", seq) is Verdict.NEXT) == (seq == at + 1)
    assert judge(Position("e", at), "f", seq) is Verdict.ANOTHER_EPOCH


class SimulatedBus:
    """Redis as a subscriber sees it. `meanwhile` is what others do, one thing before each answer."""

    def __init__(self) -> None:
        self.keys = Keys("simulated")
        self.epochs = 0
        self.counter = 0
        self.written = 0
        self.stream: dict[int, bytes] = {}
        self.meanwhile: deque[Callable[[], object]] = deque()

    @property
    def epoch(self) -> str:
        return f"e{self.epochs}"

    def write(self) -> bytes:
        self.counter += 1
        self.written += 1
        self.stream[self.counter] = json.dumps([self.epoch, self.counter, self.written]).encode()
        return b"%b %d 1 s%b" % (self.epoch.encode(), self.counter, self.stream[self.counter])

    def trim(self, keep: int) -> None:
        for seq in sorted(self.stream)[: max(0, len(self.stream) - keep)]:
            del self.stream[seq]

    def _others(self) -> None:
        if self.meanwhile:
            self.meanwhile.popleft()()

    async def position(self) -> Position:
        self._others()
        return Position(self.epoch, self.counter)

    async def read(self, after: int, *, limit: int) -> list[BusMessage]:
        self._others()
        found = sorted(seq for seq in self.stream if seq > after)[:limit]
        return [BusMessage(seq, "s", self.stream[seq]) for seq in found]

    async def renew_epoch(self, seen: Position) -> str:
        if seen.epoch == self.epoch:
            self.epochs += 1
            self.counter = max(self.counter, seen.seq)
        return self.epoch


class Interleavings(RuleBasedStateMachine):
    """Writers, a Redis that trims and forgets, a channel that loses and repeats, and one subscriber."""

    def __init__(self) -> None:
        super().__init__()
        self.bus = SimulatedBus()
        self.channel: deque[bytes] = deque()
        self.at: Position | None = None
        self.delivered_last = False
        self.forgotten = False
        self.subscriber = Subscriber(
            cast(Bus, self.bus), cast(Any, None), deliver=self.delivered, start_over=self.started_over
        )
        self.chunk = patch.object(subscriber, "CHUNK", 3)
        self.chunk.start()

    def teardown(self) -> None:
        self.bus.meanwhile.clear()
        self.channel.clear()
        self.drive(self.subscriber._catch_up())
        assert self.at == Position(self.bus.epoch, self.bus.counter)
        self.chunk.stop()

    def drive(self, step: Coroutine[Any, Any, None]) -> None:
        with pytest.raises(StopIteration):
            while True:
                step.send(None)
        assert self.subscriber.position == self.at

    def delivered(self, message: BusMessage) -> None:
        assert self.at is not None
        assert json.loads(message.json)[:2] == [self.at.epoch, self.at.seq + 1]
        self.at = Position(self.at.epoch, message.seq)
        self.delivered_last = True

    def started_over(self, position: Position) -> None:
        assert self.at is not None
        if position.epoch == self.at.epoch:
            assert position.seq > self.at.seq
            assert self.at.seq + 1 not in self.bus.stream
        else:
            assert self.forgotten
            self.forgotten = False
        self.at = position
        self.delivered_last = False

    @initialize(before=st.integers(0, 3))
    def connect(self, before: int) -> None:
        for _ in range(before):
            self.bus.write()
        self.at = Position(self.bus.epoch, self.bus.counter)
        self.drive(self.subscriber._catch_up())

    @rule(heard=st.lists(st.sampled_from(["once", "never", "twice"]), min_size=1, max_size=6))
    def write(self, heard: list[str]) -> None:
        for times in heard:
            self.channel.extend([self.bus.write()] * {"once": 1, "never": 0, "twice": 2}[times])

    @precondition(lambda self: self.channel)
    @rule(count=st.integers(1, 4))
    def hear(self, count: int) -> None:
        for _ in range(min(count, len(self.channel))):
            self.drive(self.subscriber._take(self.channel.popleft()))

    @rule()
    def reconnect(self) -> None:
        self.channel.clear()
        self.drive(self.subscriber._catch_up())

    @rule(keep=st.integers(0, 4))
    def trim(self, keep: int) -> None:
        self.bus.trim(keep)

    @rule(others=st.lists(st.one_of(st.just(-1), st.integers(0, 3)), max_size=4))
    def others_act_between_question_and_answer(self, others: list[int]) -> None:
        for keep in others:
            self.bus.meanwhile.append(self.someone_writes if keep < 0 else partial(self.bus.trim, keep))

    def someone_writes(self) -> None:
        self.channel.append(self.bus.write())

    @rule(connected=st.booleans())
    def redis_loses_everything(self, connected: bool) -> None:
        self.bus.epochs += 1
        self.bus.counter = 0
        self.bus.stream.clear()
        self.forgotten = True
        if not connected:
            self.reconnect()

    @rule(count=st.integers(1, 4), anew=st.integers(0, 6))
    def redis_loses_its_newest_messages(self, count: int, anew: int) -> None:
        """And others may write before the subscriber looks. A position that it only jumped to can't be checked then."""
        assert self.at is not None
        self.bus.meanwhile.clear()
        self.bus.counter = max(0, self.bus.counter - count)
        for seq in [seq for seq in self.bus.stream if seq > self.bus.counter]:
            del self.bus.stream[seq]
        before = self.at
        lost = before.epoch == self.bus.epoch and before.seq > self.bus.counter
        self.forgotten |= lost
        for _ in range(anew if self.delivered_last else 0):
            self.bus.write()
        self.reconnect()
        assert not lost or self.at.epoch != before.epoch


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)
