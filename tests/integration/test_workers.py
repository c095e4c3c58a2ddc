"""Real workers beside a real documents server: what they do by themselves, and what becomes of it when they die."""

import os
import pickle
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
import pytest
import redis

from agent_bus.jobs import JOBS, MAINTENANCE, REMOVE_ORPHANED_BLOBS, TAGS, queue_key, queue_name
from agent_bus.keys import Keys
from tests.processes import Process, RedisServer, Server, wait_until, worker


class System:
    """A namespace of its own: a documents server, its data, and workers on demand."""

    def __init__(self, redis_server: RedisServer, folder: Path, keys: Keys) -> None:
        self.redis_server, self.folder, self.keys = redis_server, folder, keys
        self.environment = {"AGENT_ORCHESTRATOR_NAMESPACE": keys.namespace}
        self.database = redis.Redis(port=redis_server.port)
        self.server = Server("documents", redis_server.url, folder, self.environment)
        self.client = httpx.Client(base_url=self.server.url, timeout=30)

    def worker(self) -> Process:
        return worker(self.redis_server.url, self.folder, self.environment)

    def upload(self, tags: str) -> dict[str, Any]:
        answer = self.client.post("/documents", files={"file": ("a.txt", b"x")}, data={"tags": tags})
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def tags(self) -> dict[str, int]:
        return {tag["name"]: tag["count"] for tag in self.client.get("/documents/tags").json()["tags"]}

    def health(self) -> dict[str, Any]:
        health: dict[str, Any] = self.client.get("/health").json()
        return health

    def is_materialised(self) -> bool:
        version, aggregate = self.database.get(self.keys.tags_version), self.keys.tags_aggregate
        return version is not None and version == self.database.hget(aggregate, "version")

    def messages(self) -> list[dict[str, Any]]:
        entries: Any = self.database.xrange(self.keys.stream)
        return [orjson.loads(fields[b"m"]) for _, fields in entries]

    def no_periodic_work(self) -> None:
        for job in (job for job in JOBS if job.every_seconds):
            self.database.set(self.keys.due(job.name), "test")

    def close(self) -> None:
        self.client.close()
        self.database.close()
        self.server.stop()


@pytest.fixture
def system(redis_server: RedisServer, tmp_path: Path, keys: Keys) -> Iterator[System]:
    system = System(redis_server, tmp_path, keys)
    yield system
    system.close()


def horses_of(process: Process) -> list[psutil.Process]:
    return psutil.Process(process.popen.pid).children()


def test_a_worker_materialises_the_tags_and_says_so(system: System) -> None:
    system.no_periodic_work()
    with system.worker() as process:
        system.upload("a,b")
        wait_until(system.is_materialised, "the tags to be materialised")
        document = system.upload("a")
        wait_until(system.is_materialised, "the tags to be materialised again")
        system.client.delete(f"/documents/{document['id']}")
        wait_until(system.is_materialised, "the tags to be materialised once more")
        assert system.tags() == {"a": 1, "b": 1}
        assert system.messages()[-1]["type"] == "tags_updated"
        assert system.messages()[-1]["tags"] == [{"name": "a", "count": 1}, {"name": "b", "count": 1}]
        wait_until(lambda: not system.database.exists(system.keys.tags_pending), "the mark to be cleared")
        assert process.stop() == 0
        assert "Traceback" not in process.output


def test_health_shows_the_workers_that_live(system: System) -> None:
    assert system.health()["workers"] == {"alive": 0}
    with system.worker() as first, system.worker():
        wait_until(lambda: system.health()["workers"] == {"alive": 2}, "two workers to be alive")
        assert first.stop() == 0
        assert system.health()["workers"] == {"alive": 1}
    assert system.health()["workers"] == {"alive": 0}


def test_a_worker_killed_in_mid_job_leaves_the_tags_right(system: System) -> None:
    """The race: the mark says that a job is on its way, and the job died with its worker."""
    system.no_periodic_work()
    system.database.sadd(system.keys.tags, *(f"slow{n}" for n in range(300_000)))
    with system.worker() as process:
        wait_until(lambda: system.health()["workers"] == {"alive": 1}, "the worker to be alive")
        system.upload("a")
        (horse,) = wait_until(lambda: horses_of(process), "the job to begin")
        horse.kill()
        process.kill()
    assert not system.is_materialised()
    assert system.tags() == {"a": 1}
    system.upload("a")
    assert system.tags() == {"a": 2}
    with system.worker():
        # What time does, brought forward.
        system.database.pexpire(system.keys.tags_pending, 1)
        wait_until(lambda: not system.database.exists(system.keys.tags_pending), "the mark to expire")
        assert system.tags() == {"a": 2}
        wait_until(system.is_materialised, "the next worker to materialise the tags")


def test_a_job_whose_process_is_killed_is_tried_again(system: System) -> None:
    system.no_periodic_work()
    system.database.sadd(system.keys.tags, *(f"slow{n}" for n in range(300_000)))
    with system.worker() as process:
        wait_until(lambda: system.health()["workers"] == {"alive": 1}, "the worker to be alive")
        system.upload("a")
        (horse,) = wait_until(lambda: horses_of(process), "the job to begin")
        horse.kill()
        wait_until(system.is_materialised, "the job to be done after all")
        assert "terminated unexpectedly" in process.output
        assert process.stop() == 0


def test_a_worker_that_starts_repairs_the_index_and_removes_old_orphans(system: System) -> None:
    document = system.upload("a")
    system.database.zadd(system.keys.tag("a"), {uuid.uuid4().hex: 1})
    system.database.delete(system.keys.filenames)
    blobs = system.folder / ".agent-orchestrator" / "blobs" / system.keys.namespace

    def orphan(age_seconds: int) -> Path:
        name = uuid.uuid4().hex
        path = blobs / name[:2] / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (time.time() - age_seconds,) * 2)
        return path

    old, young = orphan(7200), orphan(0)
    kept = blobs / document["id"][:2] / document["id"]
    os.utime(kept, (time.time() - 7200,) * 2)
    with system.worker() as process:
        wait_until(lambda: not old.exists(), "the orphan to be removed")
        wait_until(lambda: system.database.hlen(system.keys.filenames) == 1, "the index to be repaired")
        wait_until(lambda: system.tags() == {"a": 1}, "the tags to be repaired")
        wait_until(lambda: "are repaired" in process.output, "a log entry")
    assert young.exists()
    assert kept.exists()


def test_a_worker_ends_runs_that_nobody_has_heard_of_and_browsers_are_told(system: System) -> None:
    with Server("coordinator", system.redis_server.url, system.folder, system.environment) as coordinator:
        at = {"session_name": "n", "timestamp": "2026-01-24T10:00:00+00:00", "event_type": "session_start"}
        for name in ("lost", "busy"):
            assert httpx.post(f"{coordinator.url}/events", json=at | {"session_id": name}).status_code == 200
        long_ago = "2026-01-24T10:00:00.000000+00:00"
        system.database.hset(system.keys.session("lost"), "modified_at", long_ago)
        with system.worker():
            lost = wait_until(
                lambda: [m["session"] for m in system.messages() if m["type"] == "session_updated"], "the end"
            )
        (ended,) = lost
        assert (ended["session_id"], ended["status"], ended["stop_confirmed"]) == ("lost", "finished", None)
        last = httpx.get(f"{coordinator.url}/events/lost").json()["events"][-1]
        assert (last["event_type"], last["reason"]) == ("session_stop", "lost")
        assert httpx.get(f"{coordinator.url}/sessions/busy").json()["status"] == "running"


def test_a_job_that_fails_is_tried_again_and_says_why(system: System) -> None:
    system.no_periodic_work()
    blobs = system.folder / ".agent-orchestrator" / "blobs"
    blobs.rmdir()
    blobs.write_text("in the way")
    system.database.delete(system.keys.due(REMOVE_ORPHANED_BLOBS.name))
    with system.worker() as process:
        scheduled = f"rq:scheduled:{queue_name(system.keys, MAINTENANCE)}"
        (job_id,) = wait_until(lambda: system.database.zrange(scheduled, 0, -1), "the job to be put off")
        assert "BlobStoreFailed" in process.output
        blobs.unlink()

        # A job that was done leaves nothing behind.
        record = f"rq:job:{job_id.decode()}"
        wait_until(lambda: not system.database.exists(record), "the job to be done after all")
        assert system.health()["queues"][queue_name(system.keys, MAINTENANCE)] == {"length": 0, "failed": 0}


@pytest.mark.parametrize("kind", ["by name", "pickled"])
def test_a_strangers_job_is_not_run_and_is_seen(system: System, tmp_path: Path, kind: str) -> None:
    system.no_periodic_work()
    touched, job_id = tmp_path / "touched", uuid.uuid4().hex
    call: tuple[Any, ...] = ("os.mkdir", None, [str(touched)], {})
    data = orjson.dumps(call) if kind == "by name" else pickle.dumps(call)
    now = "2026-01-01T00:00:00.000000Z"
    queue = queue_name(system.keys, TAGS)
    fields: dict[Any, Any] = {"created_at": now, "enqueued_at": now, "origin": queue, "data": data}
    system.database.hset(f"rq:job:{job_id}", mapping=fields | {"status": "queued", "timeout": "10"})
    system.database.rpush(queue_key(system.keys, TAGS), job_id)
    with system.worker() as process:
        wait_until(lambda: system.health()["queues"][queue]["failed"] == 1, "the job to fail")
        assert process.stop() == 0
    assert not touched.exists()


def test_a_worker_outlives_an_outage_of_redis(own_redis_server: RedisServer, tmp_path: Path, keys: Keys) -> None:
    system = System(own_redis_server, tmp_path, keys)
    try:
        system.no_periodic_work()
        with system.worker() as process:
            system.upload("a")
            wait_until(system.is_materialised, "the tags to be materialised")
            own_redis_server.kill()
            wait_until(lambda: "redis" in process.output.lower() and "Connection" in process.output, "it to notice")
            own_redis_server.start()
            wait_until(lambda: system.health()["workers"] == {"alive": 1}, "the worker to be back")
            system.upload("a")
            wait_until(system.is_materialised, "the tags to be materialised again", 60)
            assert process.stop() == 0
    finally:
        system.close()


def test_a_worker_waits_for_redis_and_can_be_stopped_while_it_does(
    tmp_path: Path, own_redis_server: RedisServer
) -> None:
    own_redis_server.kill()
    with worker(own_redis_server.url, tmp_path) as process:
        wait_until(lambda: "going on in" in process.output, "the worker to say that it waits")
        assert process.stop(signal.SIGTERM) == 0
