"""Histories that must fail, one for each promise, and one that must not."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.faults.checker import Verdict, check
from tests.faults.history import (
    AgentHistory,
    BrowserHistory,
    Chapter,
    DocumentHistory,
    Final,
    History,
    KeptDocument,
    KeptEvent,
    KeptSession,
    Outcome,
    Seen,
    Sent,
    StopHistory,
)

HTTP, BRIDGE = "http-a", "bridge-b"
TAGS, MORE_TAGS = frozenset({"red"}), frozenset({"red", "blue"})


@dataclass(frozen=True, slots=True)
class Ran:
    """A run, as the checker gets it."""

    history: History
    final: Final


def seen(seq: int, n: int | None = None, *, session_id: str = HTTP, confirms: bool = False, at: float = 0) -> Seen:
    return Seen(seq, session_id, n, confirms, seq, at)


def good() -> Ran:
    """Three events over HTTP, two of a bridge, a stop of the bridge's agent, and a document with other tags since."""
    history = History(
        sent=[Sent(HTTP, n, "acknowledged", 10 + n, float(n)) for n in range(3)],
        agents={
            HTTP: AgentHistory(HTTP, "http"),
            BRIDGE: AgentHistory(BRIDGE, "bridge", ceased_at=5.0, left="in order", emitted=2, obeyed=True),
        },
        stops=[StopHistory(BRIDGE, "acknowledged", True, 5.5)],
        documents=[
            DocumentHistory(
                "a.bin", "sum", "acknowledged", "d", 1.0, [("acknowledged", TAGS), ("acknowledged", MORE_TAGS)]
            )
        ],
    )
    flow = [
        seen(10, 0), seen(11, 1), seen(12, 2), seen(13, 1, session_id=BRIDGE), seen(14, 2, session_id=BRIDGE),
        seen(15, session_id=BRIDGE, confirms=True, at=5.6),
    ]  # fmt: skip
    history.browsers = [BrowserHistory(name, [Chapter("e", 9, list(flow))]) for name in ("one", "other")]
    final = Final(
        epoch="e",
        events={
            HTTP: [KeptEvent(10, 0), KeptEvent(11, 1), KeptEvent(12, 2)],
            BRIDGE: [KeptEvent(13, 1), KeptEvent(14, 2)],
        },
        sessions={HTTP: KeptSession("running", None), BRIDGE: KeptSession("stopped", True)},
        documents=[KeptDocument("d", "a.bin", MORE_TAGS, "sum")],
        tags={"red": 1, "blue": 1},
    )
    return Ran(history, final)


def verdict_of(change: Callable[[Ran], object]) -> Verdict:
    ran = good()
    change(ran)
    return check(ran.history, ran.final)


def test_a_history_that_keeps_every_promise_is_good() -> None:
    verdict = verdict_of(lambda _: None)
    assert verdict == Verdict()
    assert verdict.good


def replace_sent(ran: Ran, index: int, outcome: Outcome, event_id: int | None = None) -> None:
    ran.history.sent[index] = ran.history.sent[index]._replace(outcome=outcome, event_id=event_id)


LOST = {
    "an acknowledged event is not in the history": lambda r: _forget_event(r, 12),
    "an event of a bridge that left in order is not in the history": lambda r: _forget_event(r, 14),
    "an event in the middle of a killed bridge's": lambda r: (
        _leave(r, "killed"), _forget_event(r, 13),
    ),
    "a browser was not sent a message": lambda r: r.history.browsers[0].chapters[0].messages.pop(2),
    "a browser was not sent the first message after its init": lambda r: (
        r.history.browsers[0].chapters[0].messages.pop(0)
    ),
    "an acknowledged upload is not there": lambda r: (r.final.documents.clear(), r.final.tags.clear()),
    "an upload has other bytes": lambda r: _replace_document(r, checksum="other"),
    "an upload can't be downloaded": lambda r: _replace_document(r, checksum=None),
}  # fmt: skip
REPEATED = {
    "an event is in the history twice": lambda r: r.final.events[HTTP].append(KeptEvent(20, 2)),
    "an event without an answer is in the history twice": lambda r: (
        replace_sent(r, 2, "unknown"), r.final.events[HTTP].append(KeptEvent(20, 2)),
    ),
    "an event of a bridge is in the history twice": lambda r: r.final.events[BRIDGE].append(KeptEvent(20, 2)),
    "a browser was sent a message twice": lambda r: r.history.browsers[0].chapters[0].messages.append(
        r.history.browsers[0].chapters[0].messages[-1]
    ),
    "a browser was sent again what its init had told": lambda r: r.history.browsers[0].chapters[0].messages.insert(
        0, seen(9)
    ),
    "an upload is there twice": lambda r: (
        r.final.documents.append(KeptDocument("d2", "a.bin", frozenset(), "sum")),
    ),
}  # fmt: skip
OUT_OF_ORDER = {
    "an agent's events changed places": lambda r: _swap(r),
    "a bridge's events changed places": lambda r: r.final.events.update({BRIDGE: [KeptEvent(13, 2), KeptEvent(14, 1)]}),
    "a browser's messages changed places": lambda r: r.history.browsers[0].chapters[0].messages.reverse(),
}
BROKEN = {
    "an event is in the history under another id than was answered": lambda r: (
        replace_sent(r, 2, "acknowledged", 99)
    ),
    "an event that nobody took is in the history": lambda r: replace_sent(r, 2, "refused"),
    "an event that nobody sent is in the history": lambda r: r.final.events[HTTP].append(KeptEvent(20, 7)),
    "a browser was sent an event that is not in the history": lambda r: (
        replace_sent(r, 2, "unknown"), r.final.events[HTTP].pop(),
    ),
    "a browser was sent another event under a number": lambda r: _replace_seen(r, 2, seen(12, 7)),
    "two browsers were told different things": lambda r: _replace_seen(r, 5, seen(15)._replace(digest=7)),
    "a browser had to begin anew": lambda r: r.history.browsers[0].chapters.append(Chapter("e", 15)),
    "a stop was confirmed before the agent had ceased": lambda r: _cease(r, 5.55),
    "a browser was told of the confirmation before the agent had ceased": lambda r: (
        r.history.stops.clear(), _cease(r, 5.65),
    ),
    "a stop is confirmed and the agent goes on": lambda r: _cease(r, None),
    "a stop was accepted and the agent goes on": lambda r: r.history.stops.append(
        StopHistory(HTTP, "acknowledged", False, 6.0)
    ),
    "an agent obeyed and is not shown as stopped": lambda r: r.final.sessions.update(
        {BRIDGE: KeptSession("finished", None)}
    ),
    "an agent obeyed and its stop is not confirmed": lambda r: r.final.sessions.update(
        {BRIDGE: KeptSession("stopped", False)}
    ),
    "a change of tags is lost": lambda r: (_replace_document(r, tags=TAGS), r.final.tags.pop("blue")),
    "a tag count is not the documents'": lambda r: r.final.tags.update({"red": 2}),
    "a tag that no document has is counted": lambda r: r.final.tags.update({"green": 1}),
    "a tag is not counted": lambda r: r.final.tags.pop("red"),
    "a client complained": lambda r: r.history.complaints.append("a 500"),
}  # fmt: skip


def _forget_event(ran: Ran, event_id: int) -> None:
    """As if it had never been accepted: neither kept nor told."""
    for events in ran.final.events.values():
        events[:] = [event for event in events if event.event_id != event_id]
    for browser in ran.history.browsers:
        browser.chapters[0].messages[:] = [
            message._replace(n=None) if message.seq == event_id else message
            for message in browser.chapters[0].messages
        ]  # fmt: skip


def _leave(ran: Ran, left: str) -> None:
    agent = ran.history.agents[BRIDGE]
    agent.left, agent.emitted = left, None  # type: ignore[assignment]


def _cease(ran: Ran, at: float | None) -> None:
    ran.history.agents[BRIDGE].ceased_at = at


def _swap(ran: Ran) -> None:
    ran.history.sent[0] = ran.history.sent[0]._replace(event_id=11)
    ran.history.sent[1] = ran.history.sent[1]._replace(event_id=10)
    ran.final.events[HTTP][:2] = [KeptEvent(10, 1), KeptEvent(11, 0)]
    for index, n in ((0, 1), (1, 0)):
        for browser in ran.history.browsers:
            messages = browser.chapters[0].messages
            messages[index] = messages[index]._replace(n=n)


def _replace_seen(ran: Ran, index: int, message: Seen) -> None:
    ran.history.browsers[0].chapters[0].messages[index] = message


def _replace_document(ran: Ran, **fields: object) -> None:
    kept = ran.final.documents[0]
    values: dict[str, object] = {
        "document_id": kept.document_id, "filename": kept.filename, "tags": kept.tags, "checksum": kept.checksum,
    }  # fmt: skip
    ran.final.documents[0] = KeptDocument(**(values | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("what", LOST)
def test_is_lost_when(what: str) -> None:
    verdict = verdict_of(LOST[what])
    assert verdict.lost == 1
    assert not verdict.good
    assert verdict.findings


@pytest.mark.parametrize("what", REPEATED)
def test_is_repeated_when(what: str) -> None:
    verdict = verdict_of(REPEATED[what])
    assert verdict.repeated == 1
    assert not verdict.good
    assert verdict.findings


@pytest.mark.parametrize("what", OUT_OF_ORDER)
def test_is_out_of_order_when(what: str) -> None:
    verdict = verdict_of(OUT_OF_ORDER[what])
    assert verdict.out_of_order >= 1
    assert (verdict.lost, verdict.repeated) == (0, 0)
    assert not verdict.good


@pytest.mark.parametrize("what", BROKEN)
def test_a_promise_is_broken_when(what: str) -> None:
    verdict = verdict_of(BROKEN[what])
    assert (verdict.lost, verdict.repeated, verdict.out_of_order) == (0, 0, 0)
    assert verdict.broken
    assert not verdict.good


@pytest.mark.parametrize("kept", [True, False])
def test_an_event_without_an_answer_may_be_there_or_not(kept: bool) -> None:
    def change(ran: Ran) -> None:
        replace_sent(ran, 2, "unknown")
        if not kept:
            _forget_event(ran, 12)

    assert verdict_of(change) == Verdict()


def test_what_was_given_up_on_may_be_done_late() -> None:
    def change(ran: Ran) -> None:
        replace_sent(ran, 0, "unknown")
        ran.final.events[HTTP] = [KeptEvent(10, 1), KeptEvent(11, 2), KeptEvent(12, 0)]
        ran.history.sent[1:] = [
            ran.history.sent[1]._replace(event_id=10), ran.history.sent[2]._replace(event_id=11),
        ]  # fmt: skip
        for browser in ran.history.browsers:
            browser.chapters[0].messages[:3] = [seen(10, 1), seen(11, 2), seen(12, 0)]
        _replace_document(ran, tags=TAGS)
        ran.history.documents[0].tags[0] = ("unknown", TAGS)
        ran.final.tags = {"red": 1}

    assert verdict_of(change) == Verdict()


def test_the_end_of_what_a_killed_bridge_had_to_say_may_be_missing() -> None:
    def change(ran: Ran) -> None:
        _leave(ran, "killed")
        ran.history.agents[BRIDGE].obeyed = False
        _forget_event(ran, 14)

    assert verdict_of(change) == Verdict()


def test_a_loss_within_an_excused_span_counts_and_is_no_failure() -> None:
    def change(ran: Ran) -> None:
        ran.history.excused.append((1.5, 2.5))
        ran.history.may_start_over = True
        ran.history.browsers[0].chapters.append(Chapter("e", 15))
        _forget_event(ran, 12)

    verdict = verdict_of(change)
    assert (verdict.lost, verdict.excused) == (1, 1)
    assert verdict.good


def test_a_loss_outside_an_excused_span_is_a_failure() -> None:
    def change(ran: Ran) -> None:
        ran.history.excused.append((0.5, 1.5))
        _forget_event(ran, 12)

    assert not verdict_of(change).good


def test_messages_of_another_epoch_are_not_held_against_the_history() -> None:
    def change(ran: Ran) -> None:
        ran.history.may_start_over = True
        ran.history.browsers[0].chapters.insert(0, Chapter("before", 0, [seen(1, 40), seen(2, 41)]))

    assert verdict_of(change) == Verdict()


def test_operations_and_acknowledgements_are_counted() -> None:
    ran = good()
    replace_sent(ran, 2, "unknown")
    ran.history.documents[0].tags.append(("refused", TAGS))
    assert (ran.history.operations, ran.history.acknowledged) == (7, 5)
