"""Finding a project's Redis: what wins over what, and where it is looked for."""

from pathlib import Path

import pytest

from agent_bus.discovery import DEFAULT_URL, data_folder, find_redis_url, url_file


def leave_url(project: Path, text: str) -> None:
    data_folder(project).mkdir(parents=True)
    url_file(project).write_text(text, "utf-8")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(folder / "a" / "b")
    return folder


def test_the_argument_wins_then_the_environment_then_the_file(project: Path) -> None:
    leave_url(project, "redis://file\n")
    environ = {"REDIS_URL": "redis://environment", "AGENT_ORCHESTRATOR_PROJECT_DIR": str(project)}
    assert find_redis_url("redis://argument", environ) == "redis://argument"
    assert find_redis_url(None, environ) == "redis://environment"
    assert find_redis_url("", environ | {"REDIS_URL": ""}) == "redis://file"


def test_the_nearest_folder_above_that_has_been_run_in_counts(project: Path) -> None:
    leave_url(project, "redis://outer")
    assert find_redis_url(environ={}) == "redis://outer"
    leave_url(project / "a", "redis://inner")
    assert find_redis_url(environ={}) == "redis://inner"


def test_a_named_project_is_looked_at_alone(project: Path, tmp_path: Path) -> None:
    leave_url(project, "redis://outer")
    assert find_redis_url(environ={"AGENT_ORCHESTRATOR_PROJECT_DIR": str(tmp_path / "other")}) == DEFAULT_URL


def test_each_part_finds_its_own_url_else_that_of_agents(project: Path) -> None:
    leave_url(project, "redis://bridge:pw@h")
    url_file(project, "api").write_text("redis://api:pw@h", "utf-8")
    assert find_redis_url(environ={}, part="api") == "redis://api:pw@h"
    assert find_redis_url(environ={}, part="worker") == "redis://bridge:pw@h"
    assert find_redis_url(environ={"REDIS_URL": "redis://named"}, part="api") == "redis://named"


def test_without_anything_it_is_the_local_default(project: Path) -> None:
    assert find_redis_url(environ={}) == DEFAULT_URL


def test_what_is_in_the_way_is_passed_over(project: Path) -> None:
    leave_url(project, "redis://outer")
    data_folder(project / "a").write_text("a file, not a folder", "utf-8")
    assert find_redis_url(environ={}) == "redis://outer"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", None])
def test_a_file_that_says_nothing_is_passed_over(project: Path, content: bytes | None) -> None:
    leave_url(project, "redis://outer")
    data_folder(project / "a").mkdir()
    if content is None:
        url_file(project / "a").mkdir()
    else:
        url_file(project / "a").write_bytes(content)
    assert find_redis_url(environ={}) == "redis://outer"
