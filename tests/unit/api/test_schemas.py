"""What clients' types are generated from: complete, and true to what is sent."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from api.cli import main
from api.schemas import SchemaName, schema_of


def kinds(schema: dict[str, Any]) -> set[str]:
    """Every type of message that the schema knows."""
    schemas = schema["components"]["schemas"]
    found = set()
    for reference in schemas["BrowserMessage"]["oneOf"]:
        kind = schemas[reference["$ref"].rsplit("/", 1)[1]]["properties"]["type"]
        found |= set(kind.get("enum", [kind.get("const")]))
    return found


def test_every_message_that_browsers_see_is_described() -> None:
    assert kinds(schema_of("messages")) == {
        "init", "resumed", "event", "session_created", "session_updated", "session_deleted", "stop_requested",
        "tags_updated", "document_created", "document_updated", "document_deleted",
        "agent_created", "agent_updated", "agent_deleted",
    }  # fmt: skip


def test_an_event_with_fields_of_its_own_is_a_message() -> None:
    message = {
        "type": "event",
        "seq": 3,
        "data": {
            "id": 3, "event_type": "post_tool", "session_id": "s", "session_name": "s",
            "timestamp": "2026-01-24T10:00:00+00:00", "tool_name": "Bash", "tool_input": {"command": "ls"},
            "tool_output": "x", "error": None, "exit_code": None, "reason": None, "role": None, "content": None,
            "tool_use_id": "t1",
        },
    }  # fmt: skip
    validator = Draft202012Validator(schema_of("messages") | {"$ref": "#/components/schemas/BrowserMessage"})
    validator.validate(message)
    assert not validator.is_valid(message | {"seq": "3"})


@pytest.mark.parametrize("name", ["coordinator", "documents", "messages"])
def test_the_command_prints_json(name: SchemaName) -> None:
    result = CliRunner().invoke(main, ["schema", name])
    assert result.exit_code == 0
    assert json.loads(result.output) == schema_of(name)
