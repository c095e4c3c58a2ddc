"""Tokens with real processes: two replicas, documents, one file of tokens, one Redis."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from agent_bus.timestamps import now
from api.roles import Role, has_rule, who_may
from api.token_commands import create, revoke
from tests.browser import Browser
from tests.processes import DEADLINE_SECONDS, REPOSITORY, RedisServer, Server, free_port, wait_until

UNAUTHORIZED, FORBIDDEN = 4401, 4403
PAGE = "http://front.example"
DOCUMENT = {"file": ("a.txt", b"x")}


class Guarded:
    """Two coordinators and a documents server that ask for tokens."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "tokens.json"
        self.tokens = {role: create(self.file, role.value, role.value) for role in Role}
        self.secrets = list(self.tokens.values())
        environment = {
            "AGENT_ORCHESTRATOR_TOKENS_FILE": str(self.file),
            "AGENT_ORCHESTRATOR_NAMESPACE": "t-tokens",
            "AGENT_ORCHESTRATOR_STOP_WAIT_SECONDS": "0.1",
            "CORS_ORIGINS": PAGE,
        }
        self.a = Server("coordinator", redis_url, folder / "a", environment)
        self.b = Server("coordinator", redis_url, folder / "b", environment)
        self.documents = Server("documents", redis_url, folder / "d", environment)
        self.servers = (self.a, self.b, self.documents)

    def headers(self, role: Role | None) -> dict[str, str]:
        return {} if role is None else {"Authorization": f"Bearer {self.tokens[role]}"}

    def create(self, name: str, role: Role) -> str:
        token = create(self.file, name, role.value)
        self.secrets.append(token)
        return token


@pytest.fixture(scope="module")
def guarded(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The system; whatever the tests did with it, no secret may be in what it wrote."""
    system = Guarded(tmp_path_factory.mktemp("guarded"), redis_server.url)
    try:
        yield system
    finally:
        for server in system.servers:
            server.stop()
    for server in system.servers:
        assert [secret for secret in system.secrets if secret in server.output] == []
        assert "ticket=" not in server.output


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=DEADLINE_SECONDS) as client:
        yield client


def event(session_id: str, kind: str = "session_start") -> dict[str, Any]:
    return {"event_type": kind, "session_id": session_id, "session_name": session_id, "timestamp": now()}


def described(server: Server) -> list[tuple[str, str]]:
    """The routes that a server itself says it has."""
    paths = httpx.get(f"{server.url}/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def asked(url: str, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    """A request that is nearly right, for something that there is not."""
    there = path.replace("{", "no-").replace("}", "")
    return httpx.request(method, url + there, headers=headers, timeout=DEADLINE_SECONDS)


@pytest.mark.parametrize("role", [None, *Role])
def test_every_route_that_is_described_lets_in_whom_it_may_and_nobody_else(guarded: Guarded, role: Role | None) -> None:
    for server in guarded.servers:
        routes = described(server)
        assert routes
        for method, path in routes:
            assert has_rule(method, path.replace("{", "").replace("}", "")), (
                f"say in api/roles.py who may {method} {path}"
            )
            roles = who_may(method, path)
            answer = asked(server.url, method, path, guarded.headers(role))
            told = f"{method} {path} as {role}: {answer.status_code}"
            if roles is None or role in roles:
                assert answer.status_code not in (401, 403), told
            elif role is None:
                assert answer.status_code == 401, told
                assert answer.headers["www-authenticate"] == "Bearer"
                assert method == "HEAD" or "agent-orchestrator token create" in answer.json()["detail"]
            else:
                assert answer.status_code == 403, told
                assert method == "HEAD" or "operator" in answer.json()["detail"]


def test_what_anybody_may_see_is_the_page_and_how_the_servers_are(guarded: Guarded) -> None:
    for path in ("/", "/health", "/ready", "/docs", "/openapi.json", "/assets/none.js"):
        assert httpx.get(guarded.a.url + path).status_code in (200, 404), path
    for path in ("/redoc", "/docs/oauth2-redirect", "/unheard-of", "/sessions/", "//sessions", "/assets"):
        assert httpx.get(guarded.a.url + path).status_code == 401, path
        assert httpx.post(guarded.a.url + path).status_code == 401, path


async def test_each_role_does_its_work(guarded: Guarded, client: httpx.AsyncClient, session_id: str) -> None:
    agent, viewer, operator = (guarded.headers(role) for role in (Role.AGENT, Role.VIEWER, Role.OPERATOR))
    a, b = guarded.a.url, guarded.b.url
    accepted = await client.post(f"{a}/events", json=event(session_id), headers=agent)
    assert (accepted.status_code, accepted.json()["stop_requested"]) == (200, False)
    hook = {"session_id": f"{session_id}-h", "hook_event_name": "UserPromptSubmit", "prompt": "x", "cwd": "/"}
    assert (await client.post(f"{a}/hooks/claude-code", json=hook, headers=agent)).status_code == 200
    assert (await client.get(f"{b}/sessions/{session_id}", headers=viewer)).json()["status"] == "running"
    assert (await client.post(f"{b}/sessions/{session_id}/stop", headers=viewer)).status_code == 403
    assert (await client.get(f"{b}/sessions/{session_id}", headers=viewer)).json()["status"] == "running"
    assert (await client.post(f"{b}/sessions/{session_id}/stop", headers=operator)).json()["status"] == "stopped"
    # What an agent may know of its session is in the answer to its own events.
    told = await client.post(f"{a}/events", json=event(session_id, "pre_tool"), headers=agent)
    assert told.json()["stop_requested"] is True
    upload = await client.post(f"{guarded.documents.url}/documents", files=DOCUMENT, headers=operator)
    assert upload.status_code == 201
    url = f"{guarded.documents.url}/documents/{upload.json()['id']}"
    assert (await client.get(url, headers=viewer)).content == b"x"
    assert (await client.get(url)).status_code == 401
    assert (await client.delete(url, headers=viewer)).status_code == 403
    assert (await client.delete(url, headers=operator)).status_code == 200


@pytest.mark.parametrize("path", ["/events", "/sessions/x/stop", "/hooks/claude-code"])
def test_a_refused_body_is_not_looked_at_whichever_way_it_comes(guarded: Guarded, path: str) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"{}"

    for content, headers in ((b"{}", {}), (b"{}", {"Origin": PAGE}), (pieces(), {})):
        answer = httpx.post(guarded.a.url + path, content=content, headers=headers)
        assert answer.status_code == 401


@pytest.mark.parametrize("role", Role)
async def test_whoami_says_whose_the_token_is(guarded: Guarded, client: httpx.AsyncClient, role: Role) -> None:
    answer = await client.get(f"{guarded.a.url}/whoami", headers=guarded.headers(role))
    assert answer.json() == {"authentication": "token", "name": role.value, "role": role.value}


async def test_without_tokens_everybody_is_an_operator(
    client: httpx.AsyncClient, redis_server: RedisServer, tmp_path: Path
) -> None:
    none = {"AGENT_ORCHESTRATOR_TOKENS_FILE": "", "AGENT_ORCHESTRATOR_TOKEN": ""}
    with Server("coordinator", redis_server.url, tmp_path, none) as server:
        answer = await client.get(f"{server.url}/whoami", headers={"Authorization": "Bearer whatever"})
        assert answer.json() == {"authentication": "none", "name": None, "role": "operator"}
        ticket = (await client.post(f"{server.url}/ws-ticket")).json()
        assert ticket["expires_in"] == 30
        async with Browser(f"{server.ws_url}?ticket={ticket['ticket']}") as browser:
            assert browser.messages[0]["type"] == "init"


async def test_one_token_in_the_environment_is_enough_and_is_an_operators(
    client: httpx.AsyncClient, redis_server: RedisServer, tmp_path: Path
) -> None:
    only = "0123456789abcdef" * 2
    with Server("coordinator", redis_server.url, tmp_path, {"AGENT_ORCHESTRATOR_TOKEN": only}) as server:
        assert (await client.get(f"{server.url}/sessions")).status_code == 401
        answer = await client.get(f"{server.url}/whoami", headers={"Authorization": f"Bearer {only}"})
        assert answer.json() == {"authentication": "token", "name": "environment", "role": "operator"}
        assert only not in server.output


async def test_a_page_reads_its_refusal_and_may_send_its_token(guarded: Guarded, client: httpx.AsyncClient) -> None:
    for url, path in ((guarded.a.url, "/sessions"), (guarded.documents.url, "/documents")):
        asks = {
            "Origin": PAGE,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        }
        preflight = await client.options(url + path, headers=asks)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-headers"] == "authorization"
        refused = await client.get(url + path, headers={"Origin": PAGE})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, PAGE)
        # By which a page tells a role that is not enough from other refusals.
        assert "WWW-Authenticate" in refused.headers["access-control-expose-headers"]
        welcome = await client.get(url + path, headers={"Origin": PAGE} | guarded.headers(Role.VIEWER))
        assert welcome.status_code == 200
        foreign = await client.get(url + path, headers={"Origin": "http://evil.example"})
        assert "access-control-allow-origin" not in foreign.headers


async def ticket_of(guarded: Guarded, client: httpx.AsyncClient, server: Server, role: Role = Role.VIEWER) -> str:
    answer = await client.post(f"{server.url}/ws-ticket", headers=guarded.headers(role))
    assert answer.json()["expires_in"] == 30
    ticket: str = answer.json()["ticket"]
    guarded.secrets.append(ticket)
    return ticket


async def refused(url: str, **options: Any) -> tuple[int, str]:
    """The code and the reason with which a WebSocket is closed that is not let in."""
    async with connect(url, **options) as connection:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(connection.recv(), DEADLINE_SECONDS)
        assert connection.close_code is not None
        return connection.close_code, connection.close_reason or ""


async def test_a_ticket_of_one_replica_opens_one_socket_at_the_other(
    guarded: Guarded, client: httpx.AsyncClient, session_id: str
) -> None:
    url = f"{guarded.b.ws_url}?session_id={session_id}&ticket={await ticket_of(guarded, client, guarded.a)}"
    async with Browser(url) as browser:
        await client.post(f"{guarded.a.url}/events", json=event(session_id), headers=guarded.headers(Role.AGENT))
        await browser.until(lambda message: message["type"] == "event")
        for again in (url, url.replace(guarded.b.ws_url, guarded.a.ws_url)):
            code, reason = await refused(again)
            assert (code, "POST /ws-ticket" in reason) == (UNAUTHORIZED, True)


async def test_a_ticket_that_many_bring_at_once_lets_one_in(guarded: Guarded, client: httpx.AsyncClient) -> None:
    ticket = await ticket_of(guarded, client, guarded.a)

    async def try_it(server: Server) -> bool:
        async with connect(f"{server.ws_url}?ticket={ticket}", max_size=None) as connection:
            try:
                return bool(json.loads(await connection.recv())["type"] == "init")
            except ConnectionClosed:
                return False

    tries = await asyncio.gather(*(try_it(server) for server in (guarded.a, guarded.b) * 5))
    assert sorted(tries) == [False] * 9 + [True]


async def test_a_socket_needs_a_ticket_or_a_header_of_who_may_read(guarded: Guarded, client: httpx.AsyncClient) -> None:
    async with Browser(guarded.a.ws_url, additional_headers=guarded.headers(Role.VIEWER)) as browser:
        assert browser.messages[0]["type"] == "init"
    url = guarded.a.ws_url
    assert (await refused(url))[0] == UNAUTHORIZED
    assert (await refused(f"{url}?ticket=nope"))[0] == UNAUTHORIZED
    # A token is not a ticket: it would stand in every log on the way.
    assert (await refused(f"{url}?ticket={guarded.tokens[Role.VIEWER]}"))[0] == UNAUTHORIZED
    assert (await refused(f"{url}?token={guarded.tokens[Role.VIEWER]}"))[0] == UNAUTHORIZED
    assert (await refused(url, additional_headers=guarded.headers(Role.AGENT)))[0] == FORBIDDEN
    assert (await client.post(f"{guarded.a.url}/ws-ticket", headers=guarded.headers(Role.AGENT))).status_code == 403


async def until_status(client: httpx.AsyncClient, server: Server, token: str, status: int) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            answer = await client.get(f"{server.url}/whoami", headers={"Authorization": f"Bearer {token}"})
            if answer.status_code == status:
                return


async def test_a_revoked_token_and_all_that_came_of_it_end_on_every_replica(
    guarded: Guarded, client: httpx.AsyncClient
) -> None:
    token = guarded.create("leaving", Role.VIEWER)
    mine = {"Authorization": f"Bearer {token}"}
    for server in (guarded.a, guarded.b):
        await until_status(client, server, token, 200)
    ticket = (await client.post(f"{guarded.a.url}/ws-ticket", headers=mine)).json()["ticket"]
    async with (
        Browser(guarded.a.ws_url, additional_headers=mine) as on_a,
        Browser(guarded.b.ws_url, additional_headers=mine) as on_b,
        Browser(guarded.b.ws_url, additional_headers=guarded.headers(Role.VIEWER)) as staying,
    ):
        revoke(guarded.file, "leaving")
        assert await on_a.closed() == await on_b.closed() == UNAUTHORIZED
        assert staying.close_code is None
    for server in (guarded.a, guarded.b):
        await until_status(client, server, token, 401)
        assert (await refused(f"{server.ws_url}?ticket={ticket}"))[0] == UNAUTHORIZED


async def test_a_broken_file_changes_nothing_and_is_complained_about(
    guarded: Guarded, client: httpx.AsyncClient
) -> None:
    good = guarded.file.read_text()
    guarded.file.write_text(good[:-10])
    try:

        def complained() -> bool:
            for server in guarded.servers:
                path = "/documents" if server is guarded.documents else "/whoami"
                assert httpx.get(server.url + path, headers=guarded.headers(Role.OPERATOR)).status_code == 200
            return all("no file of tokens" in server.output for server in guarded.servers)

        wait_until(complained, "the servers to complain")
    finally:
        guarded.file.write_text(good)
    token = guarded.create("after-the-mending", Role.VIEWER)
    for server in (guarded.a, guarded.b):
        await until_status(client, server, token, 200)


async def test_tickets_wait_for_redis_and_headers_do_not(own_redis_server: RedisServer, tmp_path: Path) -> None:
    only = "0123456789abcdef" * 2
    headers = {"Authorization": f"Bearer {only}"}
    with Server("coordinator", own_redis_server.url, tmp_path, {"AGENT_ORCHESTRATOR_TOKEN": only}) as server:
        own_redis_server.kill()
        async with httpx.AsyncClient(timeout=DEADLINE_SECONDS) as client:
            assert (await client.get(f"{server.url}/whoami", headers=headers)).status_code == 200
            answer = await client.post(f"{server.url}/ws-ticket", headers=headers)
            assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
        assert (await refused(f"{server.ws_url}?ticket=x"))[0] == 1013
        own_redis_server.start()


def command(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {"AGENT_ORCHESTRATOR_TOKEN": "", "AGENT_ORCHESTRATOR_TOKENS_FILE": "", "REDIS_URL": ""}
    return subprocess.run(
        [sys.executable, "-m", *arguments], env=os.environ | clean | environment, capture_output=True, text=True,
        timeout=60, cwd=REPOSITORY, input="",
    )  # fmt: skip


def test_the_commands_of_the_bridge_send_the_token(guarded: Guarded, session_id: str) -> None:
    operator = {"AGENT_ORCHESTRATOR_TOKEN": guarded.tokens[Role.OPERATOR]}
    at = ("--api-url", guarded.a.url)
    bridge = "agent_bridge.cli"
    httpx.post(f"{guarded.a.url}/events", json=event(session_id), headers=guarded.headers(Role.AGENT))
    assert session_id in command(bridge, "ps", *at, **operator).stdout
    assert command(bridge, "stop", session_id, *at, **operator).returncode in (0, 1)
    tailed = command(bridge, "tail", session_id, "--until-end", "--json", *at, **operator)
    assert (tailed.returncode, json.loads(tailed.stdout.splitlines()[0])["session_id"]) == (0, session_id), (
        tailed.stderr
    )
    for arguments in (("ps",), ("stop", session_id), ("tail", session_id)):
        bare = command(bridge, *arguments, *at)
        assert bare.returncode == 1
        assert "AGENT_ORCHESTRATOR_TOKEN" in bare.stderr
        assert len(bare.stderr.splitlines()) == 1
        agents = command(bridge, *arguments, *at, AGENT_ORCHESTRATOR_TOKEN=guarded.tokens[Role.AGENT])
        assert "operator" in agents.stderr
        assert guarded.tokens[Role.AGENT] not in agents.stderr


def test_the_hook_sends_the_token(guarded: Guarded, session_id: str) -> None:
    body = json.dumps({"session_id": session_id, "hook_event_name": "UserPromptSubmit", "prompt": "x", "cwd": "/"})

    def hook(token: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "agent_bridge.entry", "hook", "--api-url", guarded.a.url, "--timeout-ms", "20000"],
            env=os.environ | {"AGENT_ORCHESTRATOR_TOKEN": token}, input=body, capture_output=True, text=True,
            timeout=60, cwd=REPOSITORY,
        )  # fmt: skip

    bare = hook("")
    assert (bare.returncode, bare.stdout) == (0, "")
    assert "answered 401" in bare.stderr
    assert hook(guarded.tokens[Role.AGENT]).stdout == "{}"
    url = f"{guarded.b.url}/sessions/{session_id}"
    assert httpx.get(url, headers=guarded.headers(Role.VIEWER)).json()["status"] == "running"


# No machine's own (RFC 5737), so nothing is ever opened to others here.
NOT_HERE = "192.0.2.1"


@pytest.mark.parametrize("part", ["coordinator", "documents", "up"])
def test_other_machines_are_let_in_with_tokens_or_when_it_is_said_and_not_otherwise(
    guarded: Guarded, part: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    ports = ["--port", str(free_port())] + (["--documents-port", str(free_port())] if part == "up" else [])
    common = [part, "--host", NOT_HERE, "--redis-url", redis_server.url, *ports, "--project-dir", str(tmp_path)]

    def said(*options: str, **environment: str) -> str:
        ended = command("api.cli", *common, *options, **environment)
        assert ended.returncode == 1
        (line,) = ended.stderr.splitlines()
        return line

    assert "--insecure" in said()
    # What stops these is that the address is not this machine's.
    assert "not an address of this machine" in said("--insecure")
    assert "not an address of this machine" in said(AGENT_ORCHESTRATOR_TOKENS_FILE=str(guarded.file))
