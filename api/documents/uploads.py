"""From a form to a document: the file goes to the blob store as it arrives; an upload that fails leaves nothing."""

import asyncio
import hashlib
import logging
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from agent_bus.blobs import Blobs, BlobStoreFailed
from agent_bus.documents import (
    UPLOAD_LEASE_MS,
    Documents,
    NewDocument,
    StoredDocument,
    UploadLapsed,
    new_document_id,
)
from agent_bus.tags import InvalidTags, parse_tags, split_tags
from api.documents.multipart import MultipartForm, Part
from api.errors import RETRY_AFTER_SECONDS

logger = logging.getLogger(__name__)

DEFAULT_CONTENT_TYPE = "application/octet-stream"
MAX_FIELD_BYTES = 64 * 1024
MAX_FILENAME_CHARACTERS = 255
MAX_CONTENT_TYPE_CHARACTERS = 255
# Bytes are handed on in pieces of at least this size: each takes a trip through the store's runtime.
PIECE_BYTES = 256 * 1024

_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_CONTENT_TYPE = re.compile(rf"{_WORD}/{_WORD}(?:[ \t]*;[\x20-\x7e\t]*)?", re.ASCII)
_METADATA = TypeAdapter(dict[str, str])


def checked_tags(text: str) -> list[str]:
    """The tags of a comma-separated list. Raises HTTPException 422 naming the one that is not a tag."""
    try:
        return parse_tags(split_tags(text))
    except InvalidTags as error:
        raise HTTPException(422, str(error)) from error


def checked_metadata(text: str) -> dict[str, str]:
    """The metadata in a JSON object of strings. Raises HTTPException 422."""
    if not text:
        return {}
    try:
        return _METADATA.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        reason = f"{where}: {first['msg']}" if where else first["msg"]
        raise HTTPException(422, f"metadata must be a JSON object of strings ({reason})") from error


def checked_filename(sent: str | None) -> str:
    """The last part of a file name as sent; it is only ever data. Raises HTTPException 422."""
    name = re.split(r"[/\\]", sent or "")[-1]
    if not name.strip() or name in (".", ".."):
        raise HTTPException(422, "The file has no name: send one in the part's Content-Disposition")
    if "\0" in name:
        raise HTTPException(422, "The file's name has a NUL character in it")
    if len(name) > MAX_FILENAME_CHARACTERS:
        raise HTTPException(422, f"The file's name is longer than {MAX_FILENAME_CHARACTERS} characters")
    return name


def checked_content_type(sent: str) -> str:
    """The content type as sent, or the default where there is none. Raises HTTPException 422."""
    if not sent:
        return DEFAULT_CONTENT_TYPE
    if len(sent) > MAX_CONTENT_TYPE_CHARACTERS or not _CONTENT_TYPE.fullmatch(sent):
        raise HTTPException(422, "The file's content type is not of the form type/subtype")
    return sent


@dataclass(slots=True)
class _File:
    """What is known of the file: its names at once, size and checksum when its last byte is there."""

    filename: str
    content_type: str
    size_bytes: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)


@dataclass(slots=True)
class _Received:
    """What has come of the form."""

    file: _File | None = None
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, str] | None = None


class Uploads:
    """Takes uploads. `max_bytes` limits the file."""

    def __init__(
        self,
        documents: Documents,
        blobs: Blobs,
        max_bytes: int,
        on_bytes: Callable[[int], None] = lambda _: None,
        *,
        at_once: int,
    ) -> None:
        """on_bytes: told how many bytes of files have come. at_once: how many are taken at once."""
        self._documents = documents
        self._blobs = blobs
        self._max_bytes = max_bytes
        self._on_bytes = on_bytes
        self._at_once = at_once
        self._under_way = 0

    async def receive(self, form: MultipartForm) -> StoredDocument:
        """Stores the form's file and makes its document. Raises HTTPException; nothing is left behind then."""
        if self._under_way >= self._at_once:
            detail = f"{self._under_way} uploads are under way, as many as this server takes at once; try again shortly"
            raise HTTPException(503, detail, {"Retry-After": RETRY_AFTER_SECONDS, "Connection": "close"})
        self._under_way += 1
        try:
            return await self._receive(form)
        finally:
            self._under_way -= 1

    async def _receive(self, form: MultipartForm) -> StoredDocument:
        document_id = new_document_id()
        await self._documents.begin_upload(document_id)
        try:
            received = await self._read(form, document_id)
            if received.file is None:
                raise HTTPException(422, "The form has no part named 'file'")
            return await self._documents.create(document_id, _described(received, received.file))
        except BaseException as error:
            await asyncio.shield(self._discard(document_id))
            if isinstance(error, UploadLapsed):
                raise HTTPException(
                    503, "The upload took too long to be kept; send it again", {"Retry-After": RETRY_AFTER_SECONDS}
                ) from error
            raise

    async def _read(self, form: MultipartForm, document_id: str) -> _Received:
        received = _Received()
        async for part in form.parts():
            if part.name == "file":
                if received.file is not None:
                    raise HTTPException(
                        422, "The form has more than one part named 'file'; send one document at a time"
                    )
                received.file = _File(checked_filename(part.filename), checked_content_type(part.content_type))
                await self._blobs.put(document_id, self._pieces(part, received.file, document_id))
            elif part.name == "tags":
                received.tags = _merged(received.tags, await part.text(MAX_FIELD_BYTES))
            elif part.name == "metadata":
                if received.metadata is not None:
                    raise HTTPException(422, "The form has more than one part named 'metadata'")
                received.metadata = checked_metadata(await part.text(MAX_FIELD_BYTES))
        return received

    async def _pieces(self, part: Part, file: _File, document_id: str) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        renew_at = loop.time() + UPLOAD_LEASE_MS / 4000
        piece = bytearray()
        async for chunk in part.chunks():
            file.size_bytes += len(chunk)
            if file.size_bytes > self._max_bytes:
                raise HTTPException(413, f"The file is larger than the limit of {self._max_bytes} bytes")
            file.digest.update(chunk)
            piece += chunk
            if len(piece) >= PIECE_BYTES:
                self._on_bytes(len(piece))
                yield bytes(piece)
                piece.clear()
            if loop.time() > renew_at:
                await self._documents.renew_upload(document_id)
                renew_at = loop.time() + UPLOAD_LEASE_MS / 4000
        self._on_bytes(len(piece))
        yield bytes(piece)

    async def _discard(self, document_id: str) -> None:
        try:
            if await self._documents.abandon_upload(document_id):
                await self._blobs.delete(document_id)
        except (RedisError, BlobStoreFailed):
            # Not lost sight of: the mark expires, and what has neither mark nor document is removed by a worker.
            logger.warning("what is left of upload %s is cleaned up later", document_id, exc_info=True)


def _merged(tags: list[str], text: str) -> list[str]:
    return checked_tags(",".join([*tags, text]))


def _described(received: _Received, file: _File) -> NewDocument:
    return NewDocument(
        filename=file.filename,
        content_type=file.content_type,
        size_bytes=file.size_bytes,
        checksum=file.digest.hexdigest(),
        tags=received.tags,
        metadata=received.metadata or {},
    )
