import asyncio
import logging
import os
from pathlib import Path

import pytest
from redis import Redis as ThreadRedis

from agent_bus.bus import Bus
from agent_bus.connection import connect, connect_threaded
from agent_bus.documents import Documents, NewDocument, new_document_id
from agent_bus.jobs import JOBS
from agent_bus.keys import Keys
from agent_bus.settings import Settings
from tests.processes import RedisServer
from tests.unit.agent_bus.conftest import Driver
from workers import jobs


@pytest.fixture
def database(redis_server: RedisServer, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "ThreadRedis":
    """The environment of a worker, and a document with the tag `a`."""
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    monkeypatch.setenv("AGENT_ORCHESTRATOR_NAMESPACE", keys.namespace)
    monkeypatch.setenv("AGENT_ORCHESTRATOR_PROJECT_DIR", str(tmp_path))

    async def create() -> None:
        redis = connect(redis_server.url, name="test")
        documents, document_id = Documents(Bus(redis, keys), ""), new_document_id()
        await documents.begin_upload(document_id)
        await documents.create(document_id, NewDocument("a", "a/b", 0, "00", ["a"], {}))
        await redis.aclose()

    asyncio.run(create())
    return connect_threaded(redis_server.url, name="test")


def test_the_tags_are_materialised(database: ThreadRedis, keys: Keys) -> None:
    jobs.materialise_tags()
    assert database.hget(keys.tags_aggregate, "tags") == b'[{"name":"a","count":1}]'
    assert not database.exists(keys.tags_pending)


def test_the_index_is_rebuilt_and_what_was_wrong_is_told(
    database: ThreadRedis, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    database.delete(keys.documents)
    with caplog.at_level(logging.WARNING):
        jobs.rebuild_index()
    assert database.zcard(keys.documents) == 1
    assert "1 entries" in caplog.text


@pytest.mark.parametrize(("after", "status"), [("3600", b"finished"), ("1e10", b"running")])
def test_runs_are_lost_after_what_the_settings_say(
    database: ThreadRedis, keys: Keys, monkeypatch: pytest.MonkeyPatch, after: str, status: bytes
) -> None:
    async def begin() -> None:
        redis = connect(os.environ["REDIS_URL"], name="test")
        await Driver(Bus(redis, keys)).post("session_start")
        await redis.aclose()

    asyncio.run(begin())
    database.hset(keys.session("s"), "modified_at", "2026-01-24T10:00:00.000000+00:00")
    monkeypatch.setenv("AGENT_ORCHESTRATOR_LOST_AFTER_SECONDS", after)
    jobs.end_lost_runs()
    assert database.hget(keys.session("s"), "status") == status


def test_orphaned_blobs_are_looked_for_where_the_settings_say(database: ThreadRedis, tmp_path: Path) -> None:
    jobs.remove_orphaned_blobs()
    assert (tmp_path / ".agent-orchestrator" / "blobs").is_dir()


class Asked(Exception):
    """Which part's Redis a job looked for."""


@pytest.mark.parametrize("name", [job.name for job in JOBS])
def test_each_job_is_done_as_the_workers_user(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def find(_: Settings, *, part: str = "") -> Settings:
        raise Asked(part)

    monkeypatch.setattr(Settings, "with_redis", find)
    with pytest.raises(Asked, match=r"^worker$"):
        getattr(jobs, name)()
