"""Ids that look like patterns, keys, scripts or paths: they are data, and name what they say and nothing else."""

from urllib.parse import quote

from websockets.sync.client import connect

from tests.security.attacks import Attacks, Tries, into
from tests.security.system import OPEN, System, event, socket_outcome

GROUP: Attacks = {}

STRANGE = [
    "*", "?", "[a-z]*", "s-*", "**", "[", "]", "{s}", "{", "%", "%s", "%d", "%1$s", "*:*", "security-open:*", ":",
    "::", "'", '"', "' .. redis.call('FLUSHALL') .. '", "]] redis.call('FLUSHALL') --[[", "${7*7}", "{{7*7}}", "$",
    "-1",
    "0", "+inf", "(", "#", "!", "&", "nil", "None", "null", "undefined", "__proto__", "constructor", "toString",
    "__class__",
    "x; DROP TABLE sessions", "a b", "a+b", "é", "\u202e", "\u0130", "😀", "\ufeff", "\u00a0", "a" * 200, "....", "-",
    "--",
]  # fmt: skip
REFUSED = [
    ".", "..", "a/b", "a\\b", "", "a\0b", "a\nb", "a\rb", "\x1b[2J", "\x7f", "\x85", "a" * 201, "a" * 10_000, "../x",
    "/", "\\*",
]  # fmt: skip


@into(GROUP, "id-as-pattern", "ids with the characters of patterns, keys and scripts")
def id_as_pattern(system: System, tries: Tries) -> None:
    victims = [system.session() for _ in range(3)]
    url = system.coordinator.url
    for name in STRANGE:
        path = f"{url}/sessions/{quote(name, safe='')}"
        for what, answer in (
            ("stop", system.client.post(f"{path}/stop")),
            ("rename", system.client.patch(f"{path}/metadata", json={"session_name": "taken"})),
            ("delete", system.client.delete(path)),
            ("events", system.client.get(f"{url}/events/{quote(name, safe='')}")),
        ):
            tries.refuse(f"{what} {name!r}", answer.status_code, 404)
        assert system.report(name).status_code == 200
        seen = system.client.get(path)
        tries.harmless(f"a session called {name!r}", "itself only", held=seen.json().get("session_id") == name)
        assert system.client.delete(path).json()["deleted"] == {"session": True, "events_count": 1}
    for victim in victims:
        session = system.client.get(f"{url}/sessions/{victim}").json()
        whole = (session["status"], session["session_name"], session["events"]) == ("running", victim, 1)
        tries.harmless("all of these", "others are as they were", held=whole)
    many = {"session_ids": STRANGE[:20]}
    answer = system.client.post(f"{url}/sessions/stop", json=many).json()
    tries.refuse("stop many", answer["stopped"], 0)
    tries.control(
        "an id stops its own session", works=system.client.post(f"{url}/sessions/{victims[0]}/stop").json()["success"]
    )


@into(GROUP, "id-refused", "ids that can't be one, in reports and hooks")
def id_refused(system: System, tries: Tries) -> None:
    url = system.coordinator.url
    before = _sessions(system)
    for name in REFUSED:
        tries.refuse(f"a report of {name[:20]!r}", system.report(name).status_code, 422)
        hook = {"session_id": name, "hook_event_name": "UserPromptSubmit", "prompt": "x", "cwd": "/"}
        answer = system.client.post(f"{url}/hooks/claude-code", json=hook)
        tries.refuse(f"a hook of {name[:20]!r}", answer.status_code, 422)
    for kind in ("", "UPPER", "a b", "a" * 65, "a\n", "1a", "é", "../x"):
        answer = system.client.post(f"{url}/events", json=event("s-kind", kind))
        tries.refuse(f"event type {kind[:20]!r}", answer.status_code, 422)
    for time in ("", "now", "1969-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-24", "2026-02-30T00:00:00Z", "1e9",
                 "2026-01-24T25:00:00Z", "2026-01-24T10:00:00+99:00", "x" * 10_000,
                 "\u0662\u0660\u0662\u0666-01-24T10:00:00Z"):  # fmt: skip
        answer = system.client.post(f"{url}/events", json=event("s-time", timestamp=time))
        tries.refuse(f"time {time[:20]!r}", answer.status_code, 422)
    tries.harmless("all of these", "no session made", held=_sessions(system) == before)
    tries.control("a plain id", works=system.report("plain-id").status_code == 200)


def _sessions(system: System) -> int:
    return int(system.database.zcard(OPEN.sessions))


@into(GROUP, "filter-as-pattern", "filters, tags and cursors with the characters of patterns")
def filter_as_pattern(system: System, tries: Tries) -> None:
    url, documents = system.coordinator.url, system.documents.url
    session_id = system.session()
    with connect(f"{system.coordinator.ws_url}?session_id=*&session_id=s-*", max_size=None) as browser:
        browser.recv(timeout=30)
        system.report(session_id, event_type="message")
        system.report("s-*", event_type="message")
        # What the filter names comes, and first: what it does not name would have come before.
        first = str(browser.recv(timeout=30))
        tries.harmless(
            "a WebSocket for '*'",
            "its own session only",
            held='"session_id":"s-*"' in first and session_id not in first,
        )
    for query in ("since=x", "since=-1", "since=1e3", "since=99999999999999999999", "session_id=", "since=\u0661",
                  "session_id=" + "a" * 201, "&".join([f"session_id=a{n}" for n in range(101)])):  # fmt: skip
        tries.refuse(f"/ws?{query[:30]}", socket_outcome(f"{system.coordinator.ws_url}?{query}"), 4400)
    for name in ("*", "a*", "[a-z]", "a" * 65, "é", "a b", "..", "a:b"):
        form = {"file": ("a", b"x")}
        answer = system.client.post(f"{documents}/documents", files=form, data={"tags": name})
        tries.refuse(f"tag {name[:10]!r}", answer.status_code, 422)
    for tag in ("*", "?", "documents", ":", "a" * 5000, "' or 1=1"):
        answer = system.client.get(f"{documents}/documents", params={"tags": tag})
        tries.harmless(f"documents with tag {tag[:10]!r}", "none found", held=answer.json() == [])
    for cursor in ("x", "*", "LTE6eA", "MTo", "Onh4", "OTk5OTk5OTk5OTk5OTk5OTk5OTk6eA", "=" * 8, "%00"):
        answer = system.client.get(f"{url}/sessions", params={"cursor": cursor})
        tries.refuse(f"cursor {cursor!r}", answer.status_code, 422)
    # A pattern that makes a backtracking matcher try every way to split the name.
    system.upload(name="a" * 250)
    for pattern in ("*a" * 120 + "b", "*" * 255, "[" * 255, "?" * 255, "*a*" * 80, "[!-a]" * 50, "(a+)+$", "[z-a]"):
        answer = system.client.get(f"{documents}/documents", params={"filename": pattern})
        tries.harmless(f"file name {pattern[:10]!r}", "answered", held=answer.status_code == 200)
    found = system.client.get(f"{documents}/documents", params={"filename": "aaa*"}).json()
    tries.control("a pattern finds a file", works=any(document["filename"] == "a" * 250 for document in found))
