"""The buffer between agent and Redis: bounded, in order, numbered without gaps, honest about what it dropped."""

import threading
from collections import deque
from typing import Any

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agent_bridge import outgoing
from agent_bridge.outgoing import BATCH_BYTES, BATCH_EVENTS, Batch, Outgoing
from agent_bus.event_records import EventRecord


def event(mark: object, size: int = 0) -> EventRecord:
    return EventRecord("message", "t", 0, "s", orjson.dumps(mark).ljust(size))


def dropped(count: int) -> EventRecord:
    return event({"dropped": count})


def marks(batch: Batch | None) -> list[object]:
    return [orjson.loads(record.json_tail) for record in batch.events] if batch else []


def test_an_empty_buffer_has_no_batch() -> None:
    buffer = Outgoing(dropped)
    assert buffer.batch() is None
    assert (len(buffer), buffer.next_number, buffer.dropped) == (0, 1, 0)


def test_a_batch_stays_until_it_is_sent_and_may_have_grown() -> None:
    buffer = Outgoing(dropped)
    buffer.put(event(1))
    first = buffer.batch()
    buffer.put(event(2))
    assert (marks(first), marks(buffer.batch())) == ([1], [1, 2])
    assert first is not None
    buffer.sent(first)
    assert buffer.batch() == Batch(2, [event(2)])


def test_what_was_dropped_is_said_in_its_place() -> None:
    buffer = Outgoing(dropped, max_events=2)
    assert [buffer.put(event(n)) for n in range(5)] == [True, True, False, False, False]
    assert buffer.dropped == 3
    batch = buffer.batch()
    assert batch is not None
    buffer.sent(batch)
    assert buffer.put(event(5))
    assert marks(buffer.batch()) == [{"dropped": 3}, 5]
    assert buffer.dropped == 0


def test_what_was_dropped_last_is_said_at_the_end() -> None:
    buffer = Outgoing(dropped, max_events=1)
    buffer.put(event(1))
    buffer.put(event(2))
    buffer.close()
    buffer.close()
    assert marks(buffer.batch()) == [1, {"dropped": 1}]


def test_bytes_are_bounded_too_but_one_event_always_fits() -> None:
    buffer = Outgoing(dropped, max_bytes=100)
    assert buffer.put(event("large", 500))
    assert not buffer.put(event("small"))
    batch = buffer.batch()
    assert batch is not None
    buffer.sent(batch)
    assert buffer.put(event("a", 60))
    assert not buffer.put(event("b", 60))


def test_batches_are_limited_in_events_and_in_bytes() -> None:
    many = Outgoing(dropped)
    for n in range(BATCH_EVENTS + 1):
        many.put(event(n))
    batch = many.batch()
    assert batch is not None
    assert len(batch.events) == BATCH_EVENTS
    large = Outgoing(dropped)
    for n in range(3):
        large.put(event(n, BATCH_BYTES * 2 // 3))
    assert marks(large.batch()) == [0]


def test_many_threads_lose_and_double_nothing() -> None:
    buffer = Outgoing(dropped)
    sent: list[Any] = []

    def work(thread: int) -> None:
        for n in range(300):
            assert buffer.put(event([thread, n]))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or len(buffer):
        if batch := buffer.batch():
            assert batch.first == len(sent) + 1
            sent.extend(marks(batch))
            buffer.sent(batch)
    assert buffer.next_number == 1201
    for thread_number in range(4):
        assert [mark for mark in sent if mark[0] == thread_number] == [[thread_number, n] for n in range(300)]


MAX_EVENTS, MAX_BYTES, LARGEST = 5, 200, 300


class Buffering(RuleBasedStateMachine):
    """An agent that says things, a link that sends batches, sometimes twice, and a model of what must arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = Outgoing(dropped, max_events=MAX_EVENTS, max_bytes=MAX_BYTES)
        self.expected: deque[object] = deque()
        self.arrived = 0
        self.said = 0
        self.missing = 0
        self.reported = 0
        self.total_missing = 0

    @rule(size=st.integers(0, LARGEST))
    def say(self, size: int) -> None:
        self.said += 1
        if self.buffer.put(event(self.said, size)):
            self.report()
            self.expected.append(self.said)
        else:
            assert len(self.buffer) > 0
            self.missing += 1
            self.total_missing += 1
        assert self.buffer.dropped == self.missing

    def report(self) -> None:
        if self.missing:
            self.expected.append({"dropped": self.missing})
            self.reported += self.missing
            self.missing = 0

    @rule()
    def close(self) -> None:
        self.buffer.close()
        self.report()

    @precondition(lambda self: len(self.buffer) > 0)
    @rule()
    def send(self) -> None:
        batch = self.buffer.batch()
        assert batch is not None
        assert batch.first == self.arrived + 1
        for mark in marks(batch):
            assert mark == self.expected.popleft()
        self.arrived += len(batch.events)
        self.buffer.sent(batch)

    @rule()
    def lose_the_answer(self) -> None:
        assert self.buffer.batch() == self.buffer.batch()

    @invariant()
    def it_is_bounded_and_counts_right(self) -> None:
        assert len(self.buffer) == len(self.expected)
        assert self.buffer.next_number == self.arrived + len(self.expected) + 1
        assert self.reported + self.missing == self.total_missing
        # Beyond its limits it holds one oversized event, and for each drop that was told one more.
        notices = sum(isinstance(mark, dict) for mark in self.expected)
        assert len(self.buffer) <= MAX_EVENTS + notices
        assert self.buffer._bytes == sum(len(record.json_tail) for record in self.buffer._events)
        assert self.buffer._bytes <= max(MAX_BYTES, LARGEST) + notices * 20


TestBuffering = Buffering.TestCase
TestBuffering.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_its_own_limits_are_what_a_process_can_spare() -> None:
    buffer = Outgoing(dropped)
    for n in range(40):
        buffer.put(event(n, 1024 * 1024))
    assert len(buffer) == outgoing.MAX_BYTES // (1024 * 1024)
