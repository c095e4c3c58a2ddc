"""Uploads and changes of tags by one client after the other."""

import asyncio
import hashlib
import random
import time
import uuid

from tests.faults.history import DocumentHistory, History
from tests.faults.replicas import Replicas

# Some tags that many documents share, so that counts move both ways.
SHARED = ("red", "green", "blue", "small")
LARGEST_BYTES = 300_000


async def edit_documents(
    history: History, server: Replicas, rng: random.Random, pause_seconds: float, ending: asyncio.Event
) -> None:
    """Uploads a file, or gives one that was uploaded other tags, again and again."""
    known: list[DocumentHistory] = []
    while not ending.is_set():
        if not known or rng.random() < 0.5:
            document = await upload(history, server, rng)
            if document.document_id is not None:
                known.append(document)
        else:
            await retag(history, server, rng.choice(known), rng)
        await asyncio.sleep(rng.uniform(0, 2 * pause_seconds))


def _some_tags(rng: random.Random) -> frozenset[str]:
    # One of its own tells which of several changes was the last.
    return frozenset([*rng.sample(SHARED, rng.randint(0, 3)), f"own-{uuid.uuid4().hex[:8]}"])


async def upload(history: History, server: Replicas, rng: random.Random, size: int | None = None) -> DocumentHistory:
    """Uploads a file under a name of its own."""
    content = rng.randbytes(rng.randrange(LARGEST_BYTES) if size is None else size)
    filename, tags = f"{uuid.uuid4().hex}.bin", _some_tags(rng)
    answer = await server.ask(
        "POST", "/documents", files={"file": (filename, content)}, data={"tags": ",".join(sorted(tags))}
    )
    if answer.outcome == "refused" and answer.status:
        history.complaints.append(f"an upload was answered {answer.status}: {answer.text}")
    document_id = answer.body["id"] if answer.outcome == "acknowledged" else None
    document = DocumentHistory(
        filename, hashlib.sha256(content).hexdigest(), answer.outcome, document_id, time.monotonic(),
        [(answer.outcome, tags)],
    )  # fmt: skip
    history.documents.append(document)
    return document


async def retag(history: History, server: Replicas, document: DocumentHistory, rng: random.Random) -> None:
    """Gives a document other tags."""
    tags = _some_tags(rng)
    answer = await server.ask("PATCH", f"/documents/{document.document_id}", json={"tags": sorted(tags)})
    document.tags.append((answer.outcome, tags))
    if answer.status == 404 and history.excused:
        return
    if answer.outcome == "refused" and answer.status:
        history.complaints.append(f"a change of tags was answered {answer.status}: {answer.text}")
