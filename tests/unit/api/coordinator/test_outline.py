"""The outline's route as clients are told of it."""

from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from agent_bus.outline import outlined
from api.coordinator import outline
from api.coordinator.outline import EventOutline, OutlineEvent


@pytest.fixture
def operation() -> dict[str, Any]:
    app = FastAPI()
    app.include_router(outline.router)
    found: dict[str, Any] = app.openapi()["paths"]["/events/{session_id}/outline"]["get"]
    return found


def test_the_answer_is_typed(operation: dict[str, Any]) -> None:
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/EventOutline"}
    assert "404" in operation["responses"]
    assert set(EventOutline.model_fields) == {"events", "has_more", "next", "scanned"}


def test_the_work_of_one_request_is_bounded(operation: dict[str, Any]) -> None:
    limits = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}
    assert limits["limit"] | {"title": ""} == {
        "type": "integer", "minimum": 1, "maximum": 10_000, "default": 5000, "title": "",
        "description": limits["limit"]["description"],
    }  # fmt: skip
    searched = limits["q"]["anyOf"][0]
    assert (searched["minLength"], searched["maxLength"]) == (1, 200)


def test_a_line_is_what_the_model_says() -> None:
    event = b'{"id":7,"event_type":"message","session_id":"s","session_name":"s","timestamp":"t"}'
    line = outlined(7, event)
    assert OutlineEvent.model_validate_json(line, strict=True).model_dump_json().encode() == line
    with pytest.raises(ValidationError):
        OutlineEvent.model_validate_json(event)
