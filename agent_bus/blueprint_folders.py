"""Blueprints as folders on disk, one for each agent, and their way into Redis and back.

An agent's folder has the agent's name and holds `agent.json` (name, description, and skills and tags if there are any),
`agent.system-prompt.md` if there is a prompt, `agent.mcp.json` (`{"mcpServers": {…}}`) if there are servers, and
`.disabled` if the agent is inactive.
"""

import asyncio
import json
import os
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from agent_bus.blueprints import (
    BlueprintCreate,
    BlueprintDeleted,
    BlueprintNameTaken,
    BlueprintPatch,
    Blueprints,
    UnknownBlueprint,
)
from agent_bus.discovery import data_folder

AGENTS_FOLDER = "agents"

DESCRIPTION_FILE = "agent.json"
PROMPT_FILE = "agent.system-prompt.md"
SERVERS_FILE = "agent.mcp.json"
DISABLED_FILE = ".disabled"
SERVERS_FIELD = "mcpServers"

# Several times what the longest prompt takes; what is larger was not written as a blueprint and is not read.
MAX_FILE_BYTES = 4 * 1024 * 1024

Outcome = Literal["created", "updated", "skipped"]


class BrokenFolder(Exception):
    """A file of a blueprint's folder can't be used; `path` names it and the message says what is wrong."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path


@dataclass(frozen=True, slots=True)
class FolderProblem:
    """Why a folder was left out."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class FolderContents:
    """What a folder of blueprints holds, by name, and what in it could not be read."""

    blueprints: list[BlueprintCreate] = field(default_factory=list)
    problems: list[FolderProblem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, by name. `skipped` are those that were to be left alone or were the same already."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    problems: list[FolderProblem] = field(default_factory=list)


def agents_folder(directory: Path) -> Path:
    """Where the agents' folders lie: in the project's data if the directory is a project, else in the directory."""
    within = data_folder(directory) / AGENTS_FOLDER
    return within if within.is_dir() else directory


def read_folders(directory: Path) -> FolderContents:
    """Reads every agent's folder in a directory; a broken one does not stop the others.

    Hidden folders and plain files are not ours. A directory that does not exist holds nothing.
    """
    contents = FolderContents()
    if not directory.exists():
        return contents
    try:
        entries = sorted(entry for entry in directory.iterdir() if not entry.name.startswith(".") and entry.is_dir())
    except OSError as error:
        contents.problems.append(FolderProblem(directory, f"cannot be listed: {error.strerror}"))
        return contents
    for entry in entries:
        try:
            contents.blueprints.append(_read_folder(entry))
        except BrokenFolder as broken:
            contents.problems.append(FolderProblem(broken.path, str(broken)))
    return contents


def write_folders(directory: Path, blueprints: Iterable[BlueprintCreate]) -> list[str]:
    """Writes each blueprint to its folder, every file whole or not at all, and returns the names.

    An agent's optional files that no longer apply are removed; other files are left alone. Raises OSError.
    """
    names = []
    for blueprint in blueprints:
        _write_folder(directory / blueprint.name, blueprint)
        names.append(blueprint.name)
    return names


async def import_folders(blueprints: Blueprints, directory: Path, *, only_unknown: bool) -> ImportReport:
    """Brings the blueprints in a directory (or in the project's data below it) into Redis.

    only_unknown: take only names that Redis does not have and that no person deleted, as at a server's start;
    otherwise the folders win, and a directory that does not exist is a problem.
    """
    folder = await asyncio.to_thread(agents_folder, directory)
    contents = await asyncio.to_thread(read_folders, folder)
    report = ImportReport(problems=contents.problems)
    if not only_unknown and not await asyncio.to_thread(folder.is_dir):
        report.problems.append(FolderProblem(folder, "is not a folder"))
    for found in contents.blueprints:
        done = await (_add(blueprints, found) if only_unknown else _put(blueprints, found))
        {"created": report.created, "updated": report.updated, "skipped": report.skipped}[done].append(found.name)
    return report


async def export_folders(blueprints: Blueprints, directory: Path) -> list[str]:
    """Writes all blueprints to a directory (or to the project's data below it); returns their names. Raises OSError."""
    found = await blueprints.list()
    folder = await asyncio.to_thread(agents_folder, directory)
    return await asyncio.to_thread(write_folders, folder, found)


async def _add(blueprints: Blueprints, found: BlueprintCreate) -> Outcome:
    try:
        await blueprints.create(found, revive=False)
    except (BlueprintNameTaken, BlueprintDeleted):
        return "skipped"
    return "created"


async def _put(blueprints: Blueprints, found: BlueprintCreate) -> Outcome:
    wanted = _content(found)
    # Again only if someone deleted the blueprint between the steps; whoever asked for the import has the last word.
    while True:
        try:
            await blueprints.create(found)
        except BlueprintNameTaken:
            try:
                if _content(await blueprints.get(found.name)) == wanted:
                    return "skipped"
                changes = {field: value for field, value in wanted.items() if field != "name"}
                await blueprints.patch(found.name, BlueprintPatch.model_validate(changes))
            except UnknownBlueprint:
                continue
            return "updated"
        return "created"


def _content(blueprint: BlueprintCreate) -> dict[str, Any]:
    return blueprint.model_dump(include=set(BlueprintCreate.model_fields))


def _read_folder(folder: Path) -> BlueprintCreate:
    path = folder / DESCRIPTION_FILE
    described = _read_object(path)
    if described is None:
        raise BrokenFolder(path, "is missing; every agent's folder needs one")
    if described.get("name") != folder.name:
        raise BrokenFolder(path, f'"name" is {described.get("name")!r} and must be the folder\'s name, {folder.name!r}')
    fields: dict[str, Any] = {
        key: described[key] for key in ("name", "description", "skills", "tags") if key in described
    }
    fields["system_prompt"] = _read_text(folder / PROMPT_FILE)
    fields["mcp_servers"] = _read_servers(folder / SERVERS_FILE)
    fields["status"] = "inactive" if (folder / DISABLED_FILE).exists() else "active"
    try:
        return BlueprintCreate.model_validate(fields)
    except ValidationError as error:
        raise BrokenFolder(_source(folder, error), _explain(error)) from error


def _read_servers(path: Path) -> Any:
    servers = _read_object(path)
    if servers is None:
        return None
    if not isinstance(servers.get(SERVERS_FIELD), dict):
        raise BrokenFolder(path, f'needs an object named "{SERVERS_FIELD}"')
    return servers[SERVERS_FIELD]


def _read_object(path: Path) -> dict[str, Any] | None:
    text = _read_text(path)
    if text is None:
        return None
    try:
        # Editors on Windows put a byte order mark in front, which JSON does not know.
        value = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise BrokenFolder(path, f"is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BrokenFolder(path, "must be a JSON object")
    return value


def _read_text(path: Path) -> str | None:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BrokenFolder(path, "is not a file")
        if status.st_size > MAX_FILE_BYTES:
            raise BrokenFolder(path, f"is larger than {MAX_FILE_BYTES} bytes")
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise BrokenFolder(path, f"is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}") from error
    except OSError as error:
        raise BrokenFolder(path, f"cannot be read: {error.strerror}") from error


def _source(folder: Path, error: ValidationError) -> Path:
    """The file that the first complaint is about."""
    first = error.errors()[0]["loc"][0]
    return folder / {"system_prompt": PROMPT_FILE, "mcp_servers": SERVERS_FILE}.get(str(first), DESCRIPTION_FILE)


def _explain(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())


def _write_folder(folder: Path, blueprint: BlueprintCreate) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    described: dict[str, Any] = {"name": blueprint.name, "description": blueprint.description}
    if blueprint.skills is not None:
        described["skills"] = blueprint.skills
    described["tags"] = blueprint.tags
    servers = blueprint.model_dump()["mcp_servers"]
    inactive = blueprint.status == "inactive"
    _write(folder / DESCRIPTION_FILE, _json(described))
    _write(folder / PROMPT_FILE, blueprint.system_prompt)
    _write(folder / SERVERS_FILE, None if servers is None else _json({SERVERS_FIELD: servers}))
    _write(folder / DISABLED_FILE, "" if inactive else None)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _write(path: Path, text: str | None) -> None:
    """Puts a text in place of the file at once; None removes the file."""
    if text is None:
        path.unlink(missing_ok=True)
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("xb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
