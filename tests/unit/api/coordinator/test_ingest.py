"""Ingest: any body is either refused in words or becomes a record that is strict JSON with the same fields."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent_bus.messages import NAME_LENGTH, Event, StoredEvent
from agent_bus.timestamps import microseconds
from api.coordinator.ingest import InvalidEvent, parse_event

EVENT = {"event_type": "message", "session_id": "s", "session_name": "s", "timestamp": "2026-01-24T10:00:00.5+00:00"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def body(**fields: Any) -> bytes:
    return json.dumps(EVENT | fields).encode()


def raw(extra: bytes) -> bytes:
    return body()[:-1] + b"," + extra + b"}"


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def stored(sent: bytes) -> dict[str, Any]:
    """The event as it would be kept, read strictly."""
    session_id, record = parse_event(sent)
    event: dict[str, Any] = json.loads((b'{"id":1,' + record.json_tail).decode("utf-8"), parse_constant=refuse)
    assert event.pop("id") == 1
    assert event["session_id"] == session_id
    assert (event["event_type"], event["session_name"]) == (record.event_type, record.session_name)
    assert event["timestamp"] == record.timestamp
    assert record.score == microseconds(record.timestamp)
    StoredEvent.model_validate(event | {"id": 1})
    return event


@given(extra=st.dictionaries(st.text(), json_values, max_size=6))
def test_an_accepted_body_keeps_every_field_and_its_value(extra: dict[str, Any]) -> None:
    sent = {name: value for name, value in extra.items() if name not in Event.model_fields} | EVENT
    expected = {name: value for name, value in sent.items() if name not in ("id", "seq")}
    event = stored(json.dumps(sent).encode())
    assert event == dict.fromkeys(Event.model_fields) | expected


@given(fields=st.fixed_dictionaries({}, optional=dict.fromkeys(Event.model_fields, json_values)))
def test_known_fields_are_kept_as_sent_or_refused(fields: dict[str, Any]) -> None:
    try:
        event = stored(body(**fields))
    except (InvalidEvent, ValidationError):
        return
    assert {name: event[name] for name in fields if name != "timestamp"} == {
        name: value for name, value in fields.items() if name != "timestamp"
    }


@given(sent=st.binary() | st.text().map(str.encode) | json_values.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_refused_in_words(sent: bytes) -> None:
    with pytest.raises((InvalidEvent, ValidationError)):
        parse_event(sent)


@given(position=st.integers(0), byte=st.binary(max_size=2))
def test_a_damaged_body_is_refused_or_still_an_event(position: int, byte: bytes) -> None:
    whole = body(content=[{"type": "text", "text": "ä😀"}], tool_input={"a": [1, 2.5, None]})
    at = position % len(whole)
    try:
        stored(whole[:at] + byte + whole[at + 1 :])
    except (InvalidEvent, ValidationError):
        return


def test_the_server_s_own_fields_are_dropped_on_top_and_kept_below() -> None:
    event = stored(body(id=7, seq=9, tool_input={"id": 7, "seq": 9}))
    assert "seq" not in event
    assert event["tool_input"] == {"id": 7, "seq": 9}


@pytest.mark.parametrize(
    "number",
    ["9007199254740993", "18446744073709551616", "-123456789012345678901234567890", "1" * 4300, "0.1", "-0.0", "5e-324",
     "1.7976931348623157e308"],
)  # fmt: skip
@pytest.mark.parametrize("place", ['"x":{}', '"tool_output":[{}]', '"content":[{{"type":"t","x":{}}}]'])
def test_numbers_are_kept_exactly(number: str, place: str) -> None:
    _, record = parse_event(raw(place.format(number).encode()))
    kept = re.search(rb'"(?:x|tool_output)":\[?(-?[0-9][^\]}]*)', record.json_tail)
    assert kept is not None
    text = kept[1].decode().split(",")[0]
    assert text == number or (repr(float(text)) == repr(float(number)) and "." in number)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e400", "1" * 4301])
@pytest.mark.parametrize(
    "place",
    ['"x":{}', '"x":[[{}]]', '"tool_input":{{"a":{}}}', '"tool_output":{}', '"content":[{{"type":"t","x":{}}}]'],
)
def test_numbers_that_no_browser_could_read_are_refused(number: str, place: str) -> None:
    with pytest.raises(InvalidEvent, match=r"JSON|too large"):
        parse_event(raw(place.format(number).encode()))


def test_words_that_look_like_such_numbers_are_only_words() -> None:
    assert stored(body(x="Infinity", y=["NaN", {"-Infinity": 1}]))["x"] == "Infinity"


@pytest.mark.parametrize(
    "extra",
    [b'"x":"\\ud800"', b'"x":"\\udc00\\ud800"', b'"\\udfff":1', b'"x":"\xff"', b'"x":"\xed\xa0\x80"', b'"x":"\xc0\x80"',
     b'"x":"\x00"', b'"x":"\n"', b'"x":01', b'"x":.5', b"'x':1", b'"x":1,', b'"x":undefined', b"/**/"],
)  # fmt: skip
def test_what_is_not_strict_json_is_refused(extra: bytes) -> None:
    with pytest.raises(InvalidEvent, match="not JSON"):
        parse_event(raw(extra))


@pytest.mark.parametrize("text", ["\x00", "\x7f", "\u2028", "😀", "</script>", '"\\/', "\ufeff"])
def test_any_text_is_kept(text: str) -> None:
    event = stored(body(x=text, **{text: [text]}))
    assert (event["x"], event[text]) == (text, [text])


@pytest.mark.parametrize("shape", [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("place", [b'"x":', b'"tool_output":', b'"content":[{"type":"t","x":'])
def test_nesting_is_bounded_and_what_is_accepted_can_be_read(shape: tuple[bytes, bytes], place: bytes) -> None:
    opening, closing = shape
    end = b"}]" if place.endswith(b'"t","x":') else b""
    for levels in (1, 50, 100, 190, 197):
        assert stored(raw(place + opening * levels + b"1" + closing * levels + end))["session_id"] == "s"
    for levels in (210, 1000, 200_000):
        with pytest.raises(InvalidEvent, match="recursion"):
            parse_event(raw(place + opening * levels + b"1" + closing * levels + end))


@pytest.mark.parametrize("sent", [b"", b" ", b"null", b"1", b'"x"', b"[]", b"[{}]", b"{", b"\xef\xbb\xbf{}", b"{}{}"])
def test_a_body_that_is_no_object_is_refused(sent: bytes) -> None:
    with pytest.raises(InvalidEvent):
        parse_event(sent)


def test_the_last_of_two_equal_names_counts_in_all_places() -> None:
    session_id, record = parse_event(raw(b'"session_id":"other"'))
    assert session_id == "other"
    assert record.json_tail.count(b'"session_id"') == 1


def test_what_describes_the_session_is_taken_from_the_event_if_it_is_a_text_of_a_sensible_length() -> None:
    _, record = parse_event(body(project_dir="/p", agent_name="a"))
    assert (record.project_dir, record.agent_name) == ("/p", "a")
    _, record = parse_event(body(project_dir=1, agent_name="x" * (NAME_LENGTH + 1)))
    assert (record.project_dir, record.agent_name) == ("", "")


@pytest.mark.parametrize(
    "name", ["__dict__", "__class__", "model_config", "model_extra", "model_dump_json", "", "self"]
)
def test_no_field_name_reaches_into_the_model(name: str) -> None:
    assert stored(body(**{name: {"a": 1}}))[name] == {"a": 1}


def test_times_come_out_in_the_agreed_form() -> None:
    assert stored(body(timestamp="2026-01-24T10:00:00Z"))["timestamp"] == "2026-01-24T10:00:00.000000+00:00"
    assert stored(body())["timestamp"] == EVENT["timestamp"]
