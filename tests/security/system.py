"""What is attacked: Redis, servers that ask for tokens and servers that do not, and a worker, as real processes."""

import contextlib
import secrets
import socket
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from agent_bus.keys import Keys
from agent_bus.timestamps import now
from api.roles import Role
from api.token_commands import create
from tests.processes import DEADLINE_SECONDS, Process, RedisServer, Server, worker

P = TypeVar("P", bound=Process)
T = TypeVar("T")

PAGE = "http://front.example"
"""A web page that is welcome; there is no other but the servers' own."""
MAX_EVENT_BYTES, MAX_UPLOAD_BYTES = 64 * 1024, 1024 * 1024
OPEN, GUARDED = Keys("security-open"), Keys("security-guarded")


class System:
    """Use as `with System(folder) as system`; whatever was started has ended after the block.

    coordinator, documents: everybody is an operator there. guarded, guarded_documents: they ask for tokens, and have a
    namespace of their own. secrets: what may be in no log and in no answer but the one that gave it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[Process] = []
        self.secrets: list[str] = []
        self._stack = ExitStack()
        self._beside: dict[object, Any] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        self.redis = stack.enter_context(RedisServer(self.folder / "redis"))
        # Redis' default user takes any password, and so the servers can be given one.
        password = self.secret()
        self.redis_url = f"redis://default:{password}@127.0.0.1:{self.redis.port}/0"
        self.database = redis.Redis(port=self.redis.port)
        self.tokens_file = self.folder / "tokens.json"
        self.tokens = {role: self.create_token(role.value, role) for role in Role}
        common = {
            "AGENT_ORCHESTRATOR_MAX_EVENT_BYTES": str(MAX_EVENT_BYTES),
            "AGENT_ORCHESTRATOR_MAX_UPLOAD_BYTES": str(MAX_UPLOAD_BYTES),
            "AGENT_ORCHESTRATOR_STOP_WAIT_SECONDS": "0.1",
            "AGENT_ORCHESTRATOR_TOKEN": "",
            "CORS_ORIGINS": PAGE,
        }
        opened = common | {"AGENT_ORCHESTRATOR_NAMESPACE": OPEN.namespace, "AGENT_ORCHESTRATOR_TOKENS_FILE": ""}
        guarded = common | {
            "AGENT_ORCHESTRATOR_NAMESPACE": GUARDED.namespace,
            "AGENT_ORCHESTRATOR_TOKENS_FILE": str(self.tokens_file),
        }

        def server(part: str, environment: dict[str, str], name: str) -> Server:
            return self.watch(Server(part, self.redis_url, self.folder / name, environment))

        stack.callback(lambda: [process.stop() for process in self.processes])
        with ThreadPoolExecutor() as pool:
            starting = [
                pool.submit(server, part, environment, name)
                for name, environment in (("open", opened), ("guarded", guarded))
                for part in ("coordinator", "documents")
            ]
            self.watch(worker(self.redis_url, self.folder / "open", opened))
        self.coordinator, self.documents, self.guarded, self.guarded_documents = (each.result() for each in starting)
        self.client = stack.enter_context(httpx.Client(timeout=DEADLINE_SECONDS))

    def beside(self, start: Callable[["System", ExitStack], T]) -> T:
        """What a group of attacks needs of its own: started when it is first asked for, ended with the system."""
        if start not in self._beside:
            with ExitStack() as stack:
                self._beside[start] = start(self, stack)
                self._stack.push(stack.pop_all())
        started: T = self._beside[start]
        return started

    def watch(self, process: P) -> P:
        """Has its log looked through for secrets, and itself ended with the system."""
        self.processes.append(process)
        return process

    def secret(self) -> str:
        """A text that must not be seen again."""
        text = f"secret-{secrets.token_hex(12)}"
        self.secrets.append(text)
        return text

    def create_token(self, name: str, role: Role) -> str:
        """A token in the guarded servers' file; they know it within a second."""
        token = create(self.tokens_file, name, role.value)
        self.secrets.append(token)
        return token

    def headers(self, role: Role | None) -> dict[str, str]:
        """What a request of that role carries."""
        return {} if role is None else {"Authorization": f"Bearer {self.tokens[role]}"}

    def report(self, session_id: str, **fields: Any) -> httpx.Response:
        """An event of a session, sent to the open coordinator."""
        return self.client.post(f"{self.coordinator.url}/events", json=event(session_id, **fields))

    def session(self) -> str:
        """The id of a new running session on the open coordinator."""
        session_id = f"s-{uuid.uuid4().hex[:12]}"
        assert self.report(session_id).status_code == 200
        return session_id

    def upload(self, content: bytes = b"0123456789", name: str = "a.txt", kind: str = "text/plain") -> str:
        """The id of a new document on the open documents server."""
        answer = self.client.post(f"{self.documents.url}/documents", files={"file": (name, content, kind)})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def leaks(self) -> Iterator[str]:
        """Where a secret can be read that should not be."""
        for process in self.processes:
            output = process.output
            yield from (f"{process.log.name} tells {secret[:12]}…" for secret in self.secrets if secret in output)
            if "ticket=" in output.replace("ticket=***", "").replace("?ticket=…", ""):
                yield f"{process.log.name} tells a ticket"


def event(session_id: str, event_type: str = "session_start", **fields: Any) -> dict[str, Any]:
    """An event as agents send it."""
    head = {"event_type": event_type, "session_id": session_id, "session_name": session_id, "timestamp": now()}
    return head | fields


def socket_outcome(url: str, **options: Any) -> int | str:
    """How a WebSocket begins: the type of its first message, or the code with which it was closed."""
    with connect(url, max_size=None, **options) as connection:
        try:
            first = connection.recv(timeout=DEADLINE_SECONDS)
        except ConnectionClosed:
            assert connection.protocol.close_code is not None
            return int(connection.protocol.close_code)
    return "init" if '"type":"init"' in str(first)[:200] else str(first)[:40]


@contextlib.contextmanager
def dead_port() -> Iterator[int]:
    """A port at which nobody answers, kept from others for as long."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield int(listener.getsockname()[1])
