"""From what clients saw and what the system says in the end to a verdict, without I/O."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.faults.history import AgentHistory, BrowserHistory, Chapter, DocumentHistory, Final, History, Sent

# A run that loses everything is not to print everything.
TOLD = 8


@dataclass(slots=True)
class Verdict:
    """What was found.

    lost, repeated, out_of_order: of events in the history, messages to browsers, uploads and changes of tags together.
    excused: how many of the lost ones may be. broken: every other promise that was not kept; a sentence each.
    """

    lost: int = 0
    excused: int = 0
    repeated: int = 0
    out_of_order: int = 0
    broken: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    """What exactly was lost, repeated or out of order; the first of each kind."""

    @property
    def good(self) -> bool:
        """Whether all was as promised."""
        return self.lost == self.excused and not (self.repeated or self.out_of_order or self.broken)

    def explain(self) -> str:
        """Everything that was not as promised, a line each."""
        counts = (
            f"{self.lost} lost ({self.excused} excused), {self.repeated} repeated, {self.out_of_order} out of order"
        )
        return "\n".join([counts, *self.findings, *self.broken])


def check(history: History, final: Final) -> Verdict:
    """Holds the promises against what happened."""
    verdict = Verdict()
    _check_reported(history, final, verdict)
    _check_bridged(history, final, verdict)
    for browser in history.browsers:
        _check_browser(browser, history, final, verdict)
    _check_agreement(history.browsers, verdict)
    _check_stops(history, final, verdict)
    _check_documents(history, final, verdict)
    verdict.broken += _some(history.complaints)
    return verdict


def _some(texts: Sequence[str]) -> list[str]:
    more = [f"… and {len(texts) - TOLD} more like that"] if len(texts) > TOLD else []
    return [*texts[:TOLD], *more]


def _check_reported(history: History, final: Final, verdict: Verdict) -> None:
    """Events over HTTP: acknowledged ones are there once, unknown ones once at most, all in their agent's order."""
    by_session: dict[str, list[Sent]] = defaultdict(list)
    for sent in history.sent:
        by_session[sent.session_id].append(sent)
    lost, repeated, strange = [], [], []
    for session_id, all_sent in by_session.items():
        kept = [event for event in final.events.get(session_id, ()) if event.n is not None]
        places: dict[int, list[int]] = defaultdict(list)
        for event in kept:
            assert event.n is not None
            places[event.n].append(event.event_id)
        acknowledged = {sent.n for sent in all_sent if sent.outcome == "acknowledged"}
        for sent in all_sent:
            found = places.pop(sent.n, [])
            told = f"event {sent.n} of {session_id}, {sent.outcome} as {sent.event_id}"
            if sent.outcome == "acknowledged" and not found:
                verdict.lost += 1
                if history.excuses(sent.at):
                    verdict.excused += 1
                else:
                    lost.append(f"{told}, is not in the history")
            elif sent.outcome == "acknowledged" and sent.event_id not in found:
                strange.append(f"{told}, is in the history as {found}")
            elif sent.outcome == "refused" and found:
                strange.append(f"{told}, is in the history all the same, as {found}")
            if len(found) > 1:
                repeated.append(f"{told}, is in the history {len(found)} times: {found}")
        strange += [f"event {n} of {session_id} was never sent, and is in the history" for n in places]
        # One that was given up on may be done late; the order of those that were waited for is promised.
        order = [event.n for event in kept if event.n in acknowledged]
        verdict.out_of_order += _disorder(order, f"history of {session_id}", verdict)
    verdict.repeated += len(repeated)
    verdict.findings += [*_some(lost), *_some(repeated)]
    verdict.broken += _some(strange)


def _disorder(numbers: Iterable[int | None], where: str, verdict: Verdict) -> int:
    wrong = [(a, b) for a, b in pairwise(n for n in numbers if n is not None) if b < a]
    if wrong:
        verdict.findings.append(f"{where}: {wrong[0][1]} comes after {wrong[0][0]}")
    return len(wrong)


def _check_bridged(history: History, final: Final, verdict: Verdict) -> None:
    """A bridge's events: each once and in order, without a gap; all of them where it left in order."""
    for agent in history.agents.values():
        if agent.kind != "bridge":
            continue
        numbers = [event.n for event in final.events.get(agent.session_id, ()) if event.n is not None]
        counts = Counter(numbers)
        repeated = sum(count - 1 for count in counts.values())
        # One that was killed had events in its memory, but none after one that it did not tell.
        wanted = agent.emitted if agent.left == "in order" and agent.emitted is not None else max(counts, default=0)
        missing = [n for n in range(1, wanted + 1) if n not in counts]
        verdict.lost += len(missing)
        if history.excused:
            # They carry no moment; a fault that excuses any loss excuses those of a bridge.
            verdict.excused += len(missing)
        elif missing:
            verdict.findings.append(
                f"{len(missing)} of {wanted} events of the bridge of {agent.session_id} ({agent.left}) are not in the "
                f"history, {missing[0]} to {missing[-1]}"
            )
        if repeated:
            verdict.repeated += repeated
            verdict.findings.append(f"{repeated} events of the bridge of {agent.session_id} are in the history twice")
        verdict.out_of_order += _disorder(numbers, f"history of the bridge of {agent.session_id}", verdict)


def _check_browser(browser: BrowserHistory, history: History, final: Final, verdict: Verdict) -> None:
    """Every number follows the one before it, and what is in the history came under its number."""
    kept = {event.event_id: (session, event.n) for session, events in final.events.items() for event in events}
    for index, chapter in enumerate(browser.chapters):
        numbers = [seen.seq for seen in chapter.messages]
        where = f"{browser.name}, chapter {index + 1}"
        # The gap before the first message counts, too: it is what `init` is for.
        missing = _missing([chapter.began, *numbers])
        if missing:
            verdict.lost += len(missing)
            verdict.findings.append(f"{where}: {len(missing)} messages did not come, first {missing[0]}")
        twice = [number for number, count in Counter(numbers).items() if count > 1 or number <= chapter.began]
        if twice:
            verdict.repeated += len(twice)
            verdict.findings.append(f"{where}: {len(twice)} messages came again, first {twice[0]}")
        verdict.out_of_order += _disorder(numbers, where, verdict)
        if chapter.epoch == final.epoch:
            verdict.broken += _some([f"{where}: {text}" for text in _contradictions(chapter, kept)])
        if index and not history.may_start_over:
            verdict.broken.append(f"{where}: had to begin anew at {chapter.began}, though nothing was taken away")


def _missing(numbers: Sequence[int]) -> list[int]:
    had = set(numbers)
    return [number for number in range(min(had), max(had) + 1) if number not in had]


def _contradictions(chapter: Chapter, kept: dict[int, tuple[str, int | None]]) -> Iterator[str]:
    for seen in chapter.messages:
        if seen.n is None:
            continue
        if seen.seq not in kept:
            yield f"event {seen.n} of {seen.session_id} came as {seen.seq} and is not in the history"
        elif kept[seen.seq] != (seen.session_id, seen.n):
            yield f"event {seen.n} of {seen.session_id} came as {seen.seq}, where the history has {kept[seen.seq]}"


def _check_agreement(browsers: Sequence[BrowserHistory], verdict: Verdict) -> None:
    """Within an epoch a number means one message, whoever tells it."""
    said: dict[tuple[str, int], int] = {}
    wrong = [
        f"{browser.name} was sent something else as {seen.seq} than another browser"
        for browser in browsers
        for chapter in browser.chapters
        for seen in chapter.messages
        if said.setdefault((chapter.epoch, seen.seq), seen.digest) != seen.digest
    ]
    verdict.broken += _some(wrong)


def _check_stops(history: History, final: Final, verdict: Verdict) -> None:
    """A stop is confirmed after its agent has ceased, and one that was accepted reaches its agent in the end."""
    confirmed: dict[str, float] = {}
    for stop in history.stops:
        if stop.confirmed:
            confirmed[stop.session_id] = min(stop.at, confirmed.get(stop.session_id, stop.at))
    for browser in history.browsers:
        for chapter in browser.chapters:
            for seen in chapter.messages:
                if seen.confirms and seen.session_id is not None:
                    confirmed[seen.session_id] = min(seen.at, confirmed.get(seen.session_id, seen.at))
    accepted = history.accepted_stops()
    wrong = []
    for agent in history.agents.values():
        session, at = final.sessions.get(agent.session_id), confirmed.get(agent.session_id)
        is_confirmed = at is not None or (session is not None and session.stop_confirmed is True)
        if is_confirmed and agent.ceased_at is None:
            wrong.append(f"the stop of {agent.session_id} is confirmed, and its agent goes on")
        elif at is not None and agent.ceased_at is not None and at < agent.ceased_at:
            early = agent.ceased_at - at
            wrong.append(f"the stop of {agent.session_id} was confirmed {early:.3f} s before its agent had ceased")
        if agent.session_id in accepted and agent.ceased_at is None:
            wrong.append(f"the stop of {agent.session_id} was accepted, and its agent goes on")
        if not history.excused:
            wrong += _end_not_told(agent, final)
    verdict.broken += _some(wrong)


def _end_not_told(agent: AgentHistory, final: Final) -> Iterator[str]:
    session = final.sessions.get(agent.session_id)
    if not agent.obeyed or agent.left != "in order":
        return
    if session is None or session.status != "stopped" or session.stop_confirmed is not True:
        yield f"{agent.session_id} obeyed its stop and said so, but is {session} in the end"


def _check_documents(history: History, final: Final, verdict: Verdict) -> None:
    """Acknowledged uploads are there with their bytes and their last tags; the counts are the documents'."""
    by_name: dict[str, list[int]] = defaultdict(list)
    for index, kept in enumerate(final.documents):
        by_name[kept.filename].append(index)
    wrong = []
    for document in history.documents:
        found = [final.documents[index] for index in by_name.get(document.filename, ())]
        if len(found) > 1:
            verdict.repeated += 1
            verdict.findings.append(f"{document.filename} is there {len(found)} times")
        if not found:
            if document.uploaded == "acknowledged":
                verdict.lost += 1
                if history.excuses(document.at):
                    verdict.excused += 1
                else:
                    missing = f"{document.filename} was uploaded as {document.document_id} and is not there"
                    verdict.findings.append(missing)
            continue
        if found[0].checksum != document.checksum:
            verdict.lost += 1
            verdict.findings.append(
                f"{document.filename} ({document.uploaded}) has other bytes than were sent, or none"
            )
        if found[0].tags not in _possible_tags(document) and not history.excused:
            wrong.append(f"{document.filename} has the tags {sorted(found[0].tags)}; asked for were {document.tags}")
    counted = Counter(tag for kept in final.documents for tag in kept.tags)
    if dict(counted) != final.tags:
        different = {tag for tag in counted.keys() | final.tags.keys() if counted.get(tag) != final.tags.get(tag)}
        shown = [f"{tag}: {final.tags.get(tag)} counted, {counted.get(tag)} there" for tag in sorted(different)]
        wrong += [f"tag counts are not the documents': {'; '.join(shown[:TOLD])}"]
    verdict.broken += _some(wrong)


def _possible_tags(document: DocumentHistory) -> list[frozenset[str]]:
    """The last tags that were acknowledged, and any that were given up on: those may have been set late."""
    acknowledged = [tags for outcome, tags in document.tags if outcome == "acknowledged"]
    return [*acknowledged[-1:], *(tags for outcome, tags in document.tags if outcome == "unknown")]
