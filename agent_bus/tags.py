"""Tags: what one looks like, and the aggregate that says how many documents have each.

Every change of any document's tags takes the next version, inside the script that makes it. A job counts and stores the
aggregate with the version it is true at, so a reader knows whether it can be trusted, and counts for itself if not.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable

import orjson
from pydantic import TypeAdapter

from agent_bus.bus import Bus
from agent_bus.jobs import TAGS, queue_key
from agent_bus.messages import TagCount

TAG = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
MAX_TAGS = 100

# How long a job is believed to be on its way: counting 10,000 tags takes about 50 ms, so by now it was lost.
PENDING_MS = 15_000
# How long a reader waits for the worker before it counts for itself, and how often it looks.
WAIT_SECONDS = 0.02
POLL_SECONDS = 0.005
# Changes that come while the job counts make it count once more; a pause lets a burst of them pass together.
PAUSE_SECONDS = 0.02
MAX_ROUNDS = 500

TAG_COUNTS = TypeAdapter(list[TagCount])

RequestJob = Callable[[], Awaitable[None]]


class InvalidTags(ValueError):
    """A tag is not made as tags are, or there are too many; the message names it."""


def parse_tags(names: Iterable[str]) -> list[str]:
    """The tags in the order given, each once. Raises InvalidTags."""
    tags = list(dict.fromkeys(names))
    for tag in tags:
        if not TAG.fullmatch(tag):
            shown = tag if len(tag) <= 80 else f"{tag[:80]}…"
            raise InvalidTags(f"{shown!r} is not a tag: use 1 to 64 letters (a–z, A–Z), digits and hyphens")
    if len(tags) > MAX_TAGS:
        raise InvalidTags(f"{len(tags)} tags are too many: a document has at most {MAX_TAGS}")
    return tags


def split_tags(text: str) -> list[str]:
    """The parts of a comma-separated list, without the blanks and tabs around them; empty ones are left out."""
    return [part for part in (part.strip(" \t") for part in text.split(",")) if part]


class TagAggregate:
    """The tag counts of one bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._keys = bus.keys

    async def read(self, request_job: RequestJob) -> list[TagCount]:
        """How many documents have each tag, count descending, then name; no older than this call.

        request_job: enqueues the job that materialises the aggregate; called when one is missing.
        """
        wanted, counts = await self._look(request_job)
        if counts is not None:
            return counts
        deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(POLL_SECONDS)
            _, counts = await self._look(request_job, at_least=wanted)
            if counts is not None:
                return counts
        return (await self.count())[1]

    async def _look(self, request_job: RequestJob, at_least: int | None = None) -> tuple[int, list[TagCount] | None]:
        keys = self._keys
        current, version, tags, enqueue = await self._bus.run(
            "read_tags",
            (keys.tags_version, keys.tags_aggregate, keys.tags_pending, queue_key(keys, TAGS)),
            (PENDING_MS,),
        )
        if enqueue:
            await request_job()
        wanted = int(current) if at_least is None else at_least
        trusted = version and tags and int(version) >= wanted
        return wanted, TAG_COUNTS.validate_json(tags) if trusted else None

    async def count(self) -> tuple[int, list[TagCount]]:
        """The version of the tags, and the counts at it, taken from the sets themselves."""
        keys = self._keys
        version, *flat = await self._bus.run("count_tags", (keys.tags, keys.tags_version), (keys.tag_prefix,))
        counted = [TagCount(name=name.decode(), count=count) for name, count in zip(flat[::2], flat[1::2], strict=True)]
        return int(version), sorted(counted, key=lambda tag: (-tag.count, tag.name))

    async def materialise(self) -> int:
        """Counts and stores until no change has come in between. Returns how often it counted."""
        keys = self._keys
        for rounds in range(1, MAX_ROUNDS + 1):
            version, counts = await self.count()
            text = orjson.dumps([tag.model_dump() for tag in counts])
            if await self._bus.run(
                "materialise_tags",
                (keys.tags_version, keys.tags_aggregate, keys.tags_pending),
                (version, text, PENDING_MS),
            ):
                return rounds
            await asyncio.sleep(PAUSE_SECONDS)
        # The mark stays until it expires; the first change or read after that asks for the next job.
        return MAX_ROUNDS

    async def forget_request(self) -> None:
        """Called when a job could not be enqueued after all, so that the next change or read tries again."""
        await self._bus.redis.delete(self._keys.tags_pending)

    async def renew(self) -> None:
        """Makes the aggregate count as old, whatever version it claims."""
        await self._bus.run("renew_tags", (self._keys.tags_version, self._keys.tags_aggregate))
