import asyncio
import json
from typing import Any

import pytest
from pydantic import ValidationError

from agent_bus.blueprints import (
    MAX_ENTRIES,
    MAX_PROMPT,
    MAX_TAG,
    Blueprint,
    BlueprintCreate,
    BlueprintDeleted,
    BlueprintNameTaken,
    BlueprintPatch,
    Blueprints,
    BlueprintStatus,
    UnknownBlueprint,
)
from agent_bus.bus import Bus

FULL: dict[str, Any] = {
    "name": "reviewer",
    "description": "Reads what others wrote.",
    "system_prompt": "Be kind.\r\nBe exact. “Ünïcode” 🦉",
    "mcp_servers": {
        "files": {"type": "stdio", "command": "mcp-files", "args": ["--root", "."], "env": {"TOKEN": "t"}},
        "web": {"type": "http", "url": "http://localhost:9000/mcp", "headers": {"X-Key": "k"}},
    },
    "skills": ["review"],
    "tags": ["code", "quality"],
    "status": "inactive",
}


def blueprint(name: str = "reviewer", **fields: Any) -> BlueprintCreate:
    return BlueprintCreate.model_validate({"name": name, "description": "d"} | fields)


def content(stored: Blueprint) -> dict[str, Any]:
    return stored.model_dump(exclude={"created_at", "modified_at"})


async def messages(bus: Bus) -> list[dict[str, Any]]:
    return [json.loads(message.json) for message in await bus.read(0, limit=100)]


@pytest.fixture
def blueprints(bus: Bus) -> Blueprints:
    return Blueprints(bus)


class TestModel:
    def test_what_is_sent_comes_back(self) -> None:
        assert BlueprintCreate.model_validate(FULL).model_dump() == FULL

    def test_what_is_not_sent_has_its_default(self) -> None:
        assert blueprint().model_dump() == {
            "name": "reviewer", "description": "d", "system_prompt": None, "mcp_servers": None, "skills": None,
            "tags": [], "status": "active",
        }  # fmt: skip

    def test_a_server_without_type_is_started_over_stdio_and_absent_env_stays_absent(self) -> None:
        servers = blueprint(mcp_servers={"a": {"command": "x", "args": ["y"]}}).model_dump()["mcp_servers"]
        assert servers == {"a": {"type": "stdio", "command": "x", "args": ["y"]}}

    def test_a_server_keeps_fields_that_are_not_ours(self) -> None:
        server = {"type": "http", "url": "http://x", "timeout": 5, "oauth": {"scopes": ["a"]}}
        assert blueprint(mcp_servers={"a": server}).model_dump()["mcp_servers"] == {"a": server}

    def test_empty_is_not_null(self) -> None:
        fields = {"system_prompt": "", "mcp_servers": {}, "skills": []}
        assert blueprint(**fields).model_dump(include=set(fields)) == fields

    @pytest.mark.parametrize("name", ["a", "0", "a" * 60, "A-b_c", "7of9"])
    def test_names_that_are_allowed(self, name: str) -> None:
        assert blueprint(name).name == name

    @pytest.mark.parametrize("name", ["", "a" * 61, "-a", "_a", "a b", "a.b", "../a", "ä", "a\n", "a/b", 7, None])
    def test_names_that_are_not(self, name: Any) -> None:
        with pytest.raises(ValidationError):
            blueprint(name)

    @pytest.mark.parametrize(
        "fields",
        [
            {"description": 1},
            {"description": None},
            {"description": "\ud800"},
            {"system_prompt": ["p"]},
            {"system_prompt": "x" * (MAX_PROMPT + 1)},
            {"skills": "review"},
            {"skills": [1]},
            {"tags": None},
            {"tags": "a,b"},
            {"tags": ["a,b"]},
            {"tags": [" a"]},
            {"tags": [""]},
            {"tags": ["x" * (MAX_TAG + 1)]},
            {"tags": ["x"] * (MAX_ENTRIES + 1)},
            {"status": 1},
            {"status": "asleep"},
            {"mcp_servers": []},
            {"mcp_servers": {"a": "x"}},
            {"mcp_servers": {"a": {}}},
            {"mcp_servers": {"a": {"type": "pigeon", "command": "x"}}},
            {"mcp_servers": {"a": {"type": 1, "command": "x"}}},
            {"mcp_servers": {"a": {"type": ["stdio"], "command": "x"}}},
            {"mcp_servers": {"a": {"command": "x", "args": "y"}}},
            {"mcp_servers": {"a": {"command": "x", "env": {"A": 1}}}},
            {"mcp_servers": {"a": {"type": "http"}}},
            {"mcp_servers": {"": {"command": "x"}}},
            {"mcp_servers": {"\ud800": {"command": "x"}}},
            {"mcp_servers": {"a": {"command": "x", "more": "\ud800"}}},
            {"mcp_servers": {"a": {"command": "x", "env": {"\ud800": "x"}}}},
            {"mcp_servers": {"a": {"command": "x", "more": float("nan")}}},
        ],
    )
    def test_what_is_refused(self, fields: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            blueprint(**fields)

    def test_a_patch_may_not_name_the_name(self) -> None:
        with pytest.raises(ValidationError, match="cannot change"):
            BlueprintPatch.model_validate({"name": "other", "description": "d"})

    @pytest.mark.parametrize("body", [{}, {"unheard_of": 1}])
    def test_a_patch_must_name_something(self, body: dict[str, Any]) -> None:
        with pytest.raises(ValidationError, match="name at least one of description"):
            BlueprintPatch.model_validate(body)

    @pytest.mark.parametrize("field", ["description", "tags", "status"])
    def test_a_patch_cannot_clear_what_is_never_null(self, field: str) -> None:
        with pytest.raises(ValidationError):
            BlueprintPatch.model_validate({field: None})


async def test_a_new_one_is_stored_and_told(blueprints: Blueprints, bus: Bus) -> None:
    created = await blueprints.create(BlueprintCreate.model_validate(FULL))
    assert content(created) == FULL
    assert created.created_at == created.modified_at
    assert created.created_at.endswith("+00:00")
    assert await blueprints.get("reviewer") == created
    assert await messages(bus) == [{"type": "agent_created", "seq": 1, "agent": created.model_dump()}]


async def test_empty_lists_and_objects_survive_storage(blueprints: Blueprints) -> None:
    fields = {"mcp_servers": {"a": {"type": "stdio", "command": "x", "args": [], "env": {}}}, "skills": [], "tags": []}
    await blueprints.create(blueprint(**fields))
    assert (await blueprints.get("reviewer")).model_dump(include=set(fields)) == fields


async def test_a_taken_name_is_refused_and_nothing_is_told(blueprints: Blueprints, bus: Bus) -> None:
    first = await blueprints.create(blueprint(description="first"))
    with pytest.raises(BlueprintNameTaken, match="reviewer"):
        await blueprints.create(blueprint(description="second"))
    assert await blueprints.get("reviewer") == first
    assert len(await messages(bus)) == 1


async def test_one_of_many_that_create_the_same_name_wins(blueprints: Blueprints, bus: Bus) -> None:
    tries = (blueprints.create(blueprint(description=str(n))) for n in range(20))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, Blueprint) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, BlueprintNameTaken) for outcome in outcomes) == 19
    assert len(await messages(bus)) == 1


async def test_a_creation_sent_again_after_a_lost_answer_counts_once(bus: Bus) -> None:
    keys = (bus.keys.blueprints, bus.keys.deleted_blueprints)
    for _ in range(2):
        assert await bus.run("create_blueprint", keys, ("a", '{"name":"a"}', 1)) == b"created"
    assert len(await messages(bus)) == 1


async def test_a_patch_sent_again_after_a_lost_answer_counts_once(bus: Bus) -> None:
    await bus.redis.hset(bus.keys.blueprints, "a", "old")
    for _ in range(2):
        assert await bus.run("patch_blueprint", (bus.keys.blueprints,), ("a", "old", '"new"')) == b"changed"
    assert len(await messages(bus)) == 1


async def test_a_patch_touches_what_it_names(blueprints: Blueprints, bus: Bus) -> None:
    before = await blueprints.create(BlueprintCreate.model_validate(FULL))
    changes = {"system_prompt": None, "skills": [], "tags": ["one"]}
    after = await blueprints.patch("reviewer", BlueprintPatch.model_validate(changes))
    assert content(after) == FULL | changes
    assert after.created_at == before.created_at
    assert after.modified_at > before.modified_at
    assert await blueprints.get("reviewer") == after
    assert (await messages(bus))[1:] == [{"type": "agent_updated", "seq": 2, "agent": after.model_dump()}]


async def test_modified_at_moves_even_when_another_replica_s_clock_is_ahead(blueprints: Blueprints, bus: Bus) -> None:
    created = await blueprints.create(blueprint())
    ahead = created.model_copy(update={"modified_at": "2999-01-01T00:00:00.000000+00:00"})
    await bus.redis.hset(bus.keys.blueprints, "reviewer", ahead.model_dump_json())
    patched = await blueprints.patch("reviewer", BlueprintStatus(status="inactive"))
    assert patched.modified_at == "2999-01-01T00:00:00.000001+00:00"


async def test_patches_at_once_lose_nothing_of_each_other(blueprints: Blueprints, bus: Bus) -> None:
    await blueprints.create(blueprint())
    changes: list[dict[str, Any]] = [
        {"description": "new"}, {"system_prompt": "new"}, {"mcp_servers": {}}, {"skills": ["new"]}, {"tags": ["new"]},
        {"status": "inactive"},
    ]  # fmt: skip
    await asyncio.gather(*(blueprints.patch("reviewer", BlueprintPatch.model_validate(one)) for one in changes))
    together = {field: value for one in changes for field, value in one.items()}
    assert content(await blueprints.get("reviewer")) == {"name": "reviewer"} | together
    assert len(await messages(bus)) == 1 + len(changes)


async def test_a_patch_of_what_is_not_there_creates_nothing(blueprints: Blueprints, bus: Bus) -> None:
    with pytest.raises(UnknownBlueprint, match="nobody"):
        await blueprints.patch("nobody", BlueprintStatus(status="inactive"))
    assert await blueprints.list() == []
    assert await messages(bus) == []


async def test_a_patch_that_a_deletion_overtakes_does_not_bring_the_blueprint_back(bus: Bus) -> None:
    await bus.redis.hset(bus.keys.blueprints, "a", "old")
    await bus.run("delete_blueprint", (bus.keys.blueprints, bus.keys.deleted_blueprints), ("a",))
    assert await bus.run("patch_blueprint", (bus.keys.blueprints,), ("a", "old", '"new"')) == b"stale"
    assert not await bus.redis.hexists(bus.keys.blueprints, "a")


async def test_a_deleted_one_is_gone_told_and_remembered(blueprints: Blueprints, bus: Bus) -> None:
    await blueprints.create(blueprint())
    await blueprints.delete("reviewer")
    with pytest.raises(UnknownBlueprint):
        await blueprints.get("reviewer")
    with pytest.raises(UnknownBlueprint):
        await blueprints.delete("reviewer")
    assert (await messages(bus))[1:] == [{"type": "agent_deleted", "seq": 2, "name": "reviewer"}]
    with pytest.raises(BlueprintDeleted):
        await blueprints.create(blueprint(), revive=False)


async def test_a_deleted_name_can_be_created_again_and_is_then_no_longer_deleted(
    blueprints: Blueprints, bus: Bus
) -> None:
    await blueprints.create(blueprint())
    await blueprints.delete("reviewer")
    await blueprints.create(blueprint())
    assert not await bus.redis.exists(bus.keys.deleted_blueprints)


async def test_the_list_is_by_name_and_asks_for_all_tags(blueprints: Blueprints) -> None:
    for name, tags in [("c", ["x", "y"]), ("a", ["y", "x", "z"]), ("b", ["x"])]:
        await blueprints.create(blueprint(name, tags=tags))
    assert [one.name for one in await blueprints.list()] == ["a", "b", "c"]
    assert [one.name for one in await blueprints.list(["x", "y"])] == ["a", "c"]
    assert await blueprints.list(["x", "unheard-of"]) == []


async def test_fields_of_a_newer_version_survive_a_change_by_this_one(bus: Bus, blueprints: Blueprints) -> None:
    await blueprints.create(blueprint())
    stored = json.loads(await blueprints._read("reviewer"))
    newer = {"colour": "blue", "limits": {"Ünï": [1, 2.5, None, 10**20]}}
    await bus.redis.hset(bus.keys.blueprints, "reviewer", json.dumps(stored | newer))
    for patch in (BlueprintPatch(description="x"), BlueprintStatus(status="inactive")):
        await blueprints.patch("reviewer", patch)
    kept = json.loads(await blueprints._read("reviewer"))
    assert {name: kept[name] for name in newer} == newer
    assert (kept["description"], kept["status"]) == ("x", "inactive")
    assert kept.keys() == stored.keys() | newer.keys()
