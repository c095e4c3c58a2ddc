"""Taking a backup of one namespace while it runs. What is in one, and what it promises: docs/operations.md."""

import gzip
import logging
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, cast

import orjson

from agent_bus import timestamps
from agent_bus.archive import Archive, ArchivedHistory
from agent_bus.archive_format import LEVEL, Damaged
from agent_bus.backup_file import PART_BYTES, BackupWriter
from agent_bus.backup_format import (
    ABOUT,
    BLUEPRINTS,
    CONTENT,
    DOCUMENT,
    EVENTS,
    MANIFEST,
    SESSION,
    STATISTICS,
    About,
    BlueprintLine,
    DocumentRecord,
    LeftOut,
    Manifest,
    SessionRecord,
    StatisticsLine,
    encoded,
    encoded_lines,
)
from agent_bus.blobs import BlobMissing, Blobs
from agent_bus.blueprints import Blueprint
from agent_bus.bus import Bus, Position
from agent_bus.events import ArchivedObjectGone, Events
from agent_bus.sessions import Cursor, Sessions
from agent_bus.statistics import stored_statistics

logger = logging.getLogger(__name__)

# A script that reads so many sessions keeps Redis busy for about two milliseconds.
SESSIONS_AT_ONCE = 200
DOCUMENTS_AT_ONCE = 500
# A packed history has to be at hand before its size is known; larger ones go to a temporary file.
HISTORY_IN_MEMORY = 4 * 1024 * 1024
# What belongs to a moment and to one Redis, and to no backup.
NOT_KEPT = ("lease_owner", "lease_until", "archive")

Kind = Literal["session", "document"]

Progress = Callable[[str, int, int], None]
"""Told what kind of thing is being done, how many of it are, and how many there were at the beginning."""


class PastLost(Exception):
    """Redis has lost its past while it was backed up: what was taken before and after does not fit together."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A session as it was at one moment: its fields, how many events it had, and the last one's id."""

    fields: dict[str, str]
    events: int
    last_id: int


@dataclass(slots=True)
class _Counts:
    blueprints: int = 0
    statistics: int = 0
    documents: int = 0
    document_bytes: int = 0
    sessions: int = 0
    events: int = 0
    last_id: int = 0
    left_out: list[LeftOut] = field(default_factory=list)


class Backup:
    """A backup of what there is when it begins; use it once. What begins later is not in it."""

    def __init__(self, bus: Bus, archive: Archive, blobs: Blobs, progress: Progress) -> None:
        self._bus = bus
        self._keys = bus.keys
        self._blobs = blobs
        self._events = Events(bus, archive)
        self._sessions = Sessions(bus)
        self._progress = progress
        self._found = _Counts()
        self._began = Position("", 0)

    async def write(self, out: BinaryIO, software: str) -> Manifest:
        """Writes all of it; returns what is there, and what is not since it can't be read any more.

        software: the version of this program.
        Raises RedisError, BlobStoreFailed, PastLost, and OSError where `out` can't be written.
        """
        self._began = await self._bus.position()
        with BackupWriter(out, time.time()) as writer:
            about = About(
                software=software, id=secrets.token_hex(16), namespace=self._keys.namespace, begun_at=timestamps.now()
            )
            writer.add(ABOUT, encoded(about))
            await self._write_blueprints(writer)
            await self._write_statistics(writer)
            await self._write_documents(writer)
            await self._write_sessions(writer)
            ended = await self._bus.position()
            if ended.epoch != self._began.epoch or ended.seq < self._began.seq:
                raise PastLost("redis has lost messages while it was backed up: begin again")
            found = self._found
            manifest = Manifest(
                ended_at=timestamps.now(), last_id=max(ended.seq, found.last_id), left_out=found.left_out,
                blueprints=found.blueprints, statistics=found.statistics, documents=found.documents,
                document_bytes=found.document_bytes, sessions=found.sessions, events=found.events,
            )  # fmt: skip
            writer.add(MANIFEST, encoded(manifest))
            writer.finish()
        return manifest

    async def _write_blueprints(self, writer: BackupWriter) -> None:
        stored: dict[bytes, bytes] | None = None
        then: dict[bytes, bytes] = {}
        while stored != then:
            async with self._bus.redis.pipeline(transaction=False) as pipe:
                pipe.hgetall(self._keys.blueprints)
                pipe.smembers(self._keys.deleted_blueprints)
                pipe.hgetall(self._keys.blueprints)
                stored, deleted, then = await pipe.execute()
        there = [
            BlueprintLine(name=name.decode(), blueprint=Blueprint.model_validate_json(text))
            for name, text in sorted(then.items())
        ]
        lines = there + [BlueprintLine(name=name.decode()) for name in sorted(deleted)]
        self._found.blueprints = len(lines)
        writer.add(BLUEPRINTS, encoded_lines(lines))

    async def _write_statistics(self, writer: BackupWriter) -> None:
        counted = await stored_statistics(self._bus)
        self._found.statistics = len(counted)
        writer.add(
            STATISTICS, encoded_lines(StatisticsLine(start=start, counts=counts) for start, counts in counted.items())
        )

    async def _write_documents(self, writer: BackupWriter) -> None:
        done, total = 0, int(await self._bus.redis.zcard(self._keys.documents))
        async for document_id in self._documents():
            self._progress("documents", done, total)
            done += 1
            await self._write_document(writer, document_id)
        self._progress("documents", done, max(done, total))

    async def _documents(self) -> AsyncIterator[str]:
        # By the number of the message that told of them, of which each has its own.
        after = 0.0
        while True:
            found: Any = await self._bus.redis.zrangebyscore(
                self._keys.documents, f"({after:.0f}", self._began.seq, start=0, num=DOCUMENTS_AT_ONCE, withscores=True
            )
            for document_id, _ in found:
                yield document_id.decode()
            if len(found) < DOCUMENTS_AT_ONCE:
                return
            after = found[-1][1]

    async def _write_document(self, writer: BackupWriter, document_id: str) -> None:
        fields: Any = await self._bus.redis.hgetall(self._keys.document(document_id))
        if b"version" not in fields:
            return
        record = DocumentRecord(document={name.decode(): value.decode() for name, value in fields.items()})
        if not self._is_sound("document", document_id, record):
            return
        size = int(record.document["size_bytes"])
        try:
            content = await self._blobs.get(document_id)
        except BlobMissing:
            # The bytes go after what describes them.
            if await self._bus.redis.exists(self._keys.document(document_id)):
                self._leave_out("document", document_id, "its bytes are not in the blob store")
            return
        if content.size_bytes != size:
            self._leave_out("document", document_id, f"it has {content.size_bytes} bytes instead of {size}")
            return
        writer.add(DOCUMENT.format(document_id), encoded(record))
        writer.begin(CONTENT.format(document_id), size)
        async for chunk in content.chunks:
            writer.write(chunk)
        if writer.end() != record.document["checksum"]:
            # Nobody has better ones.
            logger.warning("the bytes of document %s are not those that were uploaded; taken as they are", document_id)
        found = self._found
        found.documents += 1
        found.document_bytes += size
        found.last_id = max(found.last_id, int(record.document["score"]))

    async def _write_sessions(self, writer: BackupWriter) -> None:
        done = total = 0
        after: Cursor | None = None
        while True:
            # Newest first, by what never changes of a session: none is passed over, and none comes twice.
            page = await self._sessions.page(limit=SESSIONS_AT_ONCE, after=after)
            total = total or page.total
            for session in page.sessions:
                self._progress("sessions", done, total)
                done += 1
                await self._write_session(writer, orjson.loads(session)["session_id"])
            if page.next is None:
                break
            after = page.next
        self._progress("sessions", done, max(done, total))

    async def _write_session(self, writer: BackupWriter, session_id: str) -> None:
        moment = await self._moment(session_id)
        if moment is None:
            return
        record = SessionRecord(session=moment.fields, events=moment.events, last_id=moment.last_id)
        if not self._is_sound("session", session_id, record):
            return
        with tempfile.SpooledTemporaryFile(HISTORY_IN_MEMORY) as spool:
            packed = cast(BinaryIO, spool)
            try:
                whole = await self._pack(session_id, moment, packed)
            except (ArchivedObjectGone, Damaged) as error:
                if await self._is_same(session_id, moment):
                    self._leave_out("session", session_id, str(error))
                return
            if not whole:
                return
            found = self._found
            found.sessions += 1
            found.events += moment.events
            found.last_id = max(found.last_id, moment.last_id, int(moment.fields["run"]))
            number = found.sessions
            writer.add(SESSION.format(number), encoded(record))
            writer.begin(EVENTS.format(number), packed.tell())
            packed.seek(0)
            while part := packed.read(PART_BYTES):
                writer.write(part)
            writer.end()

    async def _moment(self, session_id: str) -> Moment | None:
        """The session now; None if there is none any more."""
        session, history = self._keys.session(session_id), self._keys.history(session_id)
        while True:
            # No transaction, which a Redis without memory refuses; what changed between the commands shows in the hash.
            async with self._bus.redis.pipeline(transaction=False) as pipe:
                pipe.hgetall(session)
                pipe.xlen(history)
                pipe.xrevrange(history, count=1)
                pipe.hgetall(session)
                stored, events, newest, stored_then = await pipe.execute()
            if stored == stored_then:
                break
        if not stored:
            return None
        fields = {name.decode(): value.decode() for name, value in stored.items()}
        archived = ArchivedHistory.parse(fields["archive"]) if "archive" in fields else None
        last_id = archived.last_id if archived else 0
        if newest:
            last_id = int(newest[0][0].split(b"-")[0])
        kept = {name: value for name, value in fields.items() if name not in NOT_KEPT}
        return Moment(kept, events + (archived.events if archived else 0), last_id)

    async def _pack(self, session_id: str, moment: Moment, packed: BinaryIO) -> bool:
        """Writes the session's events up to the moment; False if it was deleted meanwhile, or has begun meanwhile.

        Raises Damaged where there are not as many as there were.
        """
        count = 0
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=LEVEL, mtime=0) as lines:
            async for event_id, event in self._events.until(session_id, moment.last_id):
                if count == 0 and event_id > self._began.seq:
                    # Also one that was deleted and has begun anew: it was here before, or will not be.
                    return False
                # JSON has line ends only between its parts, where a blank says the same.
                lines.write(event.replace(b"\n", b" ") + b"\n")
                count += 1
        if count == moment.events:
            return True
        if await self._is_same(session_id, moment):
            raise Damaged(f"{count} of its {moment.events} events can be read")
        return False

    async def _is_same(self, session_id: str, moment: Moment) -> bool:
        """Whether the session is still the one that it was; not, if it was deleted, and perhaps begun anew."""
        now = await self._moment(session_id)
        return now is not None and now.events >= moment.events and now.fields["score"] == moment.fields["score"]

    def _is_sound(self, kind: Kind, name: str, record: DocumentRecord | SessionRecord) -> bool:
        """Whether it could be restored; what can't, for somebody has been at it by hand, is left out and told."""
        try:
            record.check()
        except ValueError as error:
            self._leave_out(kind, name, str(error))
            return False
        return True

    def _leave_out(self, kind: Kind, name: str, why: str) -> None:
        self._found.left_out.append(LeftOut(kind=kind, id=name, why=why))
