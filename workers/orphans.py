"""Bytes that belong to no document: an upload or a deletion broke off between the blob store and Redis."""

from datetime import UTC, datetime, timedelta

from agent_bus.blobs import Blobs
from agent_bus.bus import Bus
from agent_bus.documents import Documents

# Uploads and deletions that go on settle within seconds; an hour leaves room for clocks that disagree.
ORPHAN_AGE = timedelta(hours=1)
# A few uploads break off; when most bytes seem to be nobody's, it is Redis that has lost its documents.
SUSPICIOUS_NUMBER = 20
SUSPICIOUS_SHARE = 0.5


class TooManyOrphans(Exception):
    """Most of the blob store seems to belong to nobody, so nothing was removed; the message has the numbers."""


async def remove_orphans(bus: Bus, blobs: Blobs, age: timedelta = ORPHAN_AGE) -> int:
    """Removes the blobs, whole or not, that are older than `age` and belong to no document or upload. Returns how many.

    Raises TooManyOrphans, RedisError or BlobStoreFailed.
    """
    documents = Documents(bus, "")
    before = datetime.now(UTC) - age
    parts = await _remove_parts(documents, blobs, before)
    seen, orphans = 0, []
    async for some in blobs.listed():
        seen += len(some)
        ids = [blob.document_id for blob in some if blob.stored_at <= before]
        orphans += [i for i, known in zip(ids, await documents.known(ids), strict=True) if not known]
    if len(orphans) > max(SUSPICIOUS_NUMBER, SUSPICIOUS_SHARE * seen):
        raise TooManyOrphans(
            f"{len(orphans)} of {seen} blobs belong to no document: has Redis lost its data, or is it the wrong one? "
            "Nothing was removed"
        )
    for document_id in orphans:
        # An id whose mark or document was gone once never gets either again, so there is nothing to check anew.
        await blobs.delete(document_id)
    return parts + len(orphans)


async def _remove_parts(documents: Documents, blobs: Blobs, before: datetime) -> int:
    """Removes what killed servers have left of uploads; nobody can go on with that, whatever Redis has lost."""
    old = [part for part in await blobs.unfinished() if part.written_at <= before]
    known = await documents.known([part.document_id for part in old])
    left = [part for part, uploading in zip(old, known, strict=True) if not uploading]
    for part in left:
        await blobs.remove_part(part)
    return len(left)
