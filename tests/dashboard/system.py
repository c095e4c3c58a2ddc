"""The whole system as people meet it: two coordinators that serve the page, documents, a worker, and one Redis."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from api.static_folder import is_built
from tests.processes import Process, RedisServer, Server, free_port, worker

# How long a stop waits for its agent; short, for tests that wait for it to run out.
STOP_WAIT_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class System:
    """Its parts, and clients for both kinds of server."""

    redis: RedisServer
    folder: Path
    environment: dict[str, str]
    """What every part of it is told, agents among them."""
    replicas: tuple[Server, Server]
    documents: Server
    worker: Process
    http: httpx.Client
    files: httpx.Client

    def coordinator(self, port: int) -> Server:
        """One more coordinator, on a port that a page knows."""
        return Server("coordinator", self.redis.url, self.folder, self.environment, port=port)


@contextmanager
def running(
    redis: RedisServer, namespace: str, folder: Path, tokens_file: Path | None = None, token: str = ""
) -> Iterator[System]:
    """The system on a namespace of its own.

    tokens_file: of the tokens that it asks for. token: the one that the clients send.
    """
    assert is_built(), "the dashboard has not been built: make dashboard"
    documents_port = free_port()
    environment = {
        "REDIS_URL": redis.url,
        "AGENT_ORCHESTRATOR_NAMESPACE": namespace,
        "AGENT_ORCHESTRATOR_PROJECT_DIR": str(folder),
        "AGENT_ORCHESTRATOR_STOP_WAIT_SECONDS": str(STOP_WAIT_SECONDS),
        "DOCUMENT_SERVER_PUBLIC_URL": f"http://127.0.0.1:{documents_port}",
    }
    if tokens_file is not None:
        environment["AGENT_ORCHESTRATOR_TOKENS_FILE"] = str(tokens_file)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with (
        Server("coordinator", redis.url, folder, environment) as a,
        Server("coordinator", redis.url, folder, environment) as b,
    ):
        pages = {"CORS_ORIGINS": f"{a.url},{b.url}"}
        with (
            Server("documents", redis.url, folder, environment | pages, port=documents_port) as documents,
            worker(redis.url, folder, environment) as jobs,
            httpx.Client(base_url=a.url, headers=headers, timeout=30) as http,
            httpx.Client(base_url=documents.url, headers=headers, timeout=30) as files,
        ):
            yield System(redis, folder, environment, (a, b), documents, jobs, http, files)
