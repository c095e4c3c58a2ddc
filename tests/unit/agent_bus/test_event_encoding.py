import json

import pytest

from agent_bus.event_encoding import NumberTooLarge, closing_event, encode_event
from agent_bus.messages import Event

AT = "2026-01-24T10:00:00+00:00"


def event(**fields: object) -> Event:
    head = {"event_type": "message", "session_id": "s", "session_name": "n", "timestamp": AT}
    return Event.model_validate({**head, **fields})


def test_an_event_is_encoded_without_its_brace_and_described_beside() -> None:
    record = encode_event(event(project_dir="/p", agent_name="a", more=[1]))
    assert json.loads(b"{" + record.json_tail)["more"] == [1]
    assert record.description() == (AT, 1769248800000000, "n", "/p", "a")


@pytest.mark.parametrize("value", [7, None, ["/p"], "x" * 501])
def test_what_can_not_describe_a_session_is_kept_in_the_event_only(value: object) -> None:
    record = encode_event(event(project_dir=value))
    assert record.project_dir == ""
    assert json.loads(b"{" + record.json_tail)["project_dir"] == value


def test_a_tools_outcome_is_said_beside() -> None:
    outcomes = [
        event(event_type=kind, tool_name="Bash", error=error)
        for kind, error in (("pre_tool", None), ("post_tool", None), ("post_tool", "exit 1"))
    ]
    assert [encode_event(outcome).outcome for outcome in outcomes] == ["", "0 Bash", "1 Bash"]


def test_a_number_that_no_double_holds_is_refused() -> None:
    with pytest.raises(NumberTooLarge):
        encode_event(event(size=float("inf")))


def test_text_that_looks_like_such_a_number_is_not() -> None:
    assert json.loads(b"{" + encode_event(event(size="Infinity")).json_tail)["size"] == "Infinity"


def test_a_closing_event_says_why() -> None:
    said = json.loads(b"{" + closing_event("s", "s", "lost").json_tail)
    assert (said["event_type"], said["session_id"], said["reason"]) == ("session_stop", "s", "lost")
