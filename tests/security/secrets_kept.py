"""What may not be told: secrets in logs and answers, and what the machine looks like inside in errors."""

import json
import tempfile
from concurrent.futures import ThreadPoolExecutor

import httpx

from api.roles import Role
from tests.processes import RedisServer, Server, wait_until, worker
from tests.security.attacks import Attacks, Tries, into
from tests.security.system import System, dead_port, socket_outcome
from tests.security.wire import exchange, request

GROUP: Attacks = {}


@into(GROUP, "secret-in-log", "tokens, tickets, passwords and blueprints' secrets, sought in every log")
def secret_in_log(system: System, tries: Tries) -> None:
    before = len(list(system.leaks()))
    operator = system.headers(Role.OPERATOR)
    url = system.guarded.url
    for token in (system.tokens[Role.AGENT], *(system.secret() for _ in range(3))):
        # In places where they belong, and in those where they don't.
        for headers in ({"Authorization": f"Bearer {token}"}, {"Authorization": f"Basic {token}"},
                        {"X-Request-ID": token},
                        {"Cookie": token}, {"User-Agent": token}, {"traceparent": token}):  # fmt: skip
            for path in ("/sessions", "/events", "/none", f"/none?token={token}"):
                system.client.post(url + path, headers=headers, content=token)
        socket_outcome(f"{system.guarded.ws_url}?ticket={token}")
        exchange(system.guarded.port, request("GET", "/sessions", f"Authorization : Bearer {token}"))
    blueprint = {"name": "secretive", "description": "", "mcp_servers": {
        "a": {"command": "x", "env": {"TOKEN": system.secret()}},
        "b": {"type": "http", "url": f"https://user:{system.secret()}@mcp.example",
        "headers": {"Authorization": system.secret()}},
    }}  # fmt: skip
    answer = system.client.post(f"{url}/agents", json=blueprint, headers=operator)
    tries.control("a blueprint's secrets reach who may read them", works=system.secrets[-1] in system.client.get(
        f"{url}/agents/secretive", headers=system.headers(Role.VIEWER)).text)  # fmt: skip
    for wrong in ({**blueprint, "name": "!"}, {**blueprint, "mcp_servers": {"a": {"command": 1,
                  "env": {"T": system.secret()}}}},
                  {**blueprint, "status": system.secret()}):  # fmt: skip
        answer = system.client.post(f"{url}/agents", json=wrong, headers=operator)
        told = [secret for secret in system.secrets if secret in answer.text]
        tries.harmless("a refused blueprint", "not repeated in the answer", held=answer.status_code == 422 and not told)
    answer = system.client.get(f"{url}/agents/secretive", headers=system.headers(Role.AGENT))
    tries.refuse("a blueprint, as agent", answer.status_code, 403)
    for file in (json.dumps({"tokens": [{"name": "x", "sha256": system.secret()}]}), system.secret()):
        _complained(system, file)
    with dead_port() as port:
        password = system.secret()
        away = f"redis://default:{password}@127.0.0.1:{port}/0"
        with worker(away, system.folder / "away") as process:
            system.processes.append(process)
            wait_until(lambda: "going on in" in process.output, "the worker to complain")
        tries.control("where Redis is, is told without its password", works=f":***@127.0.0.1:{port}" in process.output)
    leaks = list(system.leaks())
    for process in system.processes:
        tries.harmless(process.log.name, "not in the log", held=bool(process.output))
    tries.harmless(f"{len(system.secrets)} secrets", "in no log", held=len(leaks) == before == 0)


def _complained(system: System, text: str) -> None:
    good, seen = system.tokens_file.read_text(), system.guarded.output.count("no file of tokens")
    system.tokens_file.write_text(text)

    def complained() -> bool:
        system.client.get(f"{system.guarded.url}/whoami", headers=system.headers(Role.VIEWER))
        return system.guarded.output.count("no file of tokens") > seen

    try:
        wait_until(complained, "the server to complain about its file")
    finally:
        system.tokens_file.write_text(good)


@into(GROUP, "telling-error", "errors that tell what the server looks like inside")
def telling_error(system: System, tries: Tries) -> None:
    inside = ["Traceback", 'File "', "site-packages", str(system.folder), "redis://", str(system.redis.port),
              "user_script",
              tempfile.gettempdir(), "/usr/",
              "/root", "/home/", ".py", "0x7f", "asyncio", "starlette", "uvicorn"]  # fmt: skip
    for server in (system.coordinator, system.documents, system.guarded):
        paths = system.client.get(f"{server.url}/openapi.json").json()["paths"]
        for path in (*paths, "/none", "/sessions/%00", "/assets/none.js"):
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
                filled = path.replace("{", "no-").replace("}", "")
                for content in (b"", b"{", b'{"limit": "x"}'):
                    (answer,) = exchange(server.port, request(method, filled + "?limit=x&since=x", body=content))
                    if answer.status < 400:
                        continue
                    told = [word for word in inside if word.encode() in answer.body]
                    tries.harmless(
                        f"{method} {path}: {told}",
                        f"{answer.status // 100}xx in words",
                        held=not told and answer.status < 500,
                    )
                    tries.harmless(f"{method} {path}", "no Server header", held=answer.header("server") is None)
    seen = system.client.get(f"{system.coordinator.url}/sessions/none")
    tries.control("an error says what is wrong", works=seen.json() == {"detail": "No session 'none'"})


@into(GROUP, "telling-outage", "errors while Redis is away")
def telling_outage(system: System, tries: Tries) -> None:
    environment = {
        "AGENT_ORCHESTRATOR_TOKENS_FILE": "",
        "AGENT_ORCHESTRATOR_TOKEN": "",
        "AGENT_ORCHESTRATOR_NAMESPACE": "outage",
    }
    folder = system.folder / "outage"
    with RedisServer(folder / "redis") as redis:
        url = f"redis://default:{system.secret()}@127.0.0.1:{redis.port}/0"
        with (
            Server("coordinator", url, folder, environment) as coordinator,
            Server("documents", url, folder, environment) as documents,
        ):
            system.processes += [coordinator, documents]
            redis.kill()
            inside = (str(redis.port), "127.0.0.1", "redis://", "Errno", "Error ", system.secrets[-1])
            asked = [
                (coordinator, "GET", "/ready", None), (coordinator, "GET", "/health", None), (documents, "GET",
                "/ready", None),
                (documents, "GET", "/health", None), (coordinator, "GET", "/sessions", None),
                (coordinator, "POST", "/sessions/stop", {"session_ids": ["a", "b"]}), (coordinator, "POST",
                "/sessions/a/stop", None),
                (coordinator, "POST", "/ws-ticket", None), (documents, "GET", "/documents", None),
                (documents, "GET", "/documents/tags", None), (coordinator, "GET", "/metrics", None),
            ]  # fmt: skip
            with ThreadPoolExecutor(len(asked)) as pool:
                answers = list(pool.map(lambda each: httpx.request(
                    each[1], each[0].url + each[2], json=each[3], timeout=30), asked))  # fmt: skip
            for (_, method, path, _), answer in zip(asked, answers, strict=True):
                told = [word for word in inside if word in answer.text]
                tries.harmless(f"{method} {path} told {told}", f"{answer.status_code}, and no address", held=not told)
            tries.control("the log says more", works=f"127.0.0.1:{redis.port}" in coordinator.output)
