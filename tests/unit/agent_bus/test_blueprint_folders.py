import json
import os
from pathlib import Path
from typing import Any

import pytest

from agent_bus import blueprint_folders
from agent_bus.blueprint_folders import (
    ImportReport,
    agents_folder,
    export_folders,
    import_folders,
    read_folders,
    write_folders,
)
from agent_bus.blueprints import BlueprintCreate, Blueprints, BlueprintStatus
from agent_bus.bus import Bus

FULL: dict[str, Any] = {
    "name": "reviewer",
    "description": "Reads “what” others wrote.",
    "system_prompt": "\ufeffLine one\r\nLine two\n\n🦉",
    "mcp_servers": {
        "files": {"type": "stdio", "command": "mcp-files", "args": [], "env": {}},
        "web": {"type": "http", "url": "http://localhost:9000/mcp"},
    },
    "skills": ["review"],
    "tags": ["code", "quality"],
    "status": "inactive",
}
PLAIN: dict[str, Any] = {"name": "plain", "description": ""}
EMPTY: dict[str, Any] = {"name": "empty", "description": "", "system_prompt": "", "mcp_servers": {}, "skills": []}


def blueprint(fields: dict[str, Any]) -> BlueprintCreate:
    return BlueprintCreate.model_validate(fields)


def write(path: Path, content: str | bytes | dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def blueprints(bus: Bus) -> Blueprints:
    return Blueprints(bus)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    written = [blueprint(fields) for fields in (EMPTY, PLAIN, FULL)]
    assert write_folders(tmp_path / "new" / "agents", written) == ["empty", "plain", "reviewer"]
    assert read_folders(tmp_path / "new" / "agents") == blueprint_folders.FolderContents(written, [])


def test_the_files_are_those_of_the_contract(tmp_path: Path) -> None:
    write_folders(tmp_path, [blueprint(FULL), blueprint(PLAIN)])
    assert names_in(tmp_path / "plain") == {"agent.json"}
    assert names_in(tmp_path / "reviewer") == {"agent.json", "agent.system-prompt.md", "agent.mcp.json", ".disabled"}
    described = json.loads((tmp_path / "reviewer" / "agent.json").read_text("utf-8"))
    assert described == {key: FULL[key] for key in ("name", "description", "skills", "tags")}
    assert json.loads((tmp_path / "reviewer" / "agent.mcp.json").read_text("utf-8")) == {
        "mcpServers": FULL["mcp_servers"]
    }


def test_files_that_no_longer_apply_go_and_foreign_ones_stay(tmp_path: Path) -> None:
    write_folders(tmp_path, [blueprint(FULL)])
    write(tmp_path / "reviewer" / "notes.md", "mine")
    write(tmp_path / "another" / "agent.json", "{}")
    write_folders(tmp_path, [blueprint(PLAIN | {"name": "reviewer"})])
    assert names_in(tmp_path / "reviewer") == {"agent.json", "notes.md"}
    assert names_in(tmp_path / "another") == {"agent.json"}


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folders(tmp_path, [blueprint(PLAIN)])
    before = (tmp_path / "plain" / "agent.json").read_bytes()

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_folders(tmp_path, [blueprint(PLAIN | {"description": "new"})])
    assert (tmp_path / "plain" / "agent.json").read_bytes() == before
    assert names_in(tmp_path / "plain") == {"agent.json"}


def test_a_directory_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    assert read_folders(tmp_path / "nowhere") == blueprint_folders.FolderContents([], [])


def test_hidden_folders_and_plain_files_are_not_agents(tmp_path: Path) -> None:
    write(tmp_path / ".git" / "config", "x")
    write(tmp_path / "README.md", "x")
    assert read_folders(tmp_path) == blueprint_folders.FolderContents([], [])


def test_a_byte_order_mark_in_front_of_json_is_no_problem(tmp_path: Path) -> None:
    write(tmp_path / "plain" / "agent.json", b"\xef\xbb\xbf" + json.dumps(PLAIN).encode())
    assert read_folders(tmp_path).blueprints == [blueprint(PLAIN)]


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("agent.json", "{", "is not JSON"),
        ("agent.json", "[]", "must be a JSON object"),
        ("agent.json", "[" * 100_000, "is not JSON"),
        ("agent.json", b"\xff{}", "is not UTF-8: byte 0 is 0xff"),
        ("agent.json", " " * (blueprint_folders.MAX_FILE_BYTES + 1), "is larger than"),
        ("agent.json", {"name": "other", "description": ""}, "must be the folder's name, 'broken'"),
        ("agent.json", {"description": ""}, "must be the folder's name, 'broken'"),
        ("agent.json", {"name": "broken"}, "description: Field required"),
        ("agent.json", {"name": "broken", "description": "", "tags": "a,b"}, "tags: Input should be a valid list"),
        ("agent.json", {"name": "broken", "description": "", "tags": None}, "tags: Input should be a valid list"),
        ("agent.system-prompt.md", b"\xff", "is not UTF-8"),
        ("agent.mcp.json", {"servers": {}}, 'needs an object named "mcpServers"'),
        ("agent.mcp.json", {"mcpServers": None}, 'needs an object named "mcpServers"'),
        ("agent.mcp.json", {"mcpServers": {"a": {"type": "sse", "url": "x"}}}, "mcp_servers.a: an MCP server is"),
        ("agent.mcp.json", "not json", "is not JSON"),
    ],
)
def test_a_broken_folder_is_reported_and_does_not_stop_the_others(
    tmp_path: Path, file: str, content: str | bytes | dict[str, Any], reason: str
) -> None:
    write(tmp_path / "a" / "agent.json", PLAIN | {"name": "a"})
    write(tmp_path / "broken" / "agent.json", PLAIN | {"name": "broken"})
    path = write(tmp_path / "broken" / file, content)
    write(tmp_path / "c" / "agent.json", PLAIN | {"name": "c"})
    contents = read_folders(tmp_path)
    assert [found.name for found in contents.blueprints] == ["a", "c"]
    [problem] = contents.problems
    assert problem.path == path
    assert reason in problem.reason
    assert str(problem) == f"{path}: {problem.reason}"


def test_a_folder_without_agent_json_is_reported(tmp_path: Path) -> None:
    write(tmp_path / "broken" / "agent.system-prompt.md", "x")
    [problem] = read_folders(tmp_path).problems
    assert problem.path == tmp_path / "broken" / "agent.json"
    assert "is missing" in problem.reason


def test_a_pipe_in_place_of_a_file_does_not_hang_the_start(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    os.mkfifo(tmp_path / "broken" / "agent.json")
    assert [problem.reason for problem in read_folders(tmp_path).problems] == ["is not a file"]


def test_a_folder_whose_name_no_agent_can_have_is_reported(tmp_path: Path) -> None:
    write(tmp_path / "my agent" / "agent.json", PLAIN | {"name": "my agent"})
    [problem] = read_folders(tmp_path).problems
    assert "name: String should match pattern" in problem.reason


def test_in_a_project_the_agents_lie_in_its_data(tmp_path: Path) -> None:
    assert agents_folder(tmp_path) == tmp_path
    (tmp_path / ".agent-orchestrator" / "agents").mkdir(parents=True)
    assert agents_folder(tmp_path) == tmp_path / ".agent-orchestrator" / "agents"


async def test_export_and_import_are_each_other_s_reverse(blueprints: Blueprints, tmp_path: Path) -> None:
    for fields in (FULL, PLAIN, EMPTY):
        await blueprints.create(blueprint(fields))
    before = [one.model_dump(exclude={"created_at", "modified_at"}) for one in await blueprints.list()]
    assert await export_folders(blueprints, tmp_path) == ["empty", "plain", "reviewer"]
    for fields in (FULL, PLAIN, EMPTY):
        await blueprints.delete(fields["name"])
    report = await import_folders(blueprints, tmp_path, only_unknown=False)
    assert report == ImportReport(created=["empty", "plain", "reviewer"])
    assert [one.model_dump(exclude={"created_at", "modified_at"}) for one in await blueprints.list()] == before


async def test_at_the_start_only_what_is_unknown_and_not_deleted_comes_in(
    blueprints: Blueprints, tmp_path: Path
) -> None:
    write_folders(tmp_path, [blueprint(PLAIN | {"name": name}) for name in ("changed", "deleted", "new")])
    kept = await blueprints.create(blueprint({"name": "changed", "description": "by a person"}))
    await blueprints.create(blueprint({"name": "deleted", "description": ""}))
    await blueprints.delete("deleted")
    report = await import_folders(blueprints, tmp_path, only_unknown=True)
    assert report == ImportReport(created=["new"], skipped=["changed", "deleted"])
    assert await blueprints.get("changed") == kept
    assert [one.name for one in await blueprints.list()] == ["changed", "new"]


async def test_on_a_person_s_word_the_folders_win(blueprints: Blueprints, tmp_path: Path, bus: Bus) -> None:
    write_folders(tmp_path, [blueprint(PLAIN | {"name": name}) for name in ("changed", "deleted", "same")])
    write(tmp_path / "broken" / "agent.json", "{")
    await blueprints.create(blueprint(FULL | {"name": "changed"}))
    await blueprints.create(blueprint(PLAIN | {"name": "same"}))
    await blueprints.create(blueprint({"name": "deleted", "description": ""}))
    await blueprints.delete("deleted")
    report = await import_folders(blueprints, tmp_path, only_unknown=False)
    assert (report.created, report.updated, report.skipped) == (["deleted"], ["changed"], ["same"])
    assert [problem.path.parent.name for problem in report.problems] == ["broken"]
    changed = (await blueprints.get("changed")).model_dump(exclude={"created_at", "modified_at"})
    assert changed == blueprint(PLAIN | {"name": "changed"}).model_dump()


async def test_a_disabled_file_that_is_taken_away_makes_the_agent_active(
    blueprints: Blueprints, tmp_path: Path
) -> None:
    await blueprints.create(blueprint(PLAIN))
    await blueprints.patch("plain", BlueprintStatus(status="inactive"))
    await export_folders(blueprints, tmp_path)
    (tmp_path / "plain" / ".disabled").unlink()
    await import_folders(blueprints, tmp_path, only_unknown=False)
    assert (await blueprints.get("plain")).status == "active"


async def test_a_project_is_imported_from_and_exported_to_its_data(blueprints: Blueprints, tmp_path: Path) -> None:
    agents = tmp_path / ".agent-orchestrator" / "agents"
    write_folders(agents, [blueprint(PLAIN)])
    assert (await import_folders(blueprints, tmp_path, only_unknown=False)).created == ["plain"]
    (agents / "plain" / "agent.json").unlink()
    await export_folders(blueprints, tmp_path)
    assert read_folders(agents).blueprints == [blueprint(PLAIN)]


async def test_a_mistyped_directory_is_a_problem_only_when_a_person_named_it(
    blueprints: Blueprints, tmp_path: Path
) -> None:
    missing = tmp_path / "nowhere"
    assert (await import_folders(blueprints, missing, only_unknown=True)).problems == []
    [problem] = (await import_folders(blueprints, missing, only_unknown=False)).problems
    assert str(problem) == f"{missing}: is not a folder"
