"""The routes under /agents: blueprints, from which agents are started."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request

from agent_bus.blueprints import (
    Blueprint,
    BlueprintCreate,
    BlueprintNameTaken,
    BlueprintPatch,
    Blueprints,
    BlueprintStatus,
    UnknownBlueprint,
)
from api.errors import DETAIL

router = APIRouter(prefix="/agents", tags=["agents"])


async def _blueprints(request: Request) -> Blueprints:
    repository: Blueprints = request.app.state.blueprints
    return repository


Repository = Annotated[Blueprints, Depends(_blueprints)]


Responses = dict[int | str, dict[str, Any]]

UNREADABLE: Responses = {400: DETAIL | {"description": "The body is not text"}}
UNKNOWN: Responses = {404: DETAIL | {"description": "There is no agent of that name"}}
TAKEN: Responses = {409: DETAIL | {"description": "The name is taken"}}


@router.get("")
async def list_agents(
    blueprints: Repository,
    tags: Annotated[str | None, Query(description="Comma-separated; an agent has to have all of them")] = None,
) -> list[Blueprint]:
    """The agents, by name."""
    wanted = (tag.strip() for tag in (tags or "").split(","))
    return await blueprints.list(filter(None, wanted))


@router.get("/{name}", responses=UNKNOWN)
async def get_agent(name: str, blueprints: Repository) -> Blueprint:
    """One agent."""
    try:
        return await blueprints.get(name)
    except UnknownBlueprint as error:
        raise HTTPException(404, str(error)) from error


@router.post("", status_code=201, responses=UNREADABLE | TAKEN)
async def create_agent(new: BlueprintCreate, blueprints: Repository) -> Blueprint:
    """Creates an agent; its name is for good."""
    try:
        return await blueprints.create(new)
    except BlueprintNameTaken as error:
        raise HTTPException(409, str(error)) from error


@router.patch("/{name}", responses=UNREADABLE | UNKNOWN)
async def patch_agent(name: str, changes: BlueprintPatch, blueprints: Repository) -> Blueprint:
    """Replaces the fields that are named; null clears what can be null."""
    try:
        return await blueprints.patch(name, changes)
    except UnknownBlueprint as error:
        raise HTTPException(404, str(error)) from error


@router.patch("/{name}/status", responses=UNREADABLE | UNKNOWN)
async def set_agent_status(name: str, status: BlueprintStatus, blueprints: Repository) -> Blueprint:
    """Offers an agent for new sessions, or no longer."""
    try:
        return await blueprints.patch(name, status)
    except UnknownBlueprint as error:
        raise HTTPException(404, str(error)) from error


@router.delete("/{name}", status_code=204, responses=UNKNOWN)
async def delete_agent(name: str, blueprints: Repository) -> None:
    """Deletes an agent; a folder on disk does not bring it back at the next start."""
    try:
        await blueprints.delete(name)
    except UnknownBlueprint as error:
        raise HTTPException(404, str(error)) from error
