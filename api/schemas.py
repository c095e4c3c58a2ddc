"""What clients are generated from: the two servers' OpenAPI documents, and the schema of the WebSocket's messages."""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from agent_bus.blueprints import Blueprint
from agent_bus.documents import Document
from agent_bus.messages import (
    DocumentDeletedMessage,
    EventMessage,
    InitMessage,
    Message,
    ResumedMessage,
    SessionDeletedMessage,
    SessionMessage,
    TagsUpdatedMessage,
)
from agent_bus.settings import Settings
from api.coordinator.app import create_coordinator_api
from api.documents.app import create_documents_api

SchemaName = Literal["coordinator", "documents", "messages"]


class DocumentMessage(Message):
    """A document came into being or changed."""

    type: Literal["document_created", "document_updated"]
    seq: int
    document: Document


class AgentMessage(Message):
    """A blueprint came into being or changed."""

    type: Literal["agent_created", "agent_updated"]
    seq: int
    agent: Blueprint


class AgentDeletedMessage(Message):
    """A blueprint is gone."""

    type: Literal["agent_deleted"]
    seq: int
    name: str


BrowserMessage = Annotated[
    InitMessage
    | ResumedMessage
    | EventMessage
    | SessionMessage
    | SessionDeletedMessage
    | TagsUpdatedMessage
    | DocumentMessage
    | DocumentDeletedMessage
    | AgentMessage
    | AgentDeletedMessage,
    Field(discriminator="type"),
]


def schema_of(name: SchemaName) -> dict[str, Any]:
    """One of the documents, as JSON; the messages' also has the form of an OpenAPI document, without paths."""
    if name == "coordinator":
        return create_coordinator_api(Settings()).openapi()
    if name == "documents":
        return create_documents_api(Settings()).openapi()
    schema = TypeAdapter[Any](BrowserMessage).json_schema(
        mode="serialization", ref_template="#/components/schemas/{model}"
    )
    components = schema.pop("$defs")
    return {
        "openapi": "3.1.0",
        "info": {"title": "What /ws sends", "version": "1"},
        "paths": {},
        "components": {"schemas": components | {"BrowserMessage": schema}},
    }
