"""What the clients of a run saw: each thing they asked for with what was answered, and all that each browser was sent.

Moments are `time.monotonic()`, which on Linux is one clock for all processes of the machine.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Outcome = Literal["acknowledged", "unknown", "refused"]
"""`acknowledged`: answered with success, so it is promised. `unknown`: a 503, or the connection broke; it may have been
done or not. `refused`: it was certainly not done, since nobody took it."""


class Sent(NamedTuple):
    """An event that was reported over HTTP: the n-th of its session, whose agent reports one after the other."""

    session_id: str
    n: int
    outcome: Outcome
    event_id: int | None
    at: float


class Seen(NamedTuple):
    """A message that a browser was sent.

    n: where it is an event of the workload's, its number in its session. confirms: it says that the session's stop is
    confirmed. digest: of its bytes.
    """

    seq: int
    session_id: str | None
    n: int | None
    confirms: bool
    digest: int
    at: float


@dataclass(slots=True)
class Chapter:
    """What a browser was sent from an `init` on, over all connections on which it went on with `since`.

    began: the number in `init`.
    """

    epoch: str
    began: int
    messages: list[Seen] = field(default_factory=list)


@dataclass(slots=True)
class BrowserHistory:
    """One browser's record. closes: how often its connection ended with each code."""

    name: str
    chapters: list[Chapter] = field(default_factory=list)
    closes: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class AgentHistory:
    """One agent: a session's only one.

    ceased_at: when its work had ended; None while it goes on. left: how it ended. emitted: how many events its bridge
    has taken from it, where that is known; they are numbered from 1.
    """

    session_id: str
    kind: Literal["http", "bridge"]
    ceased_at: float | None = None
    left: Literal["in order", "killed", "unheard"] | None = None
    """`unheard`: its bridge gave up on telling Redis the end, and said so."""
    emitted: int | None = None
    obeyed: bool = False
    """It ended because it was told to stop."""


@dataclass(frozen=True, slots=True)
class StopHistory:
    """A stop that was asked for. confirmed: the answer said that the agent has ceased."""

    session_id: str
    outcome: Outcome
    confirmed: bool
    at: float


@dataclass(slots=True)
class DocumentHistory:
    """A file under a name that no other has. tags: what was asked for one after the other, the upload's own first."""

    filename: str
    checksum: str
    uploaded: Outcome
    document_id: str | None
    at: float
    tags: list[tuple[Outcome, frozenset[str]]] = field(default_factory=list)


@dataclass(slots=True)
class History:
    """All of one run.

    complaints: what a client saw that no fault explains. excused: spans of time in which what was acknowledged may be
    lost all the same, because the fault takes it and the documentation says so.
    """

    sent: list[Sent] = field(default_factory=list)
    browsers: list[BrowserHistory] = field(default_factory=list)
    agents: dict[str, AgentHistory] = field(default_factory=dict)
    stops: list[StopHistory] = field(default_factory=list)
    documents: list[DocumentHistory] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    excused: list[tuple[float, float]] = field(default_factory=list)
    may_start_over: bool = False
    """Browsers may be told to begin anew: the fault takes away what they have seen."""

    @property
    def operations(self) -> int:
        """How many things were asked for."""
        return len(self.outcomes())

    @property
    def acknowledged(self) -> int:
        """How many of them were answered with success."""
        return self.outcomes().count("acknowledged")

    def excuses(self, at: float) -> bool:
        """Whether what was acknowledged at that moment may be lost."""
        return any(begin <= at <= end for begin, end in self.excused)

    def accepted_stops(self) -> set[str]:
        """The sessions whose stop was acknowledged, and may not be lost."""
        return {stop.session_id for stop in self.stops if stop.outcome == "acknowledged" and not self.excuses(stop.at)}

    def outcomes(self) -> list[Outcome]:
        """What came of everything that was asked for."""
        edits = [outcome for document in self.documents for outcome, _ in document.tags[1:]]
        return [
            *(sent.outcome for sent in self.sent),
            *(stop.outcome for stop in self.stops),
            *(document.uploaded for document in self.documents),
            *edits,
        ]


class KeptEvent(NamedTuple):
    """An event in the history at the end; n is None for one that the workload did not number."""

    event_id: int
    n: int | None


@dataclass(frozen=True, slots=True)
class KeptSession:
    """A session at the end."""

    status: str
    stop_confirmed: bool | None


@dataclass(frozen=True, slots=True)
class KeptDocument:
    """A document at the end; checksum is of the bytes as they were downloaded, None where they could not be."""

    document_id: str
    filename: str
    tags: frozenset[str]
    checksum: str | None


@dataclass(slots=True)
class Final:
    """What the system says when all faults are over and nothing is asked of it any more."""

    epoch: str = ""
    events: dict[str, list[KeptEvent]] = field(default_factory=dict)
    sessions: dict[str, KeptSession] = field(default_factory=dict)
    documents: list[KeptDocument] = field(default_factory=list)
    tags: dict[str, int] = field(default_factory=dict)
