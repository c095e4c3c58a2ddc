"""Tokens that are missing, wrong, revoked, of another role, or in the wrong place."""

import base64
import json
from collections.abc import Iterator

from api.roles import Role, who_may
from api.token_commands import revoke
from tests.processes import REPOSITORY, Process, Server, wait_until
from tests.security.attacks import Attacks, Tries, into
from tests.security.system import System, event, socket_outcome
from tests.security.wire import CUT_OFF, exchange, request, status_of

GROUP: Attacks = {}
UNAUTHORIZED = 4401


def described(system: System) -> Iterator[tuple[Server, str, str]]:
    """Every route that the guarded servers say they have: the server, the method, the path's template."""
    for server in (system.guarded, system.guarded_documents):
        paths = system.client.get(f"{server.url}/openapi.json").json()["paths"]
        for path, methods in paths.items():
            yield from ((server, method.upper(), path) for method in methods)


def filled(template: str) -> str:
    """The path of something that there is not."""
    return template.replace("{", "no-").replace("}", "")


@into(GROUP, "no-token", "no token on any route, however its path is written")
def no_token(system: System, tries: Tries) -> None:
    viewer = system.headers(Role.VIEWER)
    for server, method, path in described(system):
        if who_may(method, path) is None:
            answer = system.client.request(method, server.url + path)
            tries.control(path, works=answer.status_code == 200)
            continue
        answer = system.client.request(method, server.url + filled(path))
        tries.refuse(f"{method} {path}", answer.status_code, 401)
    targets = [
        "/sessions/", "//sessions", "/./sessions", "/health/../sessions", "/%73essions", "/SESSIONS",
        "/sessions;x=/health",
        "/sessions?x=/health", "/assets/../sessions", "/assets/..%2fsessions", "/health%2f..%2fsessions",
        "/sessions%00",
        "/sessions%20", "http://localhost/sessions", "/ws", "/metrics", "/redoc", "/docs/oauth2-redirect",
        "/documents%2ftags",
    ]  # fmt: skip
    tricks = [
        "X-Original-URL: /health", "X-Rewrite-URL: /health", "X-Forwarded-For: 127.0.0.1",
        "X-HTTP-Method-Override: OPTIONS",
        "X-Forwarded-User: operator", "Sec-Fetch-Site: same-origin", "Connection: close, Authorization",
    ]  # fmt: skip
    port = system.guarded.port
    for target in targets:
        for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS"):
            if target.startswith("/assets/") and method in ("GET", "HEAD"):
                # The page's files are anybody's; there is none of that name.
                tries.refuse(f"{method} {target}", status_of(exchange(port, request(method, target))), 404)
                continue
            tries.refuse(f"{method} {target}", status_of(exchange(port, request(method, target))), 401, 400)
    for trick in tricks:
        tries.refuse(trick, status_of(exchange(port, request("GET", "/sessions", trick))), 401)
        tries.refuse(trick, status_of(exchange(port, request("POST", "/sessions/stop", trick, body=b"{}"))), 401)
    answer = system.client.get(f"{system.guarded.url}/sessions", headers=viewer)
    tries.control("a viewer's token", works=answer.status_code == 200)


@into(GROUP, "wrong-token", "a token that is nearly one")
def wrong_token(system: System, tries: Tries) -> None:
    token = system.tokens[Role.OPERATOR]
    kept = json.loads(system.tokens_file.read_text())["tokens"]
    nearly = [
        token[:-1], token + "x", token.upper(), token[1:], token.removeprefix("aot_"), "aot_", "operator", "x" * 5000,
        *(entry["sha256"] for entry in kept), *(entry["name"] for entry in kept), "null", "undefined", "*",
        "%s" % ("0" * 64),
        base64.b64encode(token.encode()).decode(), token + "\xe9", token[:20] + "\t" + token[20:],
    ]  # fmt: skip
    for server in (system.guarded, system.guarded_documents):
        path = "/sessions" if server is system.guarded else "/documents"
        for wrong in nearly:
            answers = exchange(server.port, request("GET", path, f"Authorization: Bearer {wrong}"))
            tries.refuse(f"{wrong[:30]!r}", status_of(answers), 401)
        answers = exchange(server.port, request("GET", path, f"Authorization: Bearer {token}\0"))
        tries.refuse("a token and NUL", status_of(answers), 400, 401)
        answers = exchange(server.port, request("GET", path, f"Authorization: Bearer {token}"))
        tries.control(f"the token itself, at {path}", works=status_of(answers) == 200)
    for wrong in nearly[:8]:
        outcome = socket_outcome(system.guarded.ws_url, additional_headers={"Authorization": f"Bearer {wrong}"})
        tries.refuse(f"a WebSocket with {wrong[:30]!r}", outcome, UNAUTHORIZED)


@into(GROUP, "other-role", "a token of another role, on every route")
def other_role(system: System, tries: Tries) -> None:
    worked = dict.fromkeys(Role, 0)
    for server, method, path in described(system):
        roles = who_may(method, path)
        for role in Role:
            answer = system.client.request(method, server.url + filled(path), headers=system.headers(role))
            if roles is None or role in roles:
                worked[role] += answer.status_code not in (401, 403)
                if answer.status_code in (401, 403):
                    tries.control(f"{method} {path} as {role}", works=False)
            else:
                tries.refuse(f"{method} {path} as {role}", answer.status_code, 403)
    for role, routes in worked.items():
        tries.control(f"{role}: {routes} routes", works=routes > 0)
    outcome = socket_outcome(system.guarded.ws_url, additional_headers=system.headers(Role.AGENT))
    tries.refuse("a WebSocket as agent", outcome, 4403)


@into(GROUP, "two-authorizations", "headers that two readers may read differently")
def two_authorizations(system: System, tries: Tries) -> None:
    viewer, operator = (system.tokens[role] for role in (Role.VIEWER, Role.OPERATOR))
    port = system.guarded.port
    unclear = [
        (f"Authorization: Bearer {viewer}", f"Authorization: Bearer {operator}"),
        (f"Authorization: Bearer {operator}", "Authorization: Bearer x"),
        ("Authorization: Bearer x", f"Authorization: Bearer {operator}"),
        (f"Authorization: Bearer {operator}", f"authorization: Bearer {operator}"),
        (f"Authorization: Bearer x, Bearer {operator}",),
        (f"Authorization: Bearer {operator}, Bearer x",),
        (f"Authorization: Basic {operator}",),
        ("Authorization: Basic " + base64.b64encode(f"operator:{operator}".encode()).decode(),),
        (f"Authorization: {operator}",),
        (f"Authorization: Bearer\t{operator}",),
        (f"Authorization: Bearer{operator}",),
        (f"Authorization: Bearer: {operator}",),
        (f"Authorization: Token {operator}",),
        (f"Proxy-Authorization: Bearer {operator}",),
        (f"X-Authorization: Bearer {operator}",),
        (f"Cookie: Authorization=Bearer {operator}; token={operator}",),
        (f"Sec-WebSocket-Protocol: {operator}",),
        (f"Authorization : Bearer {operator}",),
        (f" Authorization: Bearer {operator}",),
        ("Authorization:", f" Bearer {operator}"),
        (f"Authorization\0: Bearer {operator}",),
        (f"Authoriza\xadtion: Bearer {operator}",),
    ]
    for headers in unclear:
        status = status_of(exchange(port, request("GET", "/sessions", *headers)))
        tries.refuse(repr(headers).replace(operator, "…").replace(viewer, "…"), status, 401, 400, CUT_OFF)
    clear = [
        f"Authorization: Bearer {operator}",
        f"authorization: bearer {operator}",
        f"AUTHORIZATION: BEARER  {operator} ",
    ]
    for header in clear:
        status = status_of(exchange(port, request("GET", "/sessions", header)))
        tries.control(header.replace(operator, "…"), works=status == 200)


@into(GROUP, "token-in-address", "a token where logs and histories keep it")
def token_in_address(system: System, tries: Tries) -> None:
    token = system.tokens[Role.OPERATOR]
    for name in ("token", "access_token", "ticket", "authorization", "bearer", "key", "api_key"):
        for server, path in ((system.guarded, "/sessions"), (system.guarded_documents, "/documents")):
            answer = system.client.get(f"{server.url}{path}?{name}={token}")
            tries.refuse(f"GET {path}?{name}=", answer.status_code, 401)
        outcome = socket_outcome(f"{system.guarded.ws_url}?{name}={token}")
        tries.refuse(f"/ws?{name}=", outcome, UNAUTHORIZED)
    answer = system.client.get(f"http://operator:{token}@127.0.0.1:{system.guarded.port}/sessions")
    tries.refuse("user:token@host", answer.status_code, 401)
    answer = system.client.get(f"{system.guarded.url}/sessions", headers=system.headers(Role.OPERATOR))
    tries.control("the token in its header", works=answer.status_code == 200)


@into(GROUP, "revoked-token", "a token, a ticket and a WebSocket after their token was revoked")
def revoked_token(system: System, tries: Tries) -> None:
    token = system.create_token("leaving", Role.OPERATOR)
    mine = {"Authorization": f"Bearer {token}"}
    servers = ((system.guarded, "/sessions"), (system.guarded_documents, "/documents"))

    def answered(status: int) -> bool:
        return all(system.client.get(server.url + path, headers=mine).status_code == status for server, path in servers)

    wait_until(lambda: answered(200), "the new token to be known")
    tries.control("the token before", works=True)
    ticket = system.client.post(f"{system.guarded.url}/ws-ticket", headers=mine).json()["ticket"]
    system.secrets.append(ticket)
    revoke(system.tokens_file, "leaving")
    wait_until(lambda: answered(401), "the token to be revoked")
    for server, path in servers:
        tries.refuse(f"GET {path}", system.client.get(server.url + path, headers=mine).status_code, 401)
    for name in ("leaving", "leaving2"):
        # The same name, and another token.
        system.create_token(name, Role.OPERATOR)
    wait_until(
        lambda: system.client.get(f"{system.guarded.url}/whoami", headers=system.headers(Role.VIEWER)).is_success,
        "tokens"
    )  # fmt: skip
    tries.refuse("the token after its name was given anew", 401 if answered(401) else "let in", 401)
    tries.refuse("its ticket", socket_outcome(f"{system.guarded.ws_url}?ticket={ticket}"), UNAUTHORIZED)
    outcome = socket_outcome(system.guarded.ws_url, additional_headers=mine)
    tries.refuse("a WebSocket", outcome, UNAUTHORIZED)


@into(GROUP, "ticket-again", "a ticket that was used, has expired, was made up, or comes among others")
def ticket_again(system: System, tries: Tries) -> None:
    url = system.guarded.ws_url

    def ticket() -> str:
        answer = system.client.post(f"{system.guarded.url}/ws-ticket", headers=system.headers(Role.VIEWER))
        system.secrets.append(answer.json()["ticket"])
        return str(answer.json()["ticket"])

    good = ticket()
    tries.control("a ticket once", works=socket_outcome(f"{url}?ticket={good}") == "init")
    for _ in range(3):
        tries.refuse("a ticket again", socket_outcome(f"{url}?ticket={good}"), UNAUTHORIZED)
    expired = ticket()
    for key in system.database.scan_iter("security-guarded:ticket:*"):
        # What time does, brought forward.
        system.database.delete(key)
    tries.refuse("a ticket that has expired", socket_outcome(f"{url}?ticket={expired}"), UNAUTHORIZED)
    for made_up in ("", "x", "a" * 43, "*", "%00", "%ff", ticket()[:-1], "..", "security-guarded:ticket:*"):
        tries.refuse(f"{made_up!r}", socket_outcome(f"{url}?ticket={made_up}"), UNAUTHORIZED)
    tries.refuse("two, the good one behind", socket_outcome(f"{url}?ticket={ticket()}&ticket=x"), UNAUTHORIZED)
    # A header counts before a ticket: who sends a wrong one has no other way in.
    wrong = {"Authorization": "Bearer x"}
    outcome = socket_outcome(f"{url}?ticket={ticket()}", additional_headers=wrong)
    tries.refuse("a ticket beside a wrong header", outcome, UNAUTHORIZED)
    answer = system.client.post(f"{system.guarded.url}/events", params={"ticket": ticket()}, json=event("s"))
    tries.refuse("a ticket for a report", answer.status_code, 401)
    answer = system.client.post(f"{system.guarded.url}/ws-ticket", headers=system.headers(Role.AGENT))
    tries.refuse("a ticket for an agent", answer.status_code, 403)


@into(GROUP, "planted-tokens", "a file of tokens that others can write")
def planted_tokens(system: System, tries: Tries) -> None:
    # Its hash is in the file; the file is open to others, or not one.
    good = system.tokens_file.read_text()
    stranger = system.create_token("stranger", Role.OPERATOR)
    planted = system.tokens_file.read_text()
    system.tokens_file.write_text(good)
    headers = {"Authorization": f"Bearer {stranger}"}
    url = f"{system.guarded.url}/whoami"
    try:
        for what, mode, text in (
            ("writable by others", 0o666, planted),
            ("a limit that is not known", 0o600, planted.replace('"role"', '"expires": 0, "role"')),
        ):
            complaints = system.guarded.output.count("stay in force")
            system.tokens_file.chmod(mode)
            system.tokens_file.write_text(text)

            def complained(before: int = complaints) -> bool:
                system.client.get(url, headers=headers)
                return system.guarded.output.count("stay in force") > before

            wait_until(complained, f"the server to notice a file that is {what}")
            tries.refuse(what, system.client.get(url, headers=headers).status_code, 401)
            tries.control("the tokens that were in force", works=system.client.get(
                url, headers=system.headers(Role.VIEWER)).is_success)  # fmt: skip
            system.tokens_file.chmod(0o600)
    finally:
        system.tokens_file.chmod(0o600)
        system.tokens_file.write_text(good)


@into(GROUP, "open-token-file", "a server that starts on a file of tokens which others can read")
def open_token_file(system: System, tries: Tries) -> None:
    file = system.folder / "open-tokens.json"
    file.write_text(system.tokens_file.read_text())
    for path, mode in ((file, 0o644), (file, 0o620), (system.folder, 0o700)):
        path.chmod(mode)
        ended = started(system, {"AGENT_ORCHESTRATOR_TOKENS_FILE": str(path)})
        tries.refuse(f"{path.name} with mode {mode:o}", ended, "does not start")
    tries.control("a file of mode 0600", works=system.guarded.popen.poll() is None)


def started(system: System, environment: dict[str, str], *options: str) -> str:
    """What becomes of a coordinator that is started with these: it ends by itself, having said why in one line."""
    log = system.folder / "not-started.log"
    log.unlink(missing_ok=True)
    arguments = ["-m", "api.cli", "coordinator", "--redis-url", system.redis_url, "--port", str(system.guarded.port)]
    process = Process([*arguments, *options], environment, log, REPOSITORY)
    try:
        status = process.popen.wait(30)
    finally:
        process.stop()
    return "does not start" if status == 1 and len(process.output.splitlines()) == 1 else process.output
