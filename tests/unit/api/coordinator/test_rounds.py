"""Rounds: one write a browser, everything that follows where it stood, each once, and others in between."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_bus.bus import BusMessage
from api.coordinator import rounds as module
from api.coordinator.outbox import CAN_NOT_KEEP_UP, INTERNAL_ERROR, Outbox
from api.coordinator.rounds import Rounds
from tests.unit.live import eventually
from tests.wires import MemoryWire

MIB = 1024 * 1024
LONG = 3600.0


def message(seq: int, session_id: str = "s", size: int = 0) -> BusMessage:
    return BusMessage(seq, session_id, (b"%d" % seq).ljust(size))


def live(rounds: Rounds, seq: int = 0, wire: MemoryWire | None = None) -> tuple[Outbox, MemoryWire]:
    """A live browser that wants everything and stands at `seq`."""
    wire = wire or MemoryWire()
    outbox = Outbox(MIB, wire=wire, seq=seq, live=True)
    rounds.everyone.add(outbox)
    return outbox, wire


def numbers(wire: MemoryWire) -> list[int]:
    return [int(text) for text in wire.texts]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def first_slice(wires: Iterable[MemoryWire]) -> None:
    """Goes on until a round is under way, and not to its end."""
    wires = list(wires)
    async with asyncio.timeout(5):
        while not any(wire.writes for wire in wires):
            await asyncio.sleep(0)
    assert not all(wire.writes for wire in wires)


class Clock:
    """What the rounds take for the time, so that a round lasts as long as a test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def passes(self, seconds: float) -> Callable[[], None]:
        def on_write() -> None:
            self.now += seconds

        return on_write


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


async def test_what_comes_in_one_turn_goes_out_in_one_write_in_order() -> None:
    rounds = Rounds()
    wires = [live(rounds)[1] for _ in range(3)]
    for seq in range(1, 51):
        rounds.add(message(seq), ())
    assert all(wire.writes == [] for wire in wires)
    await eventually(lambda: all(wire.writes for wire in wires), "the round")
    for wire in wires:
        assert len(wire.writes) == 1
        assert numbers(wire) == list(range(1, 51))


async def test_all_browsers_are_written_the_same_bytes_which_were_encoded_once() -> None:
    rounds = Rounds()
    wires = [live(rounds)[1] for _ in range(3)]
    rounds.add(message(1), ())
    await turns()
    assert len({id(wire.writes[0]) for wire in wires}) == 1


async def test_who_watches_some_sessions_gets_only_theirs_in_one_write() -> None:
    rounds = Rounds()
    everything = live(rounds)[1]
    some, other = (Outbox(MIB, frozenset({name}), wire=MemoryWire(), live=True) for name in "ab")
    for seq in range(1, 7):
        rounds.add(message(seq, "ab"[seq % 2]), [(some, other)[seq % 2]])
    await turns()
    assert numbers(everything) == [1, 2, 3, 4, 5, 6]
    for outbox, wanted in ((some, [2, 4, 6]), (other, [1, 3, 5])):
        assert isinstance(outbox.wire, MemoryWire)
        assert (numbers(outbox.wire), len(outbox.wire.writes)) == (wanted, 1)


async def test_with_nobody_connected_nothing_is_kept() -> None:
    rounds = Rounds()
    for seq in range(1, 1001):
        rounds.add(message(seq), ())
    assert (rounds._pending, rounds._pending_bytes, rounds._filtered) == ([], 0, {})
    _, wire = live(rounds, seq=1000)
    rounds.add(message(1001), ())
    await turns()
    assert numbers(wire) == [1001]


async def test_nothing_is_kept_of_a_round_once_everyone_has_left() -> None:
    rounds = Rounds()
    outbox, wire = live(rounds)
    rounds.add(message(1), ())
    outbox.leave()
    rounds.everyone.discard(outbox)
    await turns()
    assert (rounds._pending, rounds._pending_bytes, rounds._filtered, rounds._round) == ([], 0, {}, None)
    assert wire.writes == []


@pytest.mark.parametrize("browsers", [1, module.SLICE, module.SLICE + 1, 5 * module.SLICE])
async def test_others_on_the_loop_have_their_turn_after_every_slice(browsers: int) -> None:
    rounds = Rounds()
    wires = [live(rounds)[1] for _ in range(browsers)]
    rounds.add(message(1), ())
    written = [0]
    while written[-1] < browsers:
        await asyncio.sleep(0)
        written.append(sum(len(wire.writes) for wire in wires))
    assert all(after - before <= module.SLICE for before, after in pairwise(written))


async def test_messages_that_come_while_a_round_is_under_way_wait_for_the_next() -> None:
    rounds = Rounds()
    wires = [live(rounds)[1] for _ in range(3 * module.SLICE)]
    rounds.add(message(1), ())
    await first_slice(wires)
    rounds.add(message(2), ())
    rounds.add(message(3), ())
    await eventually(lambda: all(len(wire.writes) == 2 for wire in wires), "both rounds")
    assert all(numbers(wire) == [1, 2, 3] for wire in wires)


async def test_one_that_comes_or_leaves_in_the_middle_of_a_round_gets_neither_too_much_nor_too_little() -> None:
    rounds = Rounds()
    pairs = [live(rounds) for _ in range(3 * module.SLICE)]
    rounds.add(message(1), ())
    await first_slice(wire for _, wire in pairs)
    _, newcomer = live(rounds, seq=1)
    leaver, left = next((outbox, wire) for outbox, wire in pairs if not wire.writes)
    leaver.leave()
    rounds.everyone.discard(leaver)
    rounds.add(message(2), ())
    others = [wire for outbox, wire in pairs if outbox is not leaver]
    await eventually(lambda: all(len(wire.writes) == 2 for wire in others), "both rounds")
    assert (numbers(newcomer), left.writes) == ([2], [])


async def test_one_that_read_ahead_of_the_subscriber_gets_what_follows_its_number_only() -> None:
    rounds = Rounds()
    _, behind = live(rounds)
    _, ahead = live(rounds, seq=2)
    _, beyond = live(rounds, seq=9)
    for seq in (1, 2, 3):
        rounds.add(message(seq), ())
    await turns()
    assert (numbers(behind), numbers(ahead), beyond.writes) == ([1, 2, 3], [3], [])


async def test_a_round_is_followed_by_a_pause_in_which_messages_gather(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", LONG)
    rounds = Rounds()
    _, wire = live(rounds, wire=MemoryWire(on_write=clock.passes(LONG)))
    rounds.add(message(1), ())
    await turns()
    rounds.add(message(2), ())
    await turns()
    rounds.add(message(3), ())
    await turns()
    assert numbers(wire) == [1]
    clock.now += LONG
    rounds.add(message(4), ())
    await turns()
    assert (numbers(wire), len(wire.writes)) == ([1, 2, 3, 4], 2)


async def test_much_to_write_ends_the_pause_and_its_timer_repeats_nothing(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", LONG)
    rounds = Rounds()
    _, wire = live(rounds, wire=MemoryWire(on_write=clock.passes(LONG)))
    rounds.add(message(1), ())
    await turns()
    rounds.add(message(2), ())
    await turns()
    assert rounds._pause is not None
    timer = rounds._pause
    rounds.add(message(3, size=module.FULL_BYTES), ())
    await turns()
    assert (numbers(wire), len(wire.writes), timer.cancelled()) == ([1, 2, 3], 2, True)
    rounds._pause_over()
    await turns()
    assert numbers(wire) == [1, 2, 3]


async def test_a_pause_is_as_long_as_the_round_and_never_longer_than_the_longest(clock: Clock) -> None:
    rounds = Rounds()
    outbox, _ = live(rounds, wire=MemoryWire(on_write=clock.passes(0.003)))
    rounds.add(message(1), ())
    await turns()
    assert rounds._not_before - clock.now == pytest.approx(0.003)
    rounds.everyone.discard(outbox)
    clock.now += LONG
    _, wire = live(rounds, seq=1, wire=MemoryWire(on_write=clock.passes(LONG)))
    rounds.add(message(2), ())
    await turns()
    assert rounds._not_before - clock.now == pytest.approx(module.LONGEST_PAUSE_SECONDS)
    rounds.add(message(3), ())
    await eventually(lambda: numbers(wire) == [2, 3], "the round after the pause")


async def test_an_idle_bus_has_no_pause_before_its_next_message(clock: Clock) -> None:
    rounds = Rounds()
    _, wire = live(rounds, wire=MemoryWire(on_write=clock.passes(0.01)))
    for seq in (1, 2, 3):
        rounds.add(message(seq), ())
        await turns()
        assert numbers(wire)[-1] == seq
        clock.now += 1


async def test_filtered_browsers_have_the_same_pause_and_lose_nothing_in_it(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", LONG)
    rounds = Rounds()
    wire = MemoryWire(on_write=clock.passes(LONG))
    outbox = Outbox(MIB, frozenset({"s"}), wire=wire, live=True)
    rounds.add(message(1), [outbox])
    await turns()
    rounds.add(message(2), [outbox])
    rounds.add(message(3), [outbox])
    await turns()
    assert numbers(wire) == [1]
    clock.now += LONG
    rounds.add(message(4), [outbox])
    await turns()
    assert (numbers(wire), len(wire.writes)) == ([1, 2, 3, 4], 2)


@pytest.mark.parametrize("before", [0, 1, 2, 3, 4, 8])
async def test_finishing_hands_out_everything_at_once_and_repeats_nothing_later(before: int) -> None:
    rounds = Rounds()
    wires = [live(rounds)[1] for _ in range(3 * module.SLICE)]
    filtered = [Outbox(MIB, frozenset({"s"}), wire=MemoryWire(), live=True) for _ in range(2 * module.SLICE)]
    wires += [outbox.wire for outbox in filtered if isinstance(outbox.wire, MemoryWire)]
    rounds.add(message(1), filtered)
    await turns(before)
    rounds.add(message(2), filtered)
    rounds.finish()
    assert all(numbers(wire) == [1, 2] for wire in wires)
    rounds.add(message(3), filtered)
    await eventually(lambda: all(numbers(wire)[-1] == 3 for wire in wires), "the next round")
    await turns(10)
    assert all(numbers(wire) == [1, 2, 3] for wire in wires)


async def test_a_bus_that_is_faster_than_the_rounds_does_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    rounds = Rounds()
    everyone = [live(rounds) for _ in range(50)]
    its_wire = MemoryWire()
    watching = Outbox(MIB, wire=its_wire, live=True, sessions=frozenset({"s"}))
    for seq in range(1, 101):
        # Without a turn of the loop in between.
        rounds.add(message(seq, size=100), [watching])
        assert rounds._pending_bytes <= 1000
    await turns(30)
    for _, wire in everyone:
        assert numbers(wire) == list(range(1, 101))
    assert numbers(its_wire) == list(range(1, 101))


async def test_a_bus_that_is_faster_than_filtered_browsers_does_not_pile_up_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    rounds, wire = Rounds(), MemoryWire()
    watching = Outbox(MIB, wire=wire, live=True, sessions=frozenset({"s"}))
    for seq in range(1, 101):
        rounds.add(message(seq, size=100), [watching])
        assert sum(map(len, rounds._filtered.values())) <= 10
    await turns(30)
    assert numbers(wire) == list(range(1, 101))


async def test_finishing_with_nothing_to_do_does_nothing() -> None:
    rounds = Rounds()
    _, wire = live(rounds)
    rounds.finish()
    await turns()
    assert wire.writes == []


async def test_a_browser_that_can_not_keep_up_is_closed_and_the_others_get_everything() -> None:
    rounds = Rounds()
    stalled, wire = live(rounds, wire=MemoryWire(takes=1))
    stalled.limit = 100
    others = [live(rounds)[1] for _ in range(2 * module.SLICE)]
    for seq in range(1, 31):
        rounds.add(message(seq, size=20), ())
        rounds.finish()
    assert (wire.codes, stalled.close_code, numbers(wire)) == ([CAN_NOT_KEEP_UP], CAN_NOT_KEEP_UP, [1])
    assert all(numbers(other) == list(range(1, 31)) for other in others)


def broken_wire() -> MemoryWire:
    def fail() -> None:
        raise OSError("the wire is broken")

    return MemoryWire(on_write=fail)


async def test_a_wire_that_fails_does_not_silence_the_others() -> None:
    """An error in the middle of a round once left it unfinished for ever, and no other was begun."""
    rounds = Rounds()
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    live(rounds, wire=broken_wire())
    wires = [live(rounds)[1] for _ in range(2 * module.SLICE)]
    for seq in (1, 2):
        rounds.add(message(seq), ())
        await eventually(lambda seq=seq: all(numbers(wire)[-1:] == [seq] for wire in wires), "the round")  # type: ignore[misc]


async def test_a_browser_whose_wire_failed_is_closed_so_that_it_comes_back() -> None:
    """Left alone it would stay connected and hear nothing more, without ever knowing."""
    rounds = Rounds()
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    outbox, broken = live(rounds, wire=broken_wire())
    rounds.add(message(1), ())
    await turns(10)
    assert (broken.codes, outbox.live) == ([INTERNAL_ERROR], False)


ADD, JOIN, LEAVE, TURN, FINISH = "add", "join", "leave", "turn", "finish"
SESSIONS = st.sampled_from(["a", "b", "c"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just(ADD), SESSIONS, st.integers(0, 40)),
        # How far ahead of the subscriber it has read, and what it asked for.
        st.tuples(st.just(JOIN), st.integers(0, 3), st.frozensets(SESSIONS, max_size=2)),
        st.tuples(st.just(LEAVE), st.integers(0, 20)),
        st.tuples(st.just(TURN), st.integers(1, 4)),
        st.tuples(st.just(FINISH)),
    ),
    max_size=60,
)  # fmt: skip


class Model:
    """Rounds used as the relay uses them, and what each browser has to have received by then."""

    def __init__(self) -> None:
        self.rounds = Rounds()
        self.head = 0
        self.here: list[Outbox] = []
        self.gone: list[Outbox] = []
        self.wanted: dict[Outbox, list[int]] = {}

    def add(self, session_id: str, size: int) -> None:
        self.head += 1
        watching = [outbox for outbox in self.here if session_id in outbox.sessions]
        self.rounds.add(message(self.head, session_id, size), (outbox for outbox in watching if outbox.seq < self.head))
        for outbox in self.here:
            if outbox.seq < self.head and outbox.wants(session_id):
                self.wanted[outbox].append(self.head)

    def join(self, ahead: int, sessions: frozenset[str]) -> None:
        outbox = Outbox(MIB, sessions, wire=MemoryWire(), seq=self.head + ahead, live=True)
        self.here.append(outbox)
        self.wanted[outbox] = []
        if not sessions:
            self.rounds.everyone.add(outbox)

    def leave(self, which: int) -> None:
        if self.here:
            outbox = self.here.pop(which % len(self.here))
            outbox.leave()
            self.rounds.everyone.discard(outbox)
            self.gone.append(outbox)

    def check(self, *, complete: bool) -> None:
        for outbox in (*self.here, *self.gone):
            assert isinstance(outbox.wire, MemoryWire)
            got, wanted = numbers(outbox.wire), self.wanted[outbox]
            assert got == wanted[: len(got)]
            assert len(got) == len(wanted) or not complete or outbox.gone


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, size=st.integers(1, 4), full=st.sampled_from([1, 60, MIB]), pause=st.sampled_from([0.0, LONG]))
def test_whoever_comes_and_goes_gets_what_follows_its_number_each_once(
    steps: list[tuple[object, ...]], size: int, full: int, pause: float
) -> None:
    async def play() -> None:
        model = Model()
        for what, *how in steps:
            match what, how:
                case "add", [str(session_id), int(length)]:
                    model.add(session_id, length)
                case "join", [int(ahead), frozenset() as sessions]:
                    model.join(ahead, sessions)
                case "leave", [int(which)]:
                    model.leave(which)
                case "turn", [int(count)]:
                    await turns(count)
                case "finish", []:
                    model.rounds.finish()
                    model.check(complete=True)
            model.check(complete=False)
        model.rounds.finish()
        model.check(complete=True)
        await turns()
        model.check(complete=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SLICE", size)
        patch.setattr(module, "FULL_BYTES", full)
        patch.setattr(module, "LONGEST_PAUSE_SECONDS", pause)
        asyncio.run(play())
