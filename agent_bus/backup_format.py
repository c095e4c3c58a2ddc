"""What stands in a backup: its members in their order, and what each holds.

    backup.json                 what this file is, and when it was begun
    blueprints.jsonl            a line an agent: {"name", "blueprint"}, or {"name"} of one that a person deleted
    statistics.jsonl            a line for each five minutes: {"start", "counts"}
    documents/<id>.json         a document: {"document"}, the fields of its hash (see scripts/document.lua)
    documents/<id>.bytes        its bytes
    sessions/<number>.json      a session: {"session", "events", "last_id"}: the fields of its hash (see
                                scripts/session.lua), how many events it has, and the last one's id
    sessions/<number>.jsonl.gz  these, oldest first, a line each
    manifest.json               how many there are of everything, and what could not be read
    SHA256SUMS                  see backup_file.py

The fields of a hash are texts, as they are in Redis. A reader passes over fields that it does not know; what would make
an older reader wrong raises VERSION, and it refuses the file.
"""

import gzip
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal, TypeVar, cast

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent_bus.archive_format import Damaged, event_id
from agent_bus.backup_file import BackupDamaged, Member, read_members
from agent_bus.blueprints import Blueprint
from agent_bus.documents import DOCUMENT_ID
from agent_bus.identifiers import check_session_id

FORMAT = "agent-orchestrator backup"
VERSION = 1

ABOUT, MANIFEST = "backup.json", "manifest.json"
BLUEPRINTS, STATISTICS = "blueprints.jsonl", "statistics.jsonl"
DOCUMENT, CONTENT = "documents/{}.json", "documents/{}.bytes"
SESSION, EVENTS = "sessions/{:07d}.json", "sessions/{:07d}.jsonl.gz"

# The largest of what is written about something, a blueprint, has a few hundred kilobytes.
LARGEST_RECORD = 16 * 1024 * 1024

_NUMBER = re.compile(r"\d{1,16}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00", re.ASCII)
_TEXT = re.compile(".*", re.DOTALL)
# What scripts put into JSON as it is, or calculate with.
_SESSION_FIELDS = {
    "score": _NUMBER, "run": _NUMBER, "created_at": _MOMENT, "modified_at": _MOMENT, "session_name": _TEXT,
    "status": re.compile("running|finished|stopped"),
}  # fmt: skip
_SESSION_FIELDS_IF_ANY = {
    "began_at": _MOMENT, "ended_at": _MOMENT, "stop_at": _MOMENT, "confirmed_at": _MOMENT, "halted": _NUMBER,
    "input_tokens": _NUMBER, "output_tokens": _NUMBER, "cache_read_tokens": _NUMBER, "cache_write_tokens": _NUMBER,
    "cost_nanos": _NUMBER,
}  # fmt: skip
_DOCUMENT_FIELDS = {
    "id": DOCUMENT_ID, "size_bytes": _NUMBER, "checksum": re.compile("[0-9a-f]{64}"), "created_at": _MOMENT,
    "updated_at": _MOMENT, "updated_us": _NUMBER, "score": _NUMBER, "version": _NUMBER, "filename": _TEXT,
    "content_type": _TEXT, "tags": re.compile("([A-Za-z0-9-]+(,[A-Za-z0-9-]+)*)?"),
    "metadata": re.compile(r"\{.*\}", re.DOTALL),
}  # fmt: skip


class BackupTooNew(Exception):
    """The file was written by a later version, in a way that this one can't read."""


class Record(BaseModel):
    """Something written about a part of the backup."""

    model_config = ConfigDict(frozen=True, strict=True)


class About(Record):
    """What the file is. `id` is drawn at random; `namespace` is the one that it was taken of."""

    format: Literal["agent-orchestrator backup"] = "agent-orchestrator backup"
    version: int = VERSION
    software: str
    id: str
    namespace: str
    begun_at: str


class LeftOut(Record):
    """Something that could not be read whole."""

    kind: Literal["session", "document"]
    id: str
    why: str


class Manifest(Record):
    """What there is. `last_id`: no id in the file is higher. `document_bytes`: of all documents together."""

    ended_at: str
    last_id: int
    blueprints: int = 0
    statistics: int = 0
    documents: int = 0
    document_bytes: int = 0
    sessions: int = 0
    events: int = 0
    left_out: list[LeftOut] = Field(default_factory=list)


class BlueprintLine(Record):
    """A blueprint; without one, the name of an agent that a person deleted."""

    name: str
    blueprint: Blueprint | None = None


class StatisticsLine(Record):
    """What was counted from `start` on (s since 1970), as `scripts/statistics.lua` names it."""

    start: int
    counts: dict[str, int]


class DocumentRecord(Record):
    """A document's fields."""

    document: dict[str, str]

    def check(self) -> None:
        """Raises ValueError where the scripts could not work with them."""
        _require(self.document, _DOCUMENT_FIELDS)


class SessionRecord(Record):
    """A session's fields, how many events it has, and the last one's id; 0 where it has none."""

    session: dict[str, str]
    events: int
    last_id: int

    def check(self) -> None:
        """Raises ValueError where the scripts could not work with the fields."""
        _require(self.session, _SESSION_FIELDS)
        _require(self.session, {each: form for each, form in _SESSION_FIELDS_IF_ANY.items() if each in self.session})
        check_session_id(self.session.get("session_id", ""))


@dataclass(frozen=True, slots=True)
class BlueprintsEntry:
    """All blueprints."""

    lines: Iterator[BlueprintLine]


@dataclass(frozen=True, slots=True)
class StatisticsEntry:
    """All that was counted."""

    lines: Iterator[StatisticsLine]


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """A document with its bytes."""

    record: DocumentRecord
    content: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """A session with its events, oldest first."""

    record: SessionRecord
    events: Iterator[bytes]


Entry = BlueprintsEntry | StatisticsEntry | DocumentEntry | SessionEntry
R = TypeVar("R", bound=Record)


def encoded(record: Record) -> bytes:
    """A record as a member that a person can read."""
    return orjson.dumps(record.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def encoded_lines(records: Iterable[Record]) -> bytes:
    """Records a line each."""
    dumped = (record.model_dump(mode="json") for record in records)
    return b"".join(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in dumped)


class BackupReader:
    """Reads a backup from a seekable file, as often as wanted. Everything may raise BackupDamaged."""

    def __init__(self, file: BinaryIO) -> None:
        """Raises BackupTooNew, too."""
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        """Of the file, in bytes."""
        self.about = self._about(next(read_members(file), None))
        self._manifest: Manifest | None = None

    @staticmethod
    def _about(first: Member | None) -> About:
        if first is None or first.name != ABOUT:
            raise BackupDamaged(f"the file is no backup: it does not begin with {ABOUT}")
        said = _parsed(first)
        if not isinstance(said, dict) or said.get("format") != FORMAT or not isinstance(said.get("version"), int):
            raise BackupDamaged(f"the file is no backup of agent-orchestrator: see its {ABOUT}")
        if said["version"] > VERSION:
            raise BackupTooNew(
                f"the file has format {said['version']}, written by agent-orchestrator {said.get('software')}; this "
                f"version reads up to format {VERSION}: restore it with that version or a later one"
            )
        return _record(About, said, ABOUT)

    @property
    def manifest(self) -> Manifest:
        """What there is. Only once all of it has been read."""
        if self._manifest is None:
            raise RuntimeError("the file has not been read yet")
        return self._manifest

    def check(self) -> Iterator[int]:
        """Reads all of it, and compares everything that it says of itself; yields now and then how many bytes."""
        found = {"blueprints": 0, "statistics": 0, "documents": 0, "document_bytes": 0, "sessions": 0, "events": 0}
        last_id = 0
        for entry in self.entries():
            yield self._file.tell()
            match entry:
                case BlueprintsEntry():
                    found["blueprints"] += sum(1 for _ in entry.lines)
                case StatisticsEntry():
                    found["statistics"] += sum(1 for _ in entry.lines)
                case DocumentEntry():
                    found["documents"] += 1
                    found["document_bytes"] += sum(map(len, entry.content))
                    last_id = max(last_id, int(entry.record.document["score"]))
                case SessionEntry():
                    found["sessions"] += 1
                    found["events"] += sum(1 for _ in entry.events)
                    last_id = max(last_id, entry.record.last_id, int(entry.record.session["run"]))
        manifest = self.manifest
        for name, count in found.items():
            if getattr(manifest, name) != count:
                raise BackupDamaged(f"{MANIFEST} says {name}: {getattr(manifest, name)}, and there are {count}")
        if last_id > manifest.last_id:
            raise BackupDamaged(f"{MANIFEST} says that no id is above {manifest.last_id}, and there is {last_id}")

    def entries(self) -> Iterator[Entry]:
        """What is in it, in the order in which it stands. Each is to be used before the next is asked for."""
        members = read_members(self._file)
        manifest = None
        for member in members:
            match member.name.partition("/"):
                case (name, _, _) if manifest is not None:
                    raise BackupDamaged(f"{name} stands after {MANIFEST}")
                case ("backup.json", "", ""):
                    continue
                case ("manifest.json", "", ""):
                    manifest = _record(Manifest, _parsed(member), member.name)
                case ("blueprints.jsonl", "", ""):
                    yield BlueprintsEntry(_lines(BlueprintLine, member))
                case ("statistics.jsonl", "", ""):
                    yield StatisticsEntry(_lines(StatisticsLine, member))
                case ("documents", _, _):
                    document = _record(DocumentRecord, _parsed(member), member.name)
                    yield _document(document, member.name, _following(members, member, ".bytes"))
                case ("sessions", _, _):
                    session = _record(SessionRecord, _parsed(member), member.name)
                    yield _session(session, member.name, _following(members, member, ".jsonl.gz"))
                case _:
                    raise BackupDamaged(f"{member.name!r} has no place in a backup")
        if manifest is None:
            raise BackupDamaged(f"there is no {MANIFEST}")
        self._manifest = manifest


def _following(members: Iterator[Member], member: Member, ending: str) -> Member:
    expected = member.name.removesuffix(".json") + ending
    following = next(members, None)
    if following is None or following.name != expected:
        raise BackupDamaged(f"{member.name} is not followed by {expected}")
    return following


def _document(record: DocumentRecord, name: str, content: Member) -> DocumentEntry:
    _check(record, name)
    if content.size != int(record.document["size_bytes"]):
        raise BackupDamaged(f"{content.name} has {content.size} bytes, and not as many as {name} says")
    return DocumentEntry(record, content.parts())


def _session(record: SessionRecord, name: str, events: Member) -> SessionEntry:
    _check(record, name)
    return SessionEntry(record, _events(record, events))


def _check(record: DocumentRecord | SessionRecord, name: str) -> None:
    try:
        record.check()
    except ValueError as error:
        raise BackupDamaged(f"{name}: {error}") from error


def _events(record: SessionRecord, member: Member) -> Iterator[bytes]:
    count = last = 0
    try:
        with gzip.GzipFile(fileobj=cast(BinaryIO, member), mode="rb") as lines:
            for line in lines:
                event = line.rstrip(b"\n")
                count, before, last = count + 1, last, event_id(event)
                if last <= before:
                    raise BackupDamaged(f"{member.name}: event {last} stands after event {before}")
                yield event
    except (zlib.error, gzip.BadGzipFile, EOFError, Damaged, ValueError) as error:
        raise BackupDamaged(f"{member.name} can't be read after event {last} ({error})") from error
    if (count, last) != (record.events, record.last_id):
        raise BackupDamaged(
            f"{member.name} has {count} events up to {last}, and not {record.events} up to {record.last_id}"
        )


def _require(fields: dict[str, str], forms: dict[str, re.Pattern[str]]) -> None:
    for field, form in forms.items():
        value = fields.get(field)
        if value is None or form.fullmatch(value) is None:
            raise ValueError(f"its {field} can't be {value!r}")


def _lines(kind: type[R], member: Member) -> Iterator[R]:
    rest = b""
    for part in member.parts():
        *lines, rest = (rest + part).split(b"\n")
        yield from (_record(kind, _json(line, member.name), member.name) for line in lines)
        if len(rest) > LARGEST_RECORD:
            break
    if rest:
        raise BackupDamaged(f"{member.name} has a line that does not end")


def _parsed(member: Member) -> object:
    if member.size > LARGEST_RECORD:
        raise BackupDamaged(f"{member.name} is larger than such a thing can be")
    return _json(member.read(), member.name)


def _json(data: bytes, name: str) -> object:
    try:
        return cast(object, orjson.loads(data))
    except orjson.JSONDecodeError as error:
        raise BackupDamaged(f"{name} is no JSON ({error})") from error


def _record(kind: type[R], said: object, name: str) -> R:
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        raise BackupDamaged(f"{name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
