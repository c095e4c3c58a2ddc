"""Documents: what describes them, kept in Redis and changed by atomic scripts. Their bytes lie in a blob store."""

import fnmatch
import re
import unicodedata
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from agent_bus.bus import Bus
from agent_bus.jobs import TAGS, queue_key
from agent_bus.tags import PENDING_MS

DOCUMENT_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)

# How long an upload may go on without a sign of life before its bytes count as left behind.
UPLOAD_LEASE_MS = 600_000
MAX_PAGE = 1000
# What matches a filter by several tags is remembered until some document's tags change, for so many filters and up to
# so many ids each (about 1 MB): an exact total walks the smallest tag, and people page, and look again.
KNOWN_FILTERS = 32
LARGEST_KNOWN = 20_000
# Names matched in one go: about a millisecond of the loop.
NAMES_AT_ONCE = 1000


class UploadLapsed(Exception):
    """The upload's mark was gone before it ended: Redis lost it, or nothing came for too long."""


class VersionConflict(Exception):
    """The document is not in a version that the caller would change."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the document is at version {version}")
        self.version = version


class Document(BaseModel):
    """What describes a document. `checksum` is the SHA-256 of its bytes in hex; a description is in the metadata."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    filename: str
    content_type: str
    size_bytes: Annotated[int, Field(ge=0)]
    checksum: str
    created_at: str
    updated_at: str
    tags: list[str]
    metadata: dict[str, str]
    url: str


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document and its version, which grows with every change. `wants_job`: the tag aggregate has fallen behind."""

    document: Document
    version: int
    wants_job: bool = False


@dataclass(frozen=True, slots=True)
class NewDocument:
    """What an upload brought. `size_bytes` and `checksum` (SHA-256, hex) are of what was stored."""

    filename: str
    content_type: str
    size_bytes: int
    checksum: str
    tags: Sequence[str]
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Some documents, newest first, of `total` that match."""

    total: int
    documents: Sequence[Document]


@dataclass(frozen=True, slots=True)
class Matching:
    """The ids of all documents that match a filter by several tags, newest first, at a version of the tags."""

    version: bytes
    ids: Sequence[bytes]


def new_document_id() -> str:
    """An id that nobody has."""
    return uuid.uuid4().hex


def name_matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a file name has a text in it or, where the text has `*`, `?` or `[`, matches it as a pattern.

    Neither case nor the way a letter with an accent is composed makes a difference.
    """
    wanted = _folded(pattern)
    if any(character in wanted for character in "*?["):
        matches = re.compile(fnmatch.translate(wanted)).match
        # Names may have these characters too, so the text itself counts as well.
        return lambda name: matches(_folded(name)) is not None or wanted in _folded(name)
    return lambda name: wanted in _folded(name)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _expected(versions: Sequence[int] | None) -> str:
    if versions is None:
        return ""
    return f",{','.join(map(str, versions))},"


class Documents:
    """The documents of one bus. `public_url` is what their URLs begin with, without a slash at its end."""

    def __init__(self, bus: Bus, public_url: str) -> None:
        self._bus = bus
        self._keys = bus.keys
        self._url_base = f"{public_url}/documents/"
        self._known: dict[tuple[str, ...], Matching] = {}

    async def begin_upload(self, document_id: str) -> None:
        """Marks an id as being uploaded for `UPLOAD_LEASE_MS`."""
        await self._bus.run("claim_upload", (self._keys.document(document_id),), ("begin", UPLOAD_LEASE_MS))

    async def renew_upload(self, document_id: str) -> None:
        """Prolongs the mark. Raises UploadLapsed if it is gone."""
        key = self._keys.document(document_id)
        if not await self._bus.run("claim_upload", (key,), ("renew", UPLOAD_LEASE_MS)):
            raise UploadLapsed(document_id)

    async def abandon_upload(self, document_id: str) -> bool:
        """Takes the mark back. Returns whether the bytes belong to nobody now."""
        return bool(await self._bus.run("release_upload", (self._keys.document(document_id),)))

    async def create(self, document_id: str, new: NewDocument) -> StoredDocument:
        """Makes the document of an upload that has been begun. Raises UploadLapsed."""
        others = {name: value for name, value in new.metadata.items() if name != "description"}
        description = new.metadata.get("description")
        answer = await self._change(
            "create_document",
            document_id,
            new.filename,
            new.content_type,
            new.size_bytes,
            new.checksum,
            ",".join(new.tags),
            orjson.dumps(others),
            "" if description is None else f"={description}",
        )
        if answer[0] == b"lapsed":
            raise UploadLapsed(document_id)
        return _stored(answer)

    async def patch(
        self,
        document_id: str,
        *,
        tags: Sequence[str] | None = None,
        description: str | None = None,
        clear_description: bool = False,
        versions: Sequence[int] | None = None,
    ) -> StoredDocument | None:
        """Changes what is given; None if there is no such document.

        versions: those that the caller would change; None for any.
        Raises VersionConflict.
        """
        if not DOCUMENT_ID.fullmatch(document_id):
            return None
        clear_or_keep = "clear" if clear_description else ""
        answer = await self._change(
            "patch_document",
            document_id,
            _expected(versions),
            "" if tags is None else f"={','.join(tags)}",
            clear_or_keep if description is None else f"={description}",
        )
        return None if _missing(answer) else _stored(answer)

    async def delete(self, document_id: str, *, versions: Sequence[int] | None = None) -> bool | None:
        """Forgets a document; its bytes are the caller's to remove. Returns whether the tag aggregate wants a job.

        None if there is no such document. Raises VersionConflict.
        """
        if not DOCUMENT_ID.fullmatch(document_id):
            return None
        answer = await self._change("delete_document", document_id, _expected(versions))
        return None if _missing(answer) else bool(answer[3])

    async def _change(self, name: str, document_id: str, *args: str | bytes | int) -> list[Any]:
        keys = self._keys
        answer = await self._bus.change(
            name,
            (
                keys.document(document_id), keys.documents, keys.filenames, keys.tags, keys.tags_version,
                keys.tags_pending, queue_key(keys, TAGS),
            ),
            (document_id, self._url_base, keys.tag_prefix, PENDING_MS, *args),
        )  # fmt: skip
        return list(answer)

    async def get(self, document_id: str) -> StoredDocument | None:
        """A document, or None."""
        if not DOCUMENT_ID.fullmatch(document_id):
            return None
        return (await self._read([document_id]))[0]

    async def _read(self, ids: Sequence[str]) -> list[StoredDocument | None]:
        flat = await self._bus.run("read_documents", (), (self._url_base, self._keys.document_prefix, *ids))
        return [
            StoredDocument(Document.model_validate_json(json), int(version)) if json else None
            for json, version in zip(flat[::2], flat[1::2], strict=True)
        ]

    async def page(
        self, *, filename: str = "", tags: Sequence[str] = (), limit: int = 100, offset: int = 0
    ) -> DocumentPage:
        """A page of the documents that have all of the tags and whose file name matches, newest first.

        filename: see `name_matcher`. limit: at most `MAX_PAGE`.
        """
        indexes = [self._keys.tag(tag) for tag in dict.fromkeys(tags)] or [self._keys.documents]
        if filename:
            return await self._page_by_name(filename, indexes, limit, offset)
        wanted = tuple(indexes)
        known = self._known.pop(wanted, None)
        total, version, told, *documents = await self._bus.run(
            "list_documents",
            (self._keys.tags_version, *wanted),
            (
                *(self._url_base, self._keys.document_prefix, offset, limit),
                *(known.version if known else "", LARGEST_KNOWN),
                *(known.ids[offset : offset + limit] if known else ()),
            ),
        )
        if total >= 0:
            known = Matching(version, told.split(b",")[::-1]) if told else None
        if known is not None:
            self._remember(wanted, known)
        count = total if total >= 0 or known is None else len(known.ids)
        return DocumentPage(count, [Document.model_validate_json(json) for json in documents])

    def _remember(self, wanted: tuple[str, ...], known: "Matching") -> None:
        self._known[wanted] = known
        if len(self._known) > KNOWN_FILTERS:
            # The one that was asked for longest ago.
            del self._known[next(iter(self._known))]

    async def _page_by_name(self, filename: str, indexes: list[str], limit: int, offset: int) -> DocumentPage:
        redis, matches = self._bus.redis, name_matcher(filename)
        if len(indexes) == 1:
            ids: Any = await redis.zrevrange(indexes[0], 0, -1)
        else:
            ids = (await redis.zinter(indexes))[::-1]
        found: list[str] = []
        for start in range(0, len(ids), NAMES_AT_ONCE):
            some = ids[start : start + NAMES_AT_ONCE]
            names: Any = await redis.hmget(self._keys.filenames, some)
            found += [i.decode() for i, name in zip(some, names, strict=True) if name and matches(name.decode())]
        page = await self._read(found[offset : offset + limit])
        return DocumentPage(len(found), [stored.document for stored in page if stored])

    async def known(self, ids: Sequence[str]) -> list[bool]:
        """Which of the ids belong to a document, or to an upload that is going on."""
        async with self._bus.redis.pipeline(transaction=False) as pipe:
            for document_id in ids:
                pipe.exists(self._keys.document(document_id))
            return [bool(found) for found in await pipe.execute()]


def _missing(answer: list[Any]) -> bool:
    if answer[0] == b"conflict":
        raise VersionConflict(int(answer[1]))
    return bool(answer[0] == b"missing")


def _stored(answer: list[Any]) -> StoredDocument:
    _, json, version, wants_job = answer
    return StoredDocument(Document.model_validate_json(json), int(version), bool(wants_job))
