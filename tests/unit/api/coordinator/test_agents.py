from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from agent_bus.blueprints import Blueprints
from agent_bus.bus import Bus
from api.application import create_application
from api.coordinator.agents import router

MINIMAL = {"name": "reviewer", "description": "Reads what others wrote."}


@asynccontextmanager
async def nothing(_: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture
async def client(bus: Bus) -> AsyncIterator[httpx.AsyncClient]:
    app = create_application("test", "", nothing)
    app.state.blueprints = Blueprints(bus)
    app.include_router(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        yield http


async def create(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    response = await client.post("/agents", json=MINIMAL | fields)
    assert response.status_code == 201, response.text
    agent: dict[str, Any] = response.json()
    return agent


def messages_of(response: httpx.Response) -> list[str]:
    assert response.status_code == 422, response.text
    return [item["msg"] for item in response.json()["detail"]]


async def test_a_created_agent_is_answered_and_found(client: httpx.AsyncClient) -> None:
    agent = await create(client)
    assert set(agent) == {
        "name", "description", "system_prompt", "mcp_servers", "skills", "tags", "status", "created_at", "modified_at",
    }  # fmt: skip
    assert agent | {"created_at": "", "modified_at": ""} == MINIMAL | {
        "system_prompt": None, "mcp_servers": None, "skills": None, "tags": [], "status": "active",
        "created_at": "", "modified_at": "",
    }  # fmt: skip
    assert (await client.get("/agents/reviewer")).json() == agent
    assert (await client.get("/agents")).json() == [agent]


async def test_servers_come_back_as_sent_with_their_type(client: httpx.AsyncClient) -> None:
    sent = {"a": {"command": "x", "args": ["y"]}, "b": {"type": "http", "url": "http://x"}}
    agent = await create(client, mcp_servers=sent)
    assert agent["mcp_servers"] == {"a": {"type": "stdio"} | sent["a"], "b": sent["b"]}
    assert (await client.get("/agents/reviewer")).json() == agent


async def test_fields_of_newer_clients_are_ignored(client: httpx.AsyncClient) -> None:
    assert "model" not in await create(client, model="newest")


async def test_a_taken_name_is_a_conflict_that_names_it(client: httpx.AsyncClient) -> None:
    await create(client)
    response = await client.post("/agents", json=MINIMAL)
    assert response.status_code == 409
    assert response.json() == {"detail": "an agent named 'reviewer' exists already"}


@pytest.mark.parametrize(
    "body",
    [
        {"name": "reviewer"},
        {"description": "d"},
        MINIMAL | {"name": "-reviewer"},
        MINIMAL | {"tags": "a"},
        MINIMAL | {"status": 1},
        MINIMAL | {"mcp_servers": {"a": {"type": "pigeon"}}},
        [],
        None,
    ],
)
async def test_a_wrong_body_is_refused_and_stores_nothing(client: httpx.AsyncClient, body: Any) -> None:
    assert messages_of(await client.post("/agents", json=body))
    assert (await client.get("/agents")).json() == []


async def test_half_a_surrogate_pair_is_refused_and_not_a_crash(client: httpx.AsyncClient) -> None:
    text = '{"name":"a","description":"","mcp_servers":{"a":{"command":"x","args":[],"more":"\\ud800"}}}'
    response = await client.post("/agents", content=text, headers={"content-type": "application/json"})
    assert messages_of(response) == ["text must be valid Unicode"]


@pytest.mark.parametrize(("levels", "status"), [(30, 201), (31, 422), (150, 422), (900, 422)])
async def test_nesting_that_storage_could_not_read_back_is_refused(
    client: httpx.AsyncClient, levels: int, status: int
) -> None:
    nested = "[" * levels + "]" * levels
    text = f'{{"name":"a","description":"","mcp_servers":{{"a":{{"command":"x","more":{nested}}}}}}}'
    response = await client.post("/agents", content=text, headers={"content-type": "application/json"})
    assert response.status_code == status
    assert (await client.get("/agents")).status_code == 200


async def test_a_body_that_is_not_text_is_refused_with_json(client: httpx.AsyncClient) -> None:
    response = await client.post("/agents", content=b"\xff\xfe\xfd", headers={"content-type": "application/json"})
    assert (response.status_code, list(response.json())) == (400, ["detail"])


async def test_the_list_is_by_name_and_asks_for_all_tags(client: httpx.AsyncClient) -> None:
    await create(client, name="b", tags=["x", "y"])
    await create(client, name="a", tags=["x"])

    async def names(**query: str) -> list[str]:
        return [agent["name"] for agent in (await client.get("/agents", params=query)).json()]

    assert await names() == ["a", "b"]
    assert await names(tags="") == ["a", "b"]
    assert await names(tags="x") == ["a", "b"]
    assert await names(tags=" y , x,") == ["b"]
    assert await names(tags="x,z") == []


async def test_a_patch_replaces_what_it_names_and_null_clears(client: httpx.AsyncClient) -> None:
    before = await create(client, system_prompt="p", skills=["s"], tags=["t"])
    response = await client.patch("/agents/reviewer", json={"system_prompt": None, "tags": []})
    assert response.status_code == 200
    after = response.json()
    assert after == before | {"system_prompt": None, "tags": [], "modified_at": after["modified_at"]}
    assert after["modified_at"] > before["modified_at"]
    assert (await client.get("/agents/reviewer")).json() == after


async def test_a_patch_of_the_name_says_that_names_are_for_good(client: httpx.AsyncClient) -> None:
    before = await create(client)
    response = await client.patch("/agents/reviewer", json={"name": "other", "description": "new"})
    assert messages_of(response) == ["an agent's name cannot change; create another agent instead"]
    assert (await client.get("/agents/reviewer")).json() == before


@pytest.mark.parametrize("body", [{}, {"tags": None}, {"status": 1}, {"description": None}, {"unheard_of": 1}, []])
async def test_a_patch_that_can_not_be_applied_is_refused(client: httpx.AsyncClient, body: Any) -> None:
    before = await create(client)
    assert messages_of(await client.patch("/agents/reviewer", json=body))
    assert (await client.get("/agents/reviewer")).json() == before


async def test_the_status_is_set_on_its_own_route(client: httpx.AsyncClient) -> None:
    before = await create(client)
    response = await client.patch("/agents/reviewer/status", json={"status": "inactive"})
    assert response.status_code == 200
    assert response.json() == before | {"status": "inactive", "modified_at": response.json()["modified_at"]}


@pytest.mark.parametrize("body", [{}, {"status": 1}, {"status": None}, {"status": "asleep"}, {"status": True}])
async def test_a_status_that_does_not_exist_is_refused(client: httpx.AsyncClient, body: Any) -> None:
    await create(client)
    assert messages_of(await client.patch("/agents/reviewer/status", json=body))


async def test_a_deleted_agent_is_gone_and_its_name_free(client: httpx.AsyncClient) -> None:
    await create(client)
    response = await client.delete("/agents/reviewer")
    assert (response.status_code, response.content) == (204, b"")
    assert (await client.get("/agents")).json() == []
    await create(client)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/agents/nobody", None),
        ("PATCH", "/agents/nobody", {"description": "d"}),
        ("PATCH", "/agents/nobody/status", {"status": "active"}),
        ("DELETE", "/agents/nobody", None),
    ],
)
async def test_an_unknown_agent_is_not_found(client: httpx.AsyncClient, method: str, path: str, body: Any) -> None:
    response = await client.request(method, path, json=body)
    assert response.status_code == 404
    assert response.json() == {"detail": "there is no agent named 'nobody'"}
