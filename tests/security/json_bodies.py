"""JSON that parsers differ about, or choke on: refused in words, or kept as what it was."""

import json
from collections.abc import Iterator

import orjson

from tests.security.attacks import Attacks, Tries, into
from tests.security.system import MAX_EVENT_BYTES, System, event

GROUP: Attacks = {}

DEEP = 30_000
"""As deep as the largest body can go, about."""

# Raw JSON values that have no place in a body.
VALUES: dict[str, bytes] = {
    "nested lists": b"[" * DEEP + b"]" * DEEP,
    "nested objects": b'{"a":' * (DEEP // 4) + b"1" + b"}" * (DEEP // 4),
    "an open nest": b"[" * DEEP,
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "-Infinity": b"-Infinity",
    "1e999": b"1e999",
    "-1e999": b"-1e999",
    "an integer of 10,000 digits": b"9" * 10_000,
    "an integer of 60,000 digits": b"9" * 60_000,
    "a fraction of 60,000 digits": b"0." + b"9" * 60_000,
    "half a surrogate pair": b'"\\ud800"',
    "surrogates the wrong way round": b'"\\udc00\\ud800"',
    "raw surrogates": b'"\xed\xa0\x80"',
    "overlong NUL": b'"\xc0\x80"',
    "broken UTF-8": b'"\xff\xfe"',
    "a raw NUL": b'"\x00"',
    "an escaped NUL": b'"\\u0000"',
    "a raw line end": b'"\n"',
    "a byte order mark": b"\xef\xbb\xbf1",
    "a comment": b"/**/1",
    "a single quote": b"'x'",
    "a trailing comma": b"[1,]",
    "a leading zero": b"01",
    "a hexadecimal number": b"0x10",
    "two values": b"1 2",
    "a name that is a prototype": b'{"__proto__":{"a":1},"constructor":1}',
    "a huge text": b'"' + b"x" * 60_000 + b'"',
    "many names": b"{" + b",".join(b'"%d":1' % n for n in range(5000)) + b"}",
}
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b" " * 1000,
    "null": b"null",
    "a list": b"[]",
    "a text": b'"x"',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-32": '{"a":1}'.encode("utf-32"),
    "a mark in front": b"\xef\xbb\xbf{}",
    "a pickle": b"\x80\x04K\x01.",
    "a form": b"a=1&b=2",
    "XML with an entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
}


def targets(system: System) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Every route that takes JSON, and a body that it takes."""
    url, session_id = system.coordinator.url, system.session()
    system.client.post(f"{url}/agents", json={"name": "json", "description": ""})
    yield "POST", f"{url}/events", event("json")
    yield (
        "POST",
        f"{url}/hooks/claude-code",
        {"session_id": "json", "hook_event_name": "UserPromptSubmit", "prompt": "x"},
    )
    yield "POST", f"{url}/sessions/stop", {"agent_name": "nobody"}
    yield "PATCH", f"{url}/sessions/{session_id}/metadata", {"session_name": "n"}
    yield "PATCH", f"{url}/agents/json", {"description": "d"}
    yield "PATCH", f"{url}/agents/json/status", {"status": "active"}
    yield "PATCH", f"{system.documents.url}/documents/{system.upload()}", {"tags": ["a"]}


@into(GROUP, "odd-json", "JSON that nests, overflows, or is none, in every field of every route")
def odd_json(system: System, tries: Tries) -> None:
    for method, url, body in targets(system):
        route = f"{method} {url.rpartition('/')[2]}"

        def send(raw: bytes, method: str = method, url: str = url) -> int:
            answer = system.client.request(method, url, content=raw, headers={"Content-Type": "application/json"})
            # What a browser would get has to be what it can read.
            orjson.loads(answer.content)
            return answer.status_code

        for what, raw in BODIES.items():
            tries.refuse(f"{route}: {what}", send(raw), 422, 400)
        for what, value in VALUES.items():
            tries.refuse(f"{route}: {what} as the body", send(value), 422, 400)
            for field in body:
                whole = json.dumps(body | {field: None}).encode()
                marked = whole.replace(
                    json.dumps(field).encode() + b": null", json.dumps(field).encode() + b": " + value, 1
                )
                noted(tries, f"{route}: {what} as {field}", send(marked))
            added = json.dumps(body).encode()[:-1] + b', "added": ' + value + b"}"
            noted(tries, f"{route}: {what} beside the others", send(added))
        tries.control(route, works=send(json.dumps(body).encode()) == 200)


def noted(tries: Tries, what: str, status: int) -> None:
    """A field may be taken as it is, if it can be; what must not happen is another status."""
    if status == 200:
        tries.harmless(what, "taken, and answered with JSON", held=True)
    else:
        tries.refuse(what, status, 422, 400, 413)


@into(GROUP, "kept-json", "what was taken comes back as JSON that a browser reads")
def kept_json(system: System, tries: Tries) -> None:
    url = system.coordinator.url
    for what, value in VALUES.items():
        session_id = system.session()
        head = json.dumps(event(session_id, "message")).encode()[:-1]
        for name in (b'"x": ', b'"tool_output": ', b'"tool_input": ', b'"content": ', b'"error": ', b'"project_dir": '):
            answer = system.client.post(f"{url}/events", content=head + b", " + name + value + b"}")
            if answer.status_code != 200:
                tries.refuse(f"{what} as {name.decode()}", answer.status_code, 422)
        for path in (
            f"/events/{session_id}",
            f"/events/{session_id}/outline",
            f"/events/{session_id}/outline?q=x",
            f"/sessions/{session_id}",
            "/sessions",
        ):
            answer = system.client.get(url + path)
            strict = answer.status_code == 200 and orjson.loads(answer.content)
            tries.harmless(f"{what} read at {path}", "strict JSON", held=bool(strict))
    twice = json.dumps(event("first")).encode()[:-1] + b', "session_id": "second"}'
    answer = system.client.post(f"{url}/events", content=twice)
    kept = [system.client.get(f"{url}/sessions/{name}").status_code for name in ("first", "second")]
    tries.harmless(
        "a name given twice", "the last one in all places", held=(answer.status_code, kept) == (200, [404, 200])
    )
    session_id = system.session()
    text = {"a": [1, 2.5, None, "😀\u2028</script>"]}
    system.report(session_id, event_type="post_tool", tool_output=text)
    found = system.client.get(f"{url}/events/{session_id}").json()["events"][-1]["tool_output"]
    tries.control("an odd text comes back as it was", works=found == text)


@into(GROUP, "odd-metadata", "JSON in a form's field")
def odd_metadata(system: System, tries: Tries) -> None:
    url = f"{system.documents.url}/documents"

    def send(metadata: bytes) -> int:
        body = b'--B\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n' + metadata + b"\r\n"
        body += b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--B--\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=B"}
        return system.client.post(url, content=body, headers=headers).status_code

    for what, value in VALUES.items():
        for raw in (value, b'{"a": ' + value + b"}"):
            status = send(raw)
            if status == 201:
                tries.harmless(what, "a text, kept as it is", held=what in ("a huge text", "an escaped NUL"))
            else:
                tries.refuse(what, status, 422, 413)
    for what, raw in BODIES.items():
        if raw:
            tries.refuse(what, send(raw), 422)
    assert len(VALUES["nested lists"]) < MAX_EVENT_BYTES
    tries.control("an object of texts", works=send(b'{"a": "b"}') == 201)
