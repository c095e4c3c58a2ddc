"""The blob store: documents' bytes, in a folder or at an S3-compatible service, streamed both ways."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from agent_bus.blob_parts import BlobPart, unfinished
from agent_bus.documents import DOCUMENT_ID
from agent_bus.settings import Settings

if TYPE_CHECKING:
    from obstore.store import ObjectStore

logger = logging.getLogger(__name__)

# S3 takes parts of at least 5 MiB; four under way at once keep one upload below about 25 MiB of memory.
PART_BYTES = 5 * 1024 * 1024
PARTS_AT_ONCE = 4
# Large enough to be worth a trip to a thread, small enough for a slow reader to cost little.
READ_BYTES = 256 * 1024
# A service that has not sent a byte for this long is not going to; whole transfers may take as long as they need.
READ_TIMEOUT = timedelta(seconds=30)
CONNECT_TIMEOUT = timedelta(seconds=5)
TRANSFER_TIMEOUT = timedelta(hours=6)
RETRIES = 3
RETRY_TIMEOUT = timedelta(seconds=20)


class BlobStoreFailed(Exception):
    """The blob store could not be used; the cause says why."""


class BlobMissing(Exception):
    """There are no bytes under that id."""


@dataclass(frozen=True, slots=True)
class Blob:
    """What the store says of a blob. `stored_at` is when its upload ended, with S3 when it began."""

    document_id: str
    size_bytes: int
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class BlobContent:
    """A blob's size in bytes, and those of its bytes that were asked for; reading these raises BlobStoreFailed."""

    size_bytes: int
    chunks: AsyncIterator[bytes]


def open_store(url: str, folder: str) -> "ObjectStore":
    """The store that a URL names, or the folder if it names none.

    S3's credentials, region and endpoint come from the usual `AWS_*` variables. Raises BlobStoreFailed.
    """
    try:
        if not url:
            return LocalStore(folder, mkdir=True, automatic_cleanup=True)
        if url.startswith("file:"):
            return LocalStore.from_url(url, mkdir=True, automatic_cleanup=True)
        return from_url(
            url,
            client_options={
                "connect_timeout": CONNECT_TIMEOUT,
                "read_timeout": READ_TIMEOUT,
                "timeout": TRANSFER_TIMEOUT,
                # Options given here replace those from the environment.
                "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true", "yes", "on"),
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": RETRY_TIMEOUT},
        )
    except (BaseError, OSError, ValueError) as error:
        raise BlobStoreFailed(f"the blob store {url or folder!r} can't be opened: {error}") from error


class Blobs:
    """The blobs under one path of a store, a namespace. A blob's path is made from its id, never from what was sent."""

    def __init__(self, store: "ObjectStore", namespace: str) -> None:
        self._store = store
        self._namespace = namespace

    @classmethod
    def from_settings(cls, settings: Settings) -> "Blobs":
        """The blobs where the settings say. Raises BlobStoreFailed."""
        return cls(open_store(settings.blob_store_url, str(settings.data / "blobs")), settings.namespace)

    def _path(self, document_id: str) -> str:
        if not DOCUMENT_ID.fullmatch(document_id):
            raise ValueError(f"{document_id!r} is not a document's id")
        return f"{self._namespace}/{document_id[:2]}/{document_id}"

    async def put(self, document_id: str, chunks: AsyncIterator[bytes]) -> None:
        """Stores the bytes; nothing is seen of them before the last one is there, or if `chunks` raises.

        Raises BlobStoreFailed, and what `chunks` raises.
        """
        try:
            await obstore.put_async(
                self._store, self._path(document_id), chunks, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
            )
        except (BaseError, OSError) as error:
            raise BlobStoreFailed(f"storing {document_id} failed") from error

    async def get(self, document_id: str, start: int = 0, stop: int | None = None) -> BlobContent:
        """The bytes from `start` up to, and without, `stop`. Raises BlobMissing or BlobStoreFailed."""
        path = self._path(document_id)
        try:
            if stop is None:
                found = await obstore.get_async(self._store, path)
            else:
                found = await obstore.get_async(self._store, path, options={"range": (start, stop)})
        except FileNotFoundError as error:
            raise BlobMissing(document_id) from error
        except (BaseError, OSError) as error:
            raise BlobStoreFailed(f"reading {document_id} failed") from error

        async def chunks() -> AsyncIterator[bytes]:
            try:
                async for chunk in found.stream(min_chunk_size=READ_BYTES):
                    yield bytes(chunk)
            except (BaseError, OSError) as error:
                raise BlobStoreFailed(f"reading {document_id} failed") from error

        return BlobContent(found.meta["size"], chunks())

    async def read_range(self, document_id: str, start: int, stop: int) -> bytes:
        """The bytes from `start` up to, and without, `stop`, in one piece. Raises BlobMissing or BlobStoreFailed."""
        try:
            return bytes(await obstore.get_range_async(self._store, self._path(document_id), start=start, end=stop))
        except FileNotFoundError as error:
            raise BlobMissing(document_id) from error
        except (BaseError, OSError) as error:
            raise BlobStoreFailed(f"reading {document_id} failed") from error

    async def check_writable(self) -> None:
        """Writes a byte beside the blobs, where nobody takes it for one. Raises BlobStoreFailed."""
        try:
            await obstore.put_async(self._store, f"{self._namespace}/writable", b".")
        except (BaseError, OSError) as error:
            raise BlobStoreFailed("the blob store can't be written") from error

    async def delete(self, document_id: str) -> None:
        """Removes the bytes, if there are any. Raises BlobStoreFailed."""
        try:
            await obstore.delete_async(self._store, self._path(document_id))
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise BlobStoreFailed(f"removing {document_id} failed") from error

    async def listed(self) -> AsyncIterator[Sequence[Blob]]:
        """All blobs of the namespace, some at a time; what lies beside them is passed over. Raises BlobStoreFailed."""
        try:
            async for metas in obstore.list(self._store, prefix=self._namespace, chunk_size=500):
                blobs = [
                    Blob(meta["path"].rpartition("/")[2], meta["size"], meta["last_modified"])
                    for meta in metas
                    if self._is_ours(meta["path"])
                ]
                if blobs:
                    yield blobs
        except (BaseError, OSError) as error:
            raise BlobStoreFailed("listing the blobs failed") from error

    async def unfinished(self) -> Sequence[BlobPart]:
        """What there is of uploads to a folder that have not ended; none at a service. Raises BlobStoreFailed."""
        if not isinstance(self._store, LocalStore) or self._store.prefix is None:
            return []
        folder = Path(self._store.prefix) / self._namespace
        try:
            return await asyncio.to_thread(lambda: list(unfinished(folder)))
        except OSError as error:
            raise BlobStoreFailed("looking for uploads that broke off failed") from error

    async def remove_part(self, part: BlobPart) -> None:
        """Removes an upload's part, if it is still there. Raises BlobStoreFailed."""
        try:
            await asyncio.to_thread(part.path.unlink, missing_ok=True)
        except OSError as error:
            raise BlobStoreFailed(f"removing {part.path.name} failed") from error

    def _is_ours(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        return DOCUMENT_ID.fullmatch(name) is not None and path == self._path(name)
