import json
import os
import shlex
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent_bridge import install as install_module
from agent_bridge.claude_settings import EVENTS, START_EVENT
from agent_bridge.cli import main
from agent_bus.coordinator_address import API_URL_VARIABLE, DEFAULT_API_URL, TOKEN_VARIABLE
from agent_bus.discovery import PROJECT_DIR_VARIABLE, URL_VARIABLE, url_file
from tests.claude_code import ClaudeCode
from tests.model_api import ModelApi, Say, bash

OWN = b'{\r\n  "model": "opus",\r\n  "note": "gr\xc3\xbc\xc3\x9fe",\r\n  "big": 1.50e3\r\n}'
SESSION_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Place:
    """A person's home and project."""

    home: Path
    project: Path

    @property
    def settings(self) -> Path:
        return self.home / ".claude" / "settings.json"

    @property
    def backup(self) -> Path:
        return self.home / ".claude" / "settings.json.before-agent-bridge"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place(tmp_path / "home", tmp_path / "project")
    place.home.mkdir()
    place.project.mkdir()
    monkeypatch.setenv("HOME", str(place.home))
    for variable in ("CLAUDE_CONFIG_DIR", API_URL_VARIABLE, TOKEN_VARIABLE, URL_VARIABLE, PROJECT_DIR_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(place.project)
    return place


def install(*options: str) -> Result:
    return CliRunner().invoke(main, ["install", "claude-code", *options])


def uninstall(*options: str) -> Result:
    return CliRunner().invoke(main, ["uninstall", "claude-code", *options])


def own_settings(place: Place, content: bytes = OWN, mode: int = 0o640) -> None:
    place.settings.parent.mkdir(exist_ok=True)
    place.settings.write_bytes(content)
    place.settings.chmod(mode)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def handlers(path: Path, event: str) -> list[dict[str, Any]]:
    found = json.loads(path.read_bytes())["hooks"][event][-1]["hooks"]
    assert isinstance(found, list)
    return found


def words_at_start(path: Path) -> list[str]:
    return shlex.split(handlers(path, START_EVENT)[0]["command"])


def test_hooks_come_into_the_persons_settings_and_out_again(place: Place) -> None:
    own_settings(place)
    result = install()
    assert result.exit_code == 0, result.output
    after = place.settings.read_bytes()
    assert after.startswith(OWN.removesuffix(b"\r\n}") + b',\r\n  "hooks": {\r\n')
    assert b"\n" not in after.replace(b"\r\n", b"")
    assert json.loads(after)["hooks"].keys() == {START_EVENT, *EVENTS}
    assert handlers(place.settings, "Stop")[0]["url"] == f"{DEFAULT_API_URL}/hooks/claude-code"
    assert place.backup.read_bytes() == OWN
    assert mode_of(place.settings) == mode_of(place.backup) == 0o640
    assert sorted(path.name for path in place.settings.parent.iterdir()) == [place.settings.name, place.backup.name]
    for said in (str(place.settings), str(place.backup), DEFAULT_API_URL, "fail open", "uninstall claude-code\n"):
        assert said in result.output

    result = uninstall()
    assert result.exit_code == 0, result.output
    assert "what it was before" in result.output
    assert place.settings.read_bytes() == OWN
    assert mode_of(place.settings) == 0o640
    assert [path.name for path in place.settings.parent.iterdir()] == [place.settings.name]


@pytest.mark.parametrize(
    ("variable", "options", "sent"),
    [("", (), False), ("aot_s3cret", (), True), ("aot_s3cret", ("--no-token",), False), ("", ("--token",), True)],
)
def test_the_token_is_named_where_one_is_in_use_and_is_not_written_down(
    place: Place, monkeypatch: pytest.MonkeyPatch, variable: str, options: tuple[str, ...], sent: bool
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, variable)
    own_settings(place)
    result = install(*options)
    assert result.exit_code == 0, result.output
    handler = handlers(place.settings, "Stop")[0]
    assert (handler["headers"].get("Authorization") == f"Bearer ${TOKEN_VARIABLE}") is sent
    assert (TOKEN_VARIABLE in handler["allowedEnvVars"]) is sent
    assert (TOKEN_VARIABLE in result.output) is sent
    assert "s3cret" not in place.settings.read_text() + result.output
    assert uninstall().exit_code == 0
    assert place.settings.read_bytes() == OWN


def test_a_file_that_was_not_there_is_private_and_goes_again_with_its_folder(place: Place) -> None:
    assert install().exit_code == 0
    assert mode_of(place.settings) == 0o600
    assert not place.backup.exists()
    result = uninstall()
    assert result.exit_code == 0
    assert "removed" in result.output
    assert list(place.home.iterdir()) == []


def test_a_folder_with_something_else_in_it_stays(place: Place) -> None:
    install()
    (place.settings.parent / "CLAUDE.md").touch()
    uninstall()
    assert [path.name for path in place.settings.parent.iterdir()] == ["CLAUDE.md"]


@pytest.mark.parametrize(("scope", "name"), [("project", "settings.json"), ("local", "settings.local.json")])
def test_each_scope_has_its_file(place: Place, tmp_path: Path, scope: str, name: str) -> None:
    result = install("--scope", scope)
    assert (place.project / ".claude" / name).is_file()
    assert f"uninstall claude-code --scope {scope}\n" in result.output
    assert ("shares" in result.output) == (scope == "project")
    other = tmp_path / "another one"
    other.mkdir()
    result = install("--scope", scope, "--project-dir", "../another one")
    assert (other / ".claude" / name).is_file()
    undo = shlex.split(result.output.partition("Undo: ")[2])
    assert CliRunner().invoke(main, undo[1:]).exit_code == 0
    assert not (other / ".claude").exists()
    assert not place.settings.exists()


def test_the_configuration_folder_may_be_elsewhere(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "a" / "b"))
    assert install().exit_code == 0
    assert (tmp_path / "a" / "b" / "settings.json").is_file()
    assert not place.settings.exists()


def test_installing_again_changes_nothing(place: Place) -> None:
    own_settings(place)
    install()
    status, content = place.settings.stat(), place.settings.read_bytes()
    result = install()
    assert result.exit_code == 0
    assert "already" in result.output
    assert (place.settings.stat().st_ino, place.settings.read_bytes()) == (status.st_ino, content)


def test_installing_with_other_options_replaces_the_hooks_and_keeps_the_first_backup(place: Place) -> None:
    own_settings(place)
    install()
    assert install("--api-url", "https://elsewhere.example/").exit_code == 0
    assert [it["url"] for it in handlers(place.settings, "Stop")] == ["https://elsewhere.example/hooks/claude-code"]
    assert install("--command-hooks").exit_code == 0
    assert len(json.loads(place.settings.read_bytes())["hooks"]["Stop"]) == 1
    assert place.backup.read_bytes() == OWN
    uninstall()
    assert place.settings.read_bytes() == OWN


def test_what_the_person_changed_since_stays(place: Place) -> None:
    own_settings(place)
    install()
    place.settings.write_bytes(place.settings.read_bytes().replace(b'"opus"', b'"sonnet"'))
    result = uninstall()
    assert "as you left it" in result.output
    assert place.settings.read_bytes() == OWN.replace(b'"opus"', b'"sonnet"')
    assert not place.backup.exists()


def test_a_backup_of_an_earlier_time_gives_way(place: Place) -> None:
    own_settings(place)
    install()
    place.settings.write_bytes(b'{"model": "haiku"}')
    install()
    assert place.backup.read_bytes() == b'{"model": "haiku"}'
    place.settings.unlink()
    install()
    assert not place.backup.exists()
    uninstall()
    assert not place.settings.exists()


def test_a_link_stays_one(place: Place, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles" / "claude.json"
    target.parent.mkdir()
    target.write_bytes(OWN)
    place.settings.parent.mkdir()
    place.settings.symlink_to(target)
    install()
    assert place.settings.is_symlink()
    assert b"hooks" in target.read_bytes()
    assert place.backup.read_bytes() == OWN
    uninstall()
    assert place.settings.is_symlink()
    assert target.read_bytes() == OWN
    assert [path.name for path in target.parent.iterdir()] == [target.name]

    target.unlink()
    install()
    assert target.is_file()
    uninstall()
    assert place.settings.is_symlink()
    assert not target.exists()


def test_a_dry_run_shows_the_change_and_makes_none(place: Place) -> None:
    result = install("--dry-run")
    assert result.exit_code == 0
    assert result.output.startswith(f"--- {os.devnull}\n+++ {place.settings}\n@@ ")
    assert list(place.home.iterdir()) == []

    own_settings(place)
    result = CliRunner().invoke(main, ["install", "claude-code", "--dry-run"])
    assert result.stdout_bytes.startswith(f"--- {place.settings}\n+++ {place.settings}\n@@ ".encode())
    assert b'-  "big": 1.50e3\r\n+  "big": 1.50e3,\r\n' in result.stdout_bytes
    assert result.stdout_bytes.count(b"\n\\ No newline at end of file\n") == 1
    assert place.settings.read_bytes() == OWN
    assert not place.backup.exists()

    install()
    assert "would not change" in install("--dry-run").output
    content = place.settings.read_bytes()
    result = uninstall("--dry-run")
    assert b'-  "big": 1.50e3,\r\n' in result.stdout_bytes
    assert place.settings.read_bytes() == content
    assert place.backup.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{\n  "a": 1,\n}', "line 3 column 1: this is not JSON"),
        (b"[]", "line 1 column 1: the settings must be an object"),
        (b'{"hooks": 1}', 'line 1 column 11: "hooks" must be an object'),
        (b'{"hooks": {"Stop": "echo"}}', 'line 1 column 20: "Stop" must be a list'),
        (b'{\n"\xc3\xbc\xff": 1}', "line 2 column 3: this is not UTF-8"),
    ],
)
def test_what_is_no_settings_file_is_left_alone(place: Place, content: bytes, said: str) -> None:
    own_settings(place, content)
    result = install()
    assert result.exit_code == 1
    assert f"{place.settings}: {said}" in result.output
    assert "nothing was changed" in result.output
    assert place.settings.read_bytes() == content
    assert [path.name for path in place.settings.parent.iterdir()] == [place.settings.name]


def test_a_broken_backup_is_not_trusted(place: Place) -> None:
    own_settings(place)
    install()
    content = place.settings.read_bytes()
    place.backup.write_bytes(b"{")
    result = uninstall()
    assert result.exit_code == 1
    assert f"{place.backup}: line 1 column 2" in result.output
    assert place.settings.read_bytes() == content


def test_what_the_system_refuses_is_said(place: Place) -> None:
    (place.home / ".claude").touch()
    result = install()
    assert result.exit_code == 1
    assert "Not a directory" in result.output


def test_a_failed_write_leaves_the_file_as_it_was(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    own_settings(place)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    result = install()
    assert result.exit_code == 1
    assert "No space left" in result.output
    assert place.settings.read_bytes() == OWN
    assert [path.name for path in place.settings.parent.iterdir()] == [place.settings.name]


def test_without_our_hooks_there_is_nothing_to_uninstall(place: Place) -> None:
    assert "nothing to do" in uninstall().output
    own_settings(place)
    result = uninstall()
    assert result.exit_code == 0
    assert "nothing to do" in result.output
    assert place.settings.read_bytes() == OWN


def test_the_watcher_is_this_environments_program(place: Place) -> None:
    install()
    words = words_at_start(place.settings)
    assert Path(words[0]).is_absolute()
    assert os.access(words[0], os.X_OK)
    assert words[1:] == ["watch", "claude-code"]


def test_a_program_that_is_not_there_is_missed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    result = install()
    assert result.exit_code == 1
    assert "no program agent-bridge" in result.output
    assert not place.settings.exists()


def test_the_watcher_is_told_the_redis_that_the_person_named(place: Place) -> None:
    url = "redis://:it's a secret@elsewhere:6379/0"
    install("--redis-url", url)
    assert words_at_start(place.settings)[3:] == ["--redis-url", url]


def test_a_redis_url_of_the_environment_is_not_written_down(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    url_file(place.project).parent.mkdir()
    url_file(place.project).write_text("redis://localhost:1234/0")
    monkeypatch.setenv(URL_VARIABLE, "redis://:secret@elsewhere:6379/0")
    result = install()
    assert "REDIS_URL was not written" in result.output
    assert words_at_start(place.settings)[3:] == []
    assert b"secret" not in place.settings.read_bytes()


def test_the_watcher_is_told_of_the_project_above(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url_file(place.project).parent.mkdir()
    url_file(place.project).write_text("redis://:secret@localhost:1234/0")
    inner = place.project / "in" / "it"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    install()
    assert words_at_start(place.settings)[3:] == ["--project-dir", str(place.project)]
    assert b"secret" not in place.settings.read_bytes()
    monkeypatch.chdir(tmp_path)
    install()
    assert words_at_start(place.settings)[3:] == []
    install("--project-dir", "project/in")
    assert words_at_start(place.settings)[3:] == ["--project-dir", str(place.project)]
    install()
    monkeypatch.setenv(PROJECT_DIR_VARIABLE, str(inner))
    install()
    assert words_at_start(place.settings)[3:] == ["--project-dir", str(place.project)]


def test_command_hooks_name_the_coordinator_unless_it_is_the_default(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("--command-hooks")
    program = words_at_start(place.settings)[0]
    assert [shlex.split(it["command"]) for it in handlers(place.settings, "PreToolUse")] == [[program, "hook"]]
    assert [it["type"] for it in handlers(place.settings, START_EVENT)] == ["command", "command"]
    monkeypatch.setenv(API_URL_VARIABLE, "http://elsewhere:1/")
    install("--command-hooks")
    assert [shlex.split(it["command"]) for it in handlers(place.settings, "PreToolUse")] == [
        [program, "hook", "--api-url", "http://elsewhere:1"]
    ]


@pytest.mark.parametrize(
    "url", ["localhost:8765", "ftp://a", "http://", "http://a:b", "http://a:0", "http://a?b=c", "http://a#b"]
)
def test_an_address_that_is_none_is_refused(place: Place, url: str) -> None:
    result = install("--api-url", url)
    assert result.exit_code == 2
    assert "--api-url" in result.output
    assert not place.settings.exists()


def test_an_address_of_the_environment_that_is_none_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(API_URL_VARIABLE, "elsewhere")
    result = install()
    assert result.exit_code == 2
    assert API_URL_VARIABLE in result.output


def test_a_redis_url_that_is_none_is_refused(place: Place) -> None:
    result = install("--redis-url", "http://a")
    assert result.exit_code == 2
    assert "--redis-url" in result.output
    assert not place.settings.exists()


def test_folders_that_settings_can_not_name_are_refused(place: Place) -> None:
    folder = place.project / os.fsdecode(b"\xff")
    url_file(folder).parent.mkdir(parents=True)
    url_file(folder).touch()
    result = install("--project-dir", str(folder))
    assert result.exit_code == 1
    assert "UTF-8" in result.output
    assert not place.settings.exists()


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_there_are_hooks_for_claude_code_only(place: Place, command: str) -> None:
    result = CliRunner().invoke(main, [command, "another-agent"])
    assert result.exit_code == 2
    assert "another-agent" in result.output


@dataclass
class Coordinator:
    """Takes hooks and records them."""

    url: str = ""
    hooks: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    """Path, headers and body of each."""


@pytest.fixture
def coordinator() -> Iterator[Coordinator]:
    recorded = Coordinator()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            recorded.hooks.append((self.path, dict(self.headers.items()), json.loads(body)))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's signature
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        recorded.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, name="coordinator")
        thread.start()
        yield recorded
        server.shutdown()
        thread.join()


def test_the_real_claude_code_reports_by_the_installed_hooks(
    place: Place, tmp_path: Path, coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the start of a session would start is not looked at here: a program that only says that it was called.
    program, called = tmp_path / "bin" / "agent-bridge", tmp_path / "called"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {shlex.quote(str(called))}\n')
    program.chmod(0o755)
    monkeypatch.setattr(install_module, "_program", lambda: str(program))

    with ModelApi({"": [[bash("echo a sign")], [Say("It is done.")]]}) as model:
        claude = ClaudeCode(tmp_path / "claude", model.url)
        options = ("--scope", "project", "--project-dir", str(claude.project), "--api-url", coordinator.url, "--token")
        result = install(*options)
        assert result.exit_code == 0, result.output
        said = {"AGENT_ORCHESTRATOR_SESSION_NAME": "the test's", TOKEN_VARIABLE: "aot_1"}
        with claude.start("Say a sign", environment=said) as process:
            try:
                output, errors = process.communicate(timeout=SESSION_SECONDS)
            finally:
                process.kill()
        assert process.returncode == 0, errors
        assert model.failures == []

    assert json.loads(output)["result"] == "It is done."
    assert called.read_text() == "watch claude-code\n"
    assert {path for path, _, _ in coordinator.hooks} == {"/hooks/claude-code"}
    assert {headers.get("Authorization") for _, headers, _ in coordinator.hooks} == {"Bearer aot_1"}
    bodies = [body for _, _, body in coordinator.hooks]
    events = [body["hook_event_name"] for body in bodies]
    expected = ["UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop"]
    assert [event for event in events if event in expected] == expected
    assert bodies[events.index("PreToolUse")]["tool_input"]["command"] == "echo a sign"
    assert len({body["session_id"] for body in bodies}) == 1
    for _, headers, _ in coordinator.hooks:
        assert headers["X-Session-Name"] == "the test's"
        assert headers["X-Agent-Name"] == headers["X-Bridged-Session"] == ""
