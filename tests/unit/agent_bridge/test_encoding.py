"""Encoding: whatever an agent says becomes an event of bounded size, and never an error."""

import dataclasses
import json
import subprocess
import sys
import uuid
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_bridge import encoding
from agent_bridge.encoding import MAX_EVENT_BYTES, SessionIdentity, content_blocks, encode
from agent_bus.event_records import EventRecord

IDENTITY = SessionIdentity("s", "name", "/p", "agent")


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def strictly(record: EventRecord) -> dict[str, Any]:
    """The event as a strict reader sees it, after the bus has given it an id."""
    text = (b'{"id":1,' + record.json_tail).decode("utf-8")
    assert len(record.json_tail) <= MAX_EVENT_BYTES

    event: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return event


def said(**fields: Any) -> dict[str, Any]:
    return strictly(encode(IDENTITY, "message", fields))


@dataclasses.dataclass
class Point:
    x: object
    y: object = None


class Shy:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Odd:
    def __repr__(self) -> str:
        return "odd \ud800"


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(2**200), 2**200), st.floats(), st.text(),
    st.text(st.characters(codec=None, categories=["Cs"])), st.binary(), st.complex_numbers(), st.decimals(),
    st.datetimes(), st.uuids(), st.just(object()), st.just(Point), st.just(len), st.just(Ellipsis),
    st.just(Path("/x")), st.just(UTC),
)  # fmt: skip
keys = st.one_of(
    st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.binary(), st.dates(), st.just("\ud800"),
    st.tuples(st.integers()), st.just(object()),
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4), st.tuples(inner, inner),
        st.frozensets(st.integers() | st.text(), max_size=3), st.builds(Point, inner, inner),
        inner.map(lambda value: MappingProxyType({"a": value})),
    ),
    max_leaves=15,
)  # fmt: skip


@settings(deadline=None)
@given(fields=st.dictionaries(st.text(), values, max_size=5))
def test_any_value_becomes_valid_json_with_the_same_fields(fields: dict[str, Any]) -> None:
    record = encode(IDENTITY, "message", fields)
    event = strictly(record)
    assert (event["event_type"], event["session_id"], event["session_name"]) == ("message", "s", "name")
    assert event["timestamp"] == record.timestamp
    assert {name.encode("utf-8", "replace").decode() for name in fields} <= set(event)


@given(
    fields=st.dictionaries(
        st.sampled_from(["tool_output", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=10,
        ),
    )
)
def test_plain_json_arrives_as_it_is(fields: dict[str, Any]) -> None:
    event = said(**fields)
    assert {name: event[name] for name in fields} == fields


def test_absent_fields_are_null_and_the_identity_wins() -> None:
    event = said(event_type="other", session_id="t", session_name="n", timestamp="never")
    assert (event["event_type"], event["session_id"], event["session_name"]) == ("message", "s", "name")
    for name in ("tool_name", "tool_input", "tool_output", "error", "exit_code", "reason", "role", "content"):
        assert event[name] is None


@pytest.mark.parametrize("name", ["id", "seq"])
def test_the_server_s_own_fields_can_not_be_given(name: str) -> None:
    record = encode(IDENTITY, "message", {name: "mine"})
    assert strictly(record).get(name) in (None, 1)


def test_the_record_carries_what_describes_the_session() -> None:
    record = encode(IDENTITY, "session_start", {})
    assert (record.event_type, record.session_name, record.project_dir, record.agent_name) == (
        "session_start", "name", "/p", "agent",
    )  # fmt: skip
    bare = encode(SessionIdentity("s", "s"), "session_start", {})
    assert (bare.project_dir, bare.agent_name) == ("", "")


@pytest.mark.parametrize("event_type", ["", "A", "a b", "1a", "a\n", "ä", "x" * 65])
def test_only_lower_case_words_are_event_types(event_type: str) -> None:
    with pytest.raises(ValueError, match="event_type"):
        encode(IDENTITY, event_type, {})


def cycle() -> object:
    value: dict[str, Any] = {"n": 1}
    value["self"] = value
    return value


def deep(kind: Callable[[object], object], levels: int = 5000) -> object:
    value: object = 1
    for _ in range(levels):
        value = kind(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        cycle(), deep(lambda inner: [inner]), deep(lambda inner: {"a": inner}), float("nan"),
        [float("inf"), -float("inf")], {float("nan"): 1}, 2**64, -(2**63) - 1, 10**4000, "\ud800", {"\udfff": "\x00"},
        {1, 2}, b"\xff", range(3), Decimal("1.5"), datetime.now(UTC), uuid.uuid4(), Path("/x"), ValueError("x"),
        OrderedDict(a=1), {(1, 2): 3}, Odd(), [Odd()], (x for x in "ab"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_json_can_not_say_is_put_into_words(value: object) -> None:
    assert said(tool_output=value, good="kept")["good"] == "kept"


@pytest.mark.parametrize(
    "value",
    [Shy(), [Shy()], {"a": Shy()}, 10**5000, {10**5000: 1}, deep(Point, 500)],
    ids=["object", "list", "dict", "int", "key", "deep"],
)
def test_what_can_not_even_be_shown_becomes_an_event_all_the_same(value: object) -> None:
    assert said(tool_output=value, good="kept")["good"] == "kept"


def test_what_refers_to_itself_in_two_places_takes_no_longer_than_in_one() -> None:
    program = (
        "from agent_bridge.encoding import *\n"
        "node = {}; node['left'] = node['right'] = node\n"
        "encode(SessionIdentity('s', 's'), 'message', {'tool_output': node})"
    )
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_CPU, (3, 3))\n{program}"
    assert subprocess.run([sys.executable, "-c", limited], capture_output=True, timeout=30).returncode == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"tool_output": "x" * 3_000_000},
        {"tool_output": ["ä" * 1000] * 2000},
        {"tool_input": {"text": "\x00" * 2_000_000}},
        {"content": [{"type": "text", "text": "😀" * 1_000_000}]},
        {"error": "\n" * 2_000_000, "reason": "x" * 2_000_000},
        {"tool_output": {"a": "\ud800" * 2_000_000}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_is_too_large_is_cut_and_says_so(fields: dict[str, Any]) -> None:
    event = said(**fields, tool_name="kept")
    assert event["tool_name"] == "kept"
    for name in fields:
        if name == "content":
            assert event[name][0]["truncated"] is True
            assert event[name][0]["type"] == "text"
        elif name in ("error", "reason"):
            assert "cut from" in event[name]
        else:
            assert event[name]["truncated"] is True
            assert event[name]["original_bytes"] > MAX_EVENT_BYTES


@pytest.mark.parametrize(
    "fields",
    [
        {f"field{n}": "x" * 16_000 for n in range(100)},
        {f"field{n}": "\x00" * 100_000 for n in range(20)},
        {"x" * 2_000_000: 1},
        {f"field{n}": n for n in range(100_000)},
    ],
    ids=["many", "escapes", "name", "names"],
)
def test_an_event_stays_within_its_limit_whatever_its_fields_are(fields: dict[str, Any]) -> None:
    said(**fields)


@pytest.mark.parametrize("name", ["tool_name", "role"])
def test_a_text_that_is_cut_stays_a_text(name: str) -> None:
    assert isinstance(said(**{name: "x" * 2_000_000})[name], str)


@pytest.mark.parametrize("field", ["session_name", "project_dir", "agent_name"])
def test_everything_in_a_record_can_be_sent(field: str) -> None:
    identity = dataclasses.replace(IDENTITY, **{field: "caf\udce9"})
    for argument in encode(identity, "message", {}):
        if isinstance(argument, str):
            argument.encode()


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"tool_name": "Bash"}, "0 Bash"),
        ({"tool_name": "Bash", "error": "exit 1"}, "1 Bash"),
        ({"tool_name": "Bash", "error": None, "tool_output": "x" * 2_000_000}, "0 Bash"),
        ({"tool_name": Odd()}, "0 "),
    ],
)
def test_a_tools_outcome_is_said_beside_the_event(fields: dict[str, Any], outcome: str) -> None:
    assert encode(IDENTITY, "post_tool", fields).outcome == outcome
    assert encode(IDENTITY, "pre_tool", fields).outcome == ""


def test_text_becomes_one_block_and_blocks_stay() -> None:
    assert content_blocks("hello") == [{"type": "text", "text": "hello"}]
    blocks = ({"type": "image", "data": "…"}, {"type": "text", "text": "x"})
    assert content_blocks(blocks) == list(blocks)


def test_the_limit_is_the_coordinators() -> None:
    from agent_bus.settings import Settings

    assert Settings.model_fields["max_event_bytes"].default == encoding.MAX_EVENT_BYTES
