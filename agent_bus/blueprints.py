"""Agent blueprints: what one is, and where they live in Redis."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, JsonValue, Tag, model_validator
from pydantic_core import PydanticCustomError

from agent_bus import timestamps
from agent_bus.bus import Bus

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$"

# Far above what people write, and together below the largest body that the servers take by default. In characters.
MAX_DESCRIPTION = 10_000
MAX_PROMPT = 256 * 1024
MAX_ENTRIES = 100
MAX_TAG = 64
MAX_SKILL = 200
MAX_SERVER_NAME = 100
# Parsers differ in how deep they go; the one that reads what is stored must never be the shallower.
MAX_NESTING = 32

Status = Literal["active", "inactive"]

Name = Annotated[str, Field(min_length=1, max_length=60, pattern=NAME_PATTERN)]
Description = Annotated[str, Field(max_length=MAX_DESCRIPTION)]
Prompt = Annotated[str, Field(max_length=MAX_PROMPT)]
Skills = Annotated[list[Annotated[str, Field(min_length=1, max_length=MAX_SKILL)]], Field(max_length=MAX_ENTRIES)]
# Tags are asked for in a comma-separated list, so one can't hold a comma nor begin or end with a space.
Tags = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=MAX_TAG, pattern=r"^[^\s,]([^,]*[^\s,])?$")]],
    Field(max_length=MAX_ENTRIES),
]


class StdioServer(BaseModel):
    """An MCP server that is started as a command. Fields that are not ours are kept as they came."""

    model_config = ConfigDict(strict=True, extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    type: Literal["stdio"] = "stdio"
    command: str = Field(min_length=1)
    args: list[str] = Field(default_factory=list)
    env: dict[str, str] | None = Field(default=None, exclude_if=lambda value: value is None)


class HttpServer(BaseModel):
    """An MCP server that is reached over HTTP. Fields that are not ours are kept as they came."""

    model_config = ConfigDict(strict=True, extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    type: Literal["http"]
    url: str = Field(min_length=1)
    headers: dict[str, str] | None = Field(default=None, exclude_if=lambda value: value is None)


def _server_type(value: Any) -> str | None:
    kind = value.get("type", "stdio") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if isinstance(kind, str) else None


McpServer = Annotated[
    Annotated[StdioServer, Tag("stdio")] | Annotated[HttpServer, Tag("http")],
    Discriminator(
        _server_type,
        custom_error_type="mcp_server",
        custom_error_message='an MCP server is an object whose type is "stdio" (the default) or "http"',
    ),
]


def _nested_within(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    children = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_nested_within(child, levels - 1) for child in children)


def _readable(servers: dict[str, McpServer]) -> dict[str, McpServer]:
    """Half a surrogate pair, NaN and depth pass Python's JSON parser, and not those of who reads what is stored."""
    plain = {name: server.model_dump() for name, server in servers.items()}
    if not _nested_within(plain, MAX_NESTING):
        raise ValueError(f"nested deeper than {MAX_NESTING} levels")
    try:
        json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("text must be valid Unicode") from error
    return servers


McpServers = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=MAX_SERVER_NAME)], McpServer],
    Field(max_length=MAX_ENTRIES),
    AfterValidator(_readable),
]


class BlueprintCreate(BaseModel):
    """A blueprint as it is handed in. Fields unknown to this version are ignored, wrong types are refused."""

    model_config = ConfigDict(strict=True)

    name: Name
    description: Description
    system_prompt: Prompt | None = None
    mcp_servers: McpServers | None = None
    skills: Skills | None = None
    tags: Tags = Field(default_factory=list)
    status: Status = "active"


class BlueprintPatch(BaseModel):
    """Changes to a blueprint: the fields that are named replace, and null clears what can be null."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra=lambda schema: schema.update(
            anyOf=[{"required": [field]} for field in schema["properties"]],
            properties=schema["properties"] | {"name": False},
        ),
    )

    # The factories only stand for "not named": a default would show in the API's description as if it were applied.
    description: Description = Field(default_factory=str)
    system_prompt: Prompt | None = Field(default_factory=lambda: None)
    mcp_servers: McpServers | None = Field(default_factory=lambda: None)
    skills: Skills | None = Field(default_factory=lambda: None)
    tags: Tags = Field(default_factory=list)
    status: Status = Field(default_factory=lambda: "active")

    @model_validator(mode="before")
    @classmethod
    def _keeps_its_name(cls, value: Any) -> Any:
        if isinstance(value, dict) and "name" in value:
            raise PydanticCustomError("name_is_fixed", "an agent's name cannot change; create another agent instead")
        return value

    @model_validator(mode="after")
    def _names_something(self) -> "BlueprintPatch":
        if not self.model_fields_set:
            fields = ", ".join(type(self).model_fields)
            raise PydanticCustomError("nothing_named", "name at least one of {fields}", {"fields": fields})
        return self


class BlueprintStatus(BaseModel):
    """Whether a blueprint is offered for new sessions."""

    model_config = ConfigDict(strict=True)

    status: Status


class Blueprint(BlueprintCreate):
    """A blueprint as it is stored and answered; times are ISO 8601 in UTC."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    created_at: str
    modified_at: str


class BlueprintNameTaken(Exception):
    """There is a blueprint of that name already."""

    def __init__(self, name: str) -> None:
        super().__init__(f"an agent named {name!r} exists already")
        self.name = name


class UnknownBlueprint(Exception):
    """There is no blueprint of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no agent named {name!r}")
        self.name = name


class BlueprintDeleted(Exception):
    """A person deleted the blueprint of that name, and it was to stay so."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the agent named {name!r} was deleted")
        self.name = name


class Blueprints:
    """The blueprints on one bus. Each change is one script, which also tells the browsers."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._hash = bus.keys.blueprints
        self._deleted = bus.keys.deleted_blueprints

    async def list(self, tags: Iterable[str] = ()) -> list[Blueprint]:
        """Those that have all the tags, by name."""
        wanted = set(tags)
        stored = await self._bus.redis.hvals(self._hash)
        found = (Blueprint.model_validate_json(text) for text in stored)
        return sorted((one for one in found if wanted.issubset(one.tags)), key=lambda one: one.name)

    async def get(self, name: str) -> Blueprint:
        """The blueprint of that name. Raises UnknownBlueprint."""
        return Blueprint.model_validate_json(await self._read(name))

    async def create(self, new: BlueprintCreate, *, revive: bool = True) -> Blueprint:
        """Stores a new one.

        revive: whether a name that a person deleted may come back; if not, BlueprintDeleted is raised.
        Raises BlueprintNameTaken.
        """
        now = timestamps.now()
        blueprint = Blueprint(**new.model_dump(), created_at=now, modified_at=now)
        args = (new.name, blueprint.model_dump_json(), int(revive))
        outcome = await self._bus.change("create_blueprint", (self._hash, self._deleted), args)
        if outcome == b"taken":
            raise BlueprintNameTaken(new.name)
        if outcome == b"deleted":
            raise BlueprintDeleted(new.name)
        return blueprint

    async def patch(self, name: str, changes: BlueprintPatch | BlueprintStatus) -> Blueprint:
        """Replaces the fields that are named and returns the result. Raises UnknownBlueprint."""
        update = {field: getattr(changes, field) for field in changes.model_fields_set}
        # The merge is made here, because cjson can't tell [] from {}; whoever was overtaken merges again.
        while True:
            stored = await self._read(name)
            before = Blueprint.model_validate_json(stored)
            after = before.model_copy(update=update | {"modified_at": _later_than(before.modified_at)})
            args = (name, stored, after.model_dump_json()[:-1] + _unknown_fields(stored) + "}")
            if await self._bus.change("patch_blueprint", (self._hash,), args) == b"changed":
                return after

    async def delete(self, name: str) -> None:
        """Removes one, and remembers that a person did. Raises UnknownBlueprint."""
        if not await self._bus.change("delete_blueprint", (self._hash, self._deleted), (name,)):
            raise UnknownBlueprint(name)

    async def _read(self, name: str) -> bytes:
        stored: Any = await self._bus.redis.hget(self._hash, name)
        if stored is None:
            raise UnknownBlueprint(name)
        return bytes(stored)


def _unknown_fields(stored: bytes) -> str:
    """What a newer version has stored beside the fields of this one, as they follow in a JSON object."""
    unknown = {name: value for name, value in json.loads(stored).items() if name not in Blueprint.model_fields}
    return f",{json.dumps(unknown)[1:-1]}" if unknown else ""


def _later_than(moment: str) -> str:
    """Now, or just after the moment given by a replica whose clock is ahead."""
    following = datetime.fromisoformat(moment) + timedelta(microseconds=1)
    return max(timestamps.now(), following.isoformat(timespec="microseconds"))
