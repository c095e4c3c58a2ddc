"""Documents by the hundred thousand: the tags' aggregate, an edit's way into it, and filtering."""

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from agent_bus.bus import Bus
from agent_bus.connection import connect, connect_threaded
from agent_bus.documents import Documents, NewDocument, new_document_id
from agent_bus.jobs import MATERIALISE_TAGS, enqueue
from agent_bus.keys import Keys
from bench.http_client import KeptAlive, request_bytes
from bench.programs import REST, Program, on_processor, our, redis_server
from bench.rows import Effort, Incorrect, Row, ratio_row, value_row
from tests.processes import worker

# Every document has a project and a kind, in all combinations: 1% of them have a given pair.
PROJECTS, KINDS = 20, 5
SEEDS_AT_ONCE = 64
ASKS = 200
EDITS = 20
PAGE = 10
EDIT_SECONDS = 10.0


def tags_of(number: int) -> list[str]:
    """The tags of a document by its number."""
    return [f"project-{number % PROJECTS}", f"kind-{number // PROJECTS % KINDS}"]


async def _seed(redis_url: str, first: int, count: int) -> str:
    """Makes documents, without bytes, as uploads would. Returns the last one's id."""
    redis, jobs_redis = connect(redis_url, name="bench"), connect_threaded(redis_url, name="bench")
    documents = Documents(Bus(redis), "http://localhost")
    last = ""

    async def make(numbers: Iterator[int]) -> None:
        nonlocal last
        for number in numbers:
            document_id = new_document_id()
            await documents.begin_upload(document_id)
            new = NewDocument(f"report-{number}.md", "text/markdown", 1000, "0" * 64, tags_of(number), {})
            if (await documents.create(document_id, new)).wants_job:
                enqueue(jobs_redis, Keys(), MATERIALISE_TAGS)
            last = document_id

    numbers = iter(range(first, count))
    await asyncio.gather(*(make(numbers) for _ in range(SEEDS_AT_ONCE)))
    await redis.aclose()
    jobs_redis.close()
    return last


def _median_ms(asking: KeptAlive, request: bytes, check: Callable[[bytes], bool]) -> float:
    took = []
    for _ in range(ASKS):
        began = time.perf_counter()
        status, body = asking.ask(request)
        took.append(1000 * (time.perf_counter() - began))
        if status != 200 or not check(body):
            raise Incorrect(f"{request[:60]!r} was answered {status}: {body[:200]!r}")
    return statistics.median(took)


def _has(documents: int, body: bytes) -> bool:
    return len(json.loads(body)) == documents


def _counts(body: bytes) -> dict[str, int]:
    return {tag["name"]: tag["count"] for tag in json.loads(body)["tags"]}


def _edit(server: Program, asking: KeptAlive, document_id: str, turn: int) -> float:
    """Seconds from sending an edit of a document's tags until the aggregate has it."""
    tag = f"edited-{turn}"
    edit = request_bytes(server.port, "PATCH", f"/documents/{document_id}", json.dumps({"tags": [tag]}))
    look = request_bytes(server.port, "GET", "/documents/tags")
    began = time.perf_counter()
    status, body = asking.ask(edit)
    if status != 200:
        raise Incorrect(f"an edit was answered {status}: {body[:200]!r}")
    while _counts(asking.ask(look)[1]).get(tag) != 1:
        if time.perf_counter() > began + EDIT_SECONDS:
            raise Incorrect("an edit did not reach the aggregate")
    return time.perf_counter() - began


def documents(effort: Effort, folder: Path) -> Iterator[Row]:
    """Rows about tags, at growing numbers of documents."""
    tags_ms, health_ms, filter_ms = list[float](), list[float](), list[list[float]]()
    edits: list[float] = []
    with (
        redis_server(folder / f"redis-{time.monotonic_ns()}") as redis,
        our("documents", redis.url, folder) as server,
        on_processor(REST),
        worker(redis.url, folder),
    ):
        health = request_bytes(server.port, "GET", "/health")
        tags = request_bytes(server.port, "GET", "/documents/tags")
        both = request_bytes(server.port, "GET", f"/documents?tags=project-3,kind-2&limit={PAGE}")
        made = 0
        for count in effort.documents:
            last = asyncio.run(_seed(redis.url, made, count))
            # Seeding takes longer than the server keeps a silent connection.
            asking = KeptAlive(server.port)
            made = count
            expected = count // PROJECTS
            if _counts(asking.ask(tags)[1])["project-0"] != expected:
                raise Incorrect(f"of {count} documents {expected} have the tag project-0, the aggregate says otherwise")
            health_ms.append(_median_ms(asking, health, lambda body: b"healthy" in body))
            tags_ms.append(_median_ms(asking, tags, lambda body: b'"project-0"' in body))
            if count >= 100 * PAGE or count == effort.documents[-1]:
                right = partial(_has, min(PAGE, count // 100))
                filter_ms.append([_median_ms(asking, both, right) for _ in range(effort.runs)])
            edits = [_edit(server, asking, last, turn) for turn in range(EDITS)]
            # The next step counts from whole numbers again.
            asking.ask(
                request_bytes(server.port, "PATCH", f"/documents/{last}", json.dumps({"tags": tags_of(count - 1)}))
            )
            asking.close()
    sizes = ", ".join(f"{count:,}" for count in effort.documents)
    yield ratio_row(
        "tags_vs_health",
        f"GET /documents/tags, ms, vs GET /health; up to {made:,} documents",
        tags_ms,
        health_ms,
        target=1.5,
        better="lower",
        note=f"ms with {sizes}: " + ", ".join(f"{value:.2f}" for value in tags_ms),
    )
    yield value_row(
        "tag_edit_visible",
        f"a tag edit until GET /documents/tags has it, {made:,} documents",
        [1000 * seconds for seconds in edits],
        target=50.0,
        better="lower",
        unit="ms",
    )
    yield ratio_row(
        "filter_growth",
        f"filtering by two tags, ms, {made:,} vs 1,000 documents",
        filter_ms[-1],
        filter_ms[0],
        target=2.0,
        better="lower",
    )
