"""Bytes that belong to nobody: what wrote or removed them broke off between the blob store and Redis."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from agent_bus.blobs import Blobs

# Uploads and deletions that go on settle within seconds; an hour leaves room for clocks that disagree.
ORPHAN_AGE = timedelta(hours=1)
# A few uploads break off; when most bytes seem to be nobody's, it is Redis that has lost its documents.
SUSPICIOUS_NUMBER = 20
SUSPICIOUS_SHARE = 0.5


class TooManyOrphans(Exception):
    """Most of the blob store seems to belong to nobody, so nothing was removed; the message has the numbers."""


Known = Callable[[Sequence[str]], Awaitable[Sequence[bool]]]
"""Of each id, whether it belongs to something."""


async def remove_orphans(blobs: Blobs, known: Known, age: timedelta = ORPHAN_AGE) -> int:
    """Removes the blobs, whole or not, that are older than `age` and belong to nothing; returns how many.

    known: who knows. An id that was unknown once never becomes known again.
    Raises TooManyOrphans, RedisError or BlobStoreFailed.
    """
    before = datetime.now(UTC) - age
    parts = await _remove_parts(blobs, known, before)
    seen, orphans = 0, []
    async for some in blobs.listed():
        seen += len(some)
        ids = [blob.document_id for blob in some if blob.stored_at <= before]
        orphans += [i for i, is_known in zip(ids, await known(ids), strict=True) if not is_known]
    if len(orphans) > max(SUSPICIOUS_NUMBER, SUSPICIOUS_SHARE * seen):
        raise TooManyOrphans(
            f"{len(orphans)} of {seen} blobs belong to nobody: has Redis lost its data, or is it the wrong one? "
            "Nothing was removed"
        )
    for blob_id in orphans:
        await blobs.delete(blob_id)
    return parts + len(orphans)


async def _remove_parts(blobs: Blobs, known: Known, before: datetime) -> int:
    """Removes what killed programs have left of what they wrote: nobody goes on with that, whatever Redis has lost."""
    old = [part for part in await blobs.unfinished() if part.written_at <= before]
    used = await known([part.document_id for part in old])
    left = [part for part, is_used in zip(old, used, strict=True) if not is_used]
    for part in left:
        await blobs.remove_part(part)
    return len(left)
