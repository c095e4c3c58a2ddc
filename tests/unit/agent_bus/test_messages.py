"""The models: what the scripts write fits them, what the contract says is enforced."""

from typing import Any

import orjson
import pytest
from pydantic import TypeAdapter, ValidationError

from agent_bus.bus import Bus
from agent_bus.messages import Event, EventMessage, Session, SessionDeletedMessage, SessionMessage
from agent_bus.sessions import Sessions
from tests.unit.agent_bus.test_events import record

EVENT = {"event_type": "message", "session_id": "s", "session_name": "s", "timestamp": "2026-01-24T10:00:00+00:00"}
MESSAGE: TypeAdapter[Any] = TypeAdapter(EventMessage | SessionMessage | SessionDeletedMessage)


async def test_every_message_that_the_scripts_make_fits_its_model(bus: Bus) -> None:
    sessions = Sessions(bus)
    start = record(1, "session_start")
    full = orjson.dumps(EVENT)[1:]
    start = type(start)("session_start", start.timestamp, start.score, 'Näme "q" \\ \n\x7f', full, "/p", "agent")
    lease = await sessions.enter("s", "owner", start)
    await sessions.patch("s", {"session_name": "n", "project_dir": None, "agent_name": None})
    await sessions.request_stop("s", "c")
    await sessions.acknowledge_stop("s", lease.run, start)
    await sessions.delete("s")
    texts = [message.json for message in await bus.read(0, limit=100)]
    read = [MESSAGE.validate_json(text) for text in texts]
    assert {message.type for message in read} == {
        "session_created", "session_updated", "stop_requested", "event", "session_deleted",
    }  # fmt: skip
    assert [message.seq for message in read] == list(range(1, len(read) + 1))
    assert read[0].session.session_name == 'Näme "q" \\ \n\x7f'
    for message, text in zip(read, texts, strict=True):
        assert set(orjson.loads(text)) == set(message.model_dump())


def test_messages_are_frozen_and_leave_unknown_fields_alone() -> None:
    session = Session.model_validate(
        {"session_id": "s", "session_name": "s", "status": "running", "created_at": "t", "modified_at": "t", "new": 1}
    )
    assert "new" not in session.model_dump()
    with pytest.raises(ValidationError):
        session.status = "stopped"


def refused(**fields: Any) -> bool:
    try:
        Event.model_validate(EVENT | fields)
    except ValidationError:
        return True
    return False


@pytest.mark.parametrize("name", list(EVENT))
def test_what_every_event_has_can_not_be_missing_or_null(name: str) -> None:
    assert refused(**{name: None})
    with pytest.raises(ValidationError):
        Event.model_validate({key: value for key, value in EVENT.items() if key != name})


@pytest.mark.parametrize("value", ["message", "a", "pre_tool2", "x" * 64])
def test_lower_case_words_are_event_types(value: str) -> None:
    assert not refused(event_type=value)


@pytest.mark.parametrize("value", ["", "A", "1a", "_a", "a-b", "a b", "a\n", "ä", "x" * 65, 1, None, ["a"]])
def test_anything_else_is_no_event_type(value: object) -> None:
    assert refused(event_type=value)


@pytest.mark.parametrize("value", ["s", "a b", "a:b", "ä😀", "..x", "a?b#c%2F", "x" * 200])
def test_ids_are_any_text_without_separators_and_control_characters(value: str) -> None:
    assert not refused(session_id=value)


@pytest.mark.parametrize("value", ["", "a/b", "a\\b", "a\n", "\x00", "a\x1f", "\x7f", "\x85", "x" * 201, 1, None, b"s"])
def test_anything_else_is_no_id(value: object) -> None:
    assert refused(session_id=value)


@pytest.mark.parametrize("value", [".", ".."])
def test_ids_that_urls_can_not_name_are_refused(value: str) -> None:
    assert refused(session_id=value)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("session_name", ["", "a\x00", "x" * 501, 1]),
        ("timestamp", [1769248800, "soon", "2026-01-24", True]),
        ("tool_name", [1, {}, ["x"]]),
        ("tool_input", ["x", [], 1, True]),
        ("error", [1, {}, False]),
        ("exit_code", ["1", 1.0, True, [1]]),
        ("reason", [1, {}]),
        ("role", ["system", "User", 1]),
        ("content", ["text", {}, ["text"], [{}], [{"type": 1}], [None]]),
    ],
)
def test_fields_of_the_wrong_type_are_refused(name: str, wrong: list[object]) -> None:
    assert [value for value in wrong if not refused(**{name: value})] == []


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "x", [], {}, [{"a": [None]}], 2**70])
def test_tool_output_is_any_json(value: object) -> None:
    assert Event.model_validate(EVENT | {"tool_output": value}).tool_output == value
