"""Both servers, each route that they describe, and what nobody well-meaning sends: refused in words, with no harm."""

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx
import pytest

from agent_bus.keys import Keys
from agent_bus.timestamps import now
from tests.processes import RedisServer, Server

SEGMENTS = [
    "%00", "a%00b", "%ff", "%2e", "%2e%2e", "..%2f..%2fetc", "a%2Fb", "*", "s*", "%3f", "%5bcanary%5d", "canar%5c",
    "%0d%0aX-Injected:%201", "%22%5d%20redis.call(%27FLUSHALL%27)--", "%ed%a0%80", "%e2%80%a8", "{}", "%25s",
    "%24%7bx%7d", "'", "canary:history", "%7f", "-1", "nan", ";a", "%3Cscript%3E", "9" * 400, "x" * 5000,
]  # fmt: skip
QUERIES = [
    "", "%00", "%ff", "%ed%a0%80", "*", "[", "(a*)*b", "%0d%0aX-Injected:1", "-1", "1e5", "nan", "9" * 30, "9" * 5000,
    "a,b,*,%00", "*a" * 100 + "b", "MQ", "OnM", "__8", "x" * 5000,
]  # fmt: skip
HEADERS = [
    ("x-request-id", "a\tb"), ("x-request-id", "x" * 5000), ("traceparent", "00-" + "f" * 5000), ("accept", "\xff"),
    ("accept", "*/*;q=9," * 500), ("if-match", f'"{"9" * 5000}"'), ("if-none-match", '"' * 3000),
    ("if-range", '"\xff"'),
    ("range", "bytes=0-" + "9" * 4000), ("range", "bytes=" + "0-0," * 1000), ("content-encoding", "gzip"),
    ("content-type", "\xff"), ("content-type", "application/json; charset=utf-16"),
    ("content-type", "multipart/form-data; boundary=" + "b" * 5000), ("x-session-name", "\xff\xfe"),
    ("x-agent-name", "a" * 20_000), ("host", "localhost:99999999999"), ("host", "[::1"), ("origin", "\xff"),
    ("cookie", "\xff" * 5000), ("authorization", "Bearer \xff"), ("x-forwarded-for", "\xff"),
]  # fmt: skip
BODIES = [
    b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 100_000, b'{"a":' * 50_000,
    b'"\\ud800"', b"NaN", b"1e999", b"9" * 5000, b'{"a":NaN}', b'{"a":1e999}', b'{"":1}', b" " * 900_000,
    b'{"' + b"k" * 500_000 + b'":1}', b"{" + b",".join(b'"%d":1' % n for n in range(60_000)) + b"}",
    b'{"a":' + b"[" * 900 + b"]" * 900 + b"}",
]  # fmt: skip
VALUES = [
    '"\\ud800"', '"\\udc00\\ud800"', '"a\\u0000b"', '""', '"*"', '"../../x"', '"\\r\\nX-Injected: 1"', '"\\u2028"',
    "NaN", "1e999", "-1e999", "9" * 5000, "1e400", "{}", "[]", "null", "true", "-0.0", '["\\ud800"]', '[["a"]]',
    '{"\\ud800":"x"}', '{"a\\u0000":"\\u0000"}', "[" * 150 + "]" * 150, "[" * 900 + "]" * 900,
    '"' + "x" * 100_000 + '"',
]  # fmt: skip
FILENAMES = [
    b"a\r\nX-Injected: 1", b"a\nb", b"..", b".", b"/", b"\\", b"../../etc/passwd", b"C:\\x", b"a\x00b", b"\xff\xfe",
    b'a\\"b', b"%0d%0aX-Injected: 1", b"\xed\xa0\x80", b"x" * 5000, "\u202egpj.exe".encode(), b" ", b"*", b"-rf",
    b"a;b",
]  # fmt: skip
# What is not described as a property, and is read all the same.
MORE_FIELDS = ["project_dir", "agent_name", "usage", "cost_usd", "tool_response", "tool_use_id", "agent_id"]


class Target:
    """One server, and what it said wrong."""

    def __init__(self, server: Server, examples: dict[str, str]) -> None:
        self.client = httpx.Client(base_url=server.url, timeout=60)
        self.wrong: list[Any] = []
        self._examples = examples
        self.description: Any = self.client.get("/openapi.json").json()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Whatever comes of it is an answer: an error says why, and nothing that was sent has become a header."""
        answer = self.client.request(method, path, **request)
        said = (method, path[:80], str(request)[:200], answer.status_code, answer.text[:200])
        well = answer.status_code < 500 and not any(name.startswith("x-injected") for name in answer.headers)
        if answer.status_code >= 400 and method != "HEAD":
            well = well and answer.headers["content-type"] == "application/json" and set(answer.json()) == {"detail"}
        if not well:
            self.wrong.append(said)
        return answer

    def operations(self) -> Iterator[tuple[str, str, Any]]:
        for path, operations in self.description["paths"].items():
            for method, operation in operations.items():
                yield method.upper(), path, operation

    def harmless(self, path: str) -> str:
        """The path of something that is there, and may come to harm."""
        return re.sub(r"\{(\w+)\}", lambda name: self._examples[name[1]], path)

    def fields(self, operation: Any) -> list[str]:
        body = operation["requestBody"]["content"].get("application/json", {}).get("schema", {})
        named = re.search(r"schemas/(\w+)", body.get("$ref", ""))
        schema = self.description["components"]["schemas"][named[1]] if named else body
        return [*schema.get("properties", {}), *MORE_FIELDS]


def form(*parts: tuple[bytes, bytes], end: bytes = b"--B--\r\n") -> dict[str, Any]:
    body = b"".join(
        b"--B\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + value + b"\r\n" for head, value in parts
    )
    return {"content": body + end, "headers": {"content-type": "multipart/form-data; boundary=B"}}


FILE = (b'name="file"; filename="a"', b"x")


@pytest.fixture
def targets(redis_server: RedisServer, keys: Keys, tmp_path: Path) -> Iterator[list[Target]]:
    """Both servers with a canary in each; they have to be as they were in the end."""
    environment = {"AGENT_ORCHESTRATOR_NAMESPACE": keys.namespace}
    with ExitStack() as stack:
        coordinator, documents = (
            stack.enter_context(Server(part, redis_server.url, tmp_path, environment))
            for part in ("coordinator", "documents")
        )
        for session_id in "canary", "s":
            event = {
                "event_type": "session_start",
                "session_id": session_id,
                "session_name": session_id,
                "timestamp": now(),
            }
            httpx.post(f"{coordinator.url}/events", json=event).raise_for_status()
        httpx.post(f"{coordinator.url}/agents", json={"name": "canary", "description": "d"}).raise_for_status()
        session = httpx.get(f"{coordinator.url}/sessions/canary").json()
        blueprint = httpx.get(f"{coordinator.url}/agents/canary").json()
        kept, other = (
            httpx.post(f"{documents.url}/documents", files={"file": ("c", b"canary")}, data={"tags": "canary"}).json()
            for _ in range(2)
        )
        yield [
            stack.enter_context(Target(coordinator, {"session_id": "s", "name": "s"})),
            stack.enter_context(Target(documents, {"document_id": other["id"]})),
        ]
        assert httpx.get(f"{coordinator.url}/sessions/canary").json() == session
        assert httpx.get(f"{coordinator.url}/agents/canary").json() == blueprint
        assert httpx.get(f"{documents.url}/documents/{kept['id']}").content == b"canary"
        assert httpx.get(f"{documents.url}/documents/{kept['id']}/metadata").json() == kept
        for server in coordinator, documents:
            assert "unhandled error" not in server.output


def test_hostile_paths_queries_and_headers_are_answered_in_words(targets: list[Target]) -> None:
    for target in targets:
        for method, path, operation in target.operations():
            for segment in SEGMENTS if "{" in path else ():
                target.ask(method, re.sub(r"\{\w+\}", lambda _, to=segment: to, path))
            if method == "DELETE":
                continue
            there = target.harmless(path)
            queried = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
            for name, value in itertools.product(queried, QUERIES):
                target.ask(method, f"{there}?{name}={value}")
            for name, value in HEADERS:
                target.ask(method, there, headers={name: value.encode("latin-1")})
        assert target.wrong == []


def test_hostile_bodies_are_answered_in_words(targets: list[Target]) -> None:
    right = {
        "event_type": "message", "session_id": "s", "session_name": "s", "timestamp": now(), "name": "a",
        "hook_event_name": "PostToolUse", "description": "d", "status": "active", "tool_name": "Bash",
    }  # fmt: skip
    for target in targets:
        for method, path, operation in target.operations():
            if "requestBody" not in operation:
                continue
            there = target.harmless(path)
            for body, kind in itertools.product(
                BODIES, ("application/json", "text/plain", "application/x-www-form-urlencoded")
            ):
                target.ask(method, there, content=body, headers={"content-type": kind})
            for name, value in itertools.product(target.fields(operation), VALUES):
                # All sessions, the canary too, are not to be stopped.
                others = {} if path == "/sessions/stop" else {key: text for key, text in right.items() if key != name}
                if (path, name, value) == ("/sessions/stop", "all", "true"):
                    continue
                text = f"{json.dumps(others)[:-1]}{', ' if others else ''}{json.dumps(name)}: {value}}}"
                target.ask(method, there, content=text.encode(), headers={"content-type": "application/json"})
        assert target.wrong == []


def test_hostile_forms_are_answered_in_words_and_names_of_files_stay_names(
    targets: list[Target], tmp_path: Path
) -> None:
    target = targets[1]
    before = {path for path in tmp_path.rglob("*") if "blobs" not in path.parts}
    for name in FILENAMES:
        for parameter in b'filename="' + name + b'"', b"filename*=UTF-8''" + name:
            answer = target.ask("POST", "/documents", **form((b'name="file"; ' + parameter, b"x")))
            if answer.status_code == 201:
                document = answer.json()
                assert not re.search(r"[/\\\x00]", document["filename"])
                downloaded = target.ask("GET", f"/documents/{document['id']}")
                assert downloaded.content == b"x"
                assert downloaded.headers["content-disposition"].startswith("attachment; ")
                target.ask("GET", "/documents", params={"filename": document["filename"]})
    for tags in (
        b",".join(b"t%d" % n for n in range(9000)), b",".join(b"t%d" % n for n in range(101)), b"\xff", b"\x00",
        "ä".encode(), b"a b", b"*", b"a" * 65,
    ):  # fmt: skip
        assert target.ask("POST", "/documents", **form(FILE, (b'name="tags"', tags))).status_code in (413, 422)
    for metadata in [*BODIES[1:], *(f'{{"a":{value}}}'.encode() for value in VALUES)]:
        target.ask("POST", "/documents", **form(FILE, (b'name="metadata"', metadata)))
    for said in (
        form(end=b""), form(end=b"--B"), form(), form(FILE, FILE), form(*[(b'name="x"', b"")] * 60),
        form(FILE, end=b""), form((b"name=\xff", b"x")), form((b"x", b"x")), form((b'name="file"', b"x")),
        form(end=b"\r\n" * 400_000), form(end=b"--B\r\n" + b"h: v\r\n" * 100_000),
    ):  # fmt: skip
        target.ask("POST", "/documents", **said)
    assert target.wrong == []
    assert {path for path in tmp_path.rglob("*") if "blobs" not in path.parts} == before


IDS = ["*", "s*", "?", "[s]", "[^x]", "s%*", "{s}", "'", '"', "]]", "${s}", "%s", "$1", ":", "s:events", "-",
       "--", "$", "~", "s|t", "\u2028", "😀", " ", "redis.call('flushall')", "KEYS[1]", "null",
       "__proto__", "e\u0301"]  # fmt: skip


def test_ids_are_data_and_never_patterns(targets: list[Target]) -> None:
    """What is done to one session is done to it alone, whatever it is called."""
    client = targets[0].client
    ids = [*IDS, *(f"near {each}" for each in IDS)]
    for session_id in ids:
        at = {"session_id": session_id, "session_name": session_id, "timestamp": now()}
        for kind in "session_start", "message":
            assert client.post("/events", json=at | {"event_type": kind}).status_code == 200, session_id

    def states() -> dict[str, tuple[str, int]]:
        listed = client.get("/sessions", params={"limit": 1000}).json()["sessions"]
        return {each["session_id"]: (each["status"], each["events"]) for each in listed if each["session_id"] in ids}

    expected = dict.fromkeys(ids, ("running", 2))
    assert states() == expected
    for session_id in IDS:
        path = quote(session_id, safe="")
        page = client.get(f"/events/{path}").json()
        assert [event["session_id"] for event in page["events"]] == [session_id] * 2
        stopped = client.post(f"/sessions/{path}/stop").json()
        assert (stopped["session_id"], stopped["status"]) == (session_id, "stopped")
        expected[session_id] = ("stopped", states()[session_id][1])
        assert states() == expected
        found = client.get("/sessions", params={"q": session_id, "limit": 1000}).json()["sessions"]
        assert {session_id, f"near {session_id}"} <= {each["session_id"] for each in found} or session_id == " "
    for session_id in IDS:
        deleted = client.delete(f"/sessions/{quote(session_id, safe='')}")
        assert (deleted.status_code, deleted.json()["deleted"]["session"]) == (200, True)
        del expected[session_id]
        assert states() == expected
