"""Jobs of a stranger who can write to Redis. What is not protected from them is said in docs/security.md."""

import os
import pickle
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import orjson
from rq.registry import FailedJobRegistry

from agent_bus.jobs import MATERIALISE_TAGS, TAGS, queue_key, queue_name
from tests.processes import wait_until
from tests.security.attacks import Attacks, Tries, into
from tests.security.system import OPEN, System

GROUP: Attacks = {}
QUEUE = queue_name(OPEN, TAGS)
OURS: tuple[Any, ...] = (MATERIALISE_TAGS.path, None, [], {})


class Pickled:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (self._folder,)


def put(system: System, data: bytes, **fields: Any) -> str:
    """Queues a job as RQ's own client would have written it."""
    job_id = uuid.uuid4().hex
    now = "2026-01-01T00:00:00.000000Z"
    head = {"created_at": now, "enqueued_at": now, "origin": QUEUE, "data": data, "status": "queued", "timeout": "10"}
    system.database.hset(f"rq:job:{job_id}", mapping=head | fields)
    system.database.rpush(queue_key(OPEN, TAGS), job_id)
    return job_id


def failed(system: System, job_id: str) -> bool:
    """Whether a job has failed for good."""
    return system.database.zscore(FailedJobRegistry.key_template.format(QUEUE), job_id) is not None


def done_with(system: System, job_ids: list[str]) -> None:
    """Waits until the worker has come to the end of all of them, and of one that it knows."""
    known = put(system, orjson.dumps(OURS), result_ttl="0")

    def gone(job_id: str) -> bool:
        return system.database.hget(f"rq:job:{job_id}", "status") in (None, b"finished", b"failed")

    wait_until(lambda: gone(known) and all(map(gone, job_ids)), "the worker to come to the end of the strangers' jobs")


@into(GROUP, "strangers-job", "a job that calls a function of the attacker's choice")
def strangers_job(system: System, tries: Tries) -> None:
    canary = system.folder / "canary"
    path = str(canary)
    calls: dict[str, bytes] = {
        "os.mkdir by name": orjson.dumps(("os.mkdir", None, [path], {})),
        "os.system": orjson.dumps(("os.system", None, [f"mkdir {path}"], {})),
        "subprocess.run": orjson.dumps(("subprocess.run", None, [["mkdir", path]], {})),
        "builtins.exec": orjson.dumps(("builtins.exec", None, [f"import os; os.mkdir({path!r})"], {})),
        "an import for its side effects": orjson.dumps(("tests.security.canary.touch", None, [path], {})),
        "arguments for a job of ours": orjson.dumps((MATERIALISE_TAGS.path, None, [path], {})),
        "named arguments for a job of ours": orjson.dumps((MATERIALISE_TAGS.path, None, [], {"settings": path})),
        "a method of an object": orjson.dumps((MATERIALISE_TAGS.path, {"path": path}, [], {})),
        "another function of our module": orjson.dumps(("workers.jobs.asyncio.run", None, [path], {})),
        "a name that is a list": orjson.dumps((["os.mkdir"], None, [path], {})),
        "a pickled call": pickle.dumps(Pickled(canary)),
        "a pickled job": pickle.dumps(("os.mkdir", None, (path,), {})),
        "no JSON": b"\xff\x00{",
        "JSON that is no call": b'{"a": 1}',
        "nothing": b"",
        "deep JSON": b"[" * 100_000,
    }
    jobs = {put(system, data): what for what, data in calls.items()}
    jobs[put(system, orjson.dumps(OURS), meta=pickle.dumps(Pickled(canary)), result=pickle.dumps(Pickled(canary)))] = (
        "a pickled meta and result"
    )
    done_with(system, list(jobs))
    for job_id, what in jobs.items():
        known = what == "a pickled meta and result"
        tries.harmless(
            what, "read as JSON" if known else "not run, kept as failed", held=known or failed(system, job_id)
        )
    tries.harmless("all of these", "no canary", held=not canary.exists())
    tries.control("a job of ours", works=_materialised(system))


def _materialised(system: System) -> bool:
    answer = system.client.post(
        f"{system.documents.url}/documents", files={"file": ("a", b"x")}, data={"tags": "canary"}
    )
    version = system.database.get(OPEN.tags_version)
    wait_until(lambda: system.database.hget(OPEN.tags_aggregate, "version") == version, "the tags to be materialised")
    return answer.status_code == 201


@into(GROUP, "strangers-callback", "what RQ does after a job: callbacks by name, and requests to addresses")
def strangers_callback(system: System, tries: Tries) -> None:
    canary = system.folder / "canary-of-callbacks"
    strange = orjson.dumps(("os.mkdir", None, [str(canary)], {}))
    with listening() as (port, heard):
        url = f"http://127.0.0.1:{port}"
        webhooks = orjson.dumps([
            {"url": f"{url}/{status}", "job_status": status, "method": method, "timeout": 5}
            for status in ("finished", "failed")
            for method in ("GET", "POST")
        ])  # fmt: skip
        callbacks: list[dict[str, Any]] = [
            {f"{when}_callback_name": "os.mkdir"} for when in ("success", "failure", "stopped")
        ]
        jobs = [
            put(system, data, **fields, result_ttl="0")
            for data in (orjson.dumps(OURS), strange, b"no JSON")
            for fields in (*callbacks, {"webhooks": webhooks})
        ]
        done_with(system, jobs)
        tries.harmless("addresses to tell of the end", "not asked", held=not heard)
        system.client.get(f"{url}/control")
    tries.control("who asks that address is heard", works=heard[-1:] == ["/control"])
    tries.harmless("callbacks by name", "no canary", held=not canary.exists())
    tries.control("the worker goes on", works=_materialised(system))


@contextmanager
def listening() -> Iterator[tuple[int, list[str]]]:
    """A port, and the paths that were asked for there."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.path)
            self.send_response(204)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - as the base class calls it

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, heard
        server.shutdown()
