"""What an event tells of a tool, as the scripts count it."""

import pytest

from agent_bus.event_records import TOOL_NAME_LENGTH, EventRecord, tool_outcome


@pytest.mark.parametrize(
    ("tool_name", "error", "outcome"),
    [
        ("Bash", None, "0 Bash"),
        ("Bash", "exit 1", "1 Bash"),
        ("Bash", "", "1 Bash"),
        ("two words", None, "0 two words"),
        (None, None, "0 "),
        (7, {"code": 1}, "1 "),
        ("x" * 1000, None, "0 " + "x" * TOOL_NAME_LENGTH),
        ("half \ud83d", None, "0 half ?"),
    ],
)
def test_the_end_of_a_use_tells_the_tool_and_whether_it_failed(tool_name: object, error: object, outcome: str) -> None:
    assert tool_outcome("post_tool", tool_name, error) == outcome


@pytest.mark.parametrize("event_type", ["pre_tool", "message", "post_tool_batch"])
def test_no_other_event_tells_of_one(event_type: str) -> None:
    assert tool_outcome(event_type, "Bash", "exit 1") == ""


@pytest.mark.parametrize(("outcome", "said"), [("", "post_tool"), ("1 Bash", "post_tool 1 Bash")])
def test_a_script_is_told_the_type_with_the_outcome(outcome: str, said: str) -> None:
    record = EventRecord("post_tool", "t", 0, "n", b"}", outcome=outcome)
    assert record.arguments() == (said, b"}")


def test_a_field_is_added_at_the_end() -> None:
    record = EventRecord("message", "t", 0, "n", b'"a":1}')
    assert record.adding("pending", 3).json_tail == b'"a":1,"pending":3}'
    assert record.json_tail == b'"a":1}'
