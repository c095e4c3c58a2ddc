import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api import cli
from api.cannot_start import CannotStart
from tests.processes import RedisServer, free_port, wait_until, worker


def run(*arguments: str, **environment: str) -> Result:
    clean = {"REDIS_URL": "", "AGENT_ORCHESTRATOR_PROJECT_DIR": ""}
    return CliRunner().invoke(cli.main, arguments, env=clean | environment)


COMMANDS = (["up"], ["coordinator"], ["documents"], ["worker"], ["doctor"], ["backup"], ["restore"], ["agents"],
            ["agents", "import"], ["agents", "export"], ["token"], ["token", "create"], ["token", "list"],
            ["token", "revoke"])  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: list[str]) -> None:
    shown = run(*command, "--help")
    assert shown.exit_code == 0
    assert len(shown.output.splitlines()) > 5


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("up", ["8765", "8766", "127.0.0.1", "REDIS_URL", "AGENT_ORCHESTRATOR_PROJECT_DIR", "Ctrl-C"]),
        ("coordinator", ["8765", "127.0.0.1", "REDIS_URL"]),
        ("documents", ["8766", "DOCUMENT_SERVER_PUBLIC_URL", "AGENT_ORCHESTRATOR_BLOB_STORE_URL"]),
        ("worker", ["REDIS_URL", "SIGTERM"]),
    ],
)
def test_help_shows_defaults_and_names_variables(command: str, told: list[str]) -> None:
    shown = " ".join(run(command, "--help").output.split())
    assert [word for word in told if word not in shown] == []


def test_the_version_is_the_packages() -> None:
    assert run("--version").output.strip() == f"agent-orchestrator {version('agent-orchestrator')}"


def test_help_does_not_load_the_web_framework() -> None:
    code = "import sys\nimport api.cli\nassert not {'fastapi', 'redis', 'pydantic', 'uvicorn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"AGENT_ORCHESTRATOR_STOP_WAIT_SECONDS": "soon"}, "AGENT_ORCHESTRATOR_STOP_WAIT_SECONDS: "),
        ({"REDIS_URL": "http://localhost"}, "is not a Redis URL"),
    ],
)
def test_a_wrong_variable_is_one_line_that_names_it(variables: dict[str, str], said: str, tmp_path: Path) -> None:
    shown = run("up", "--project-dir", str(tmp_path), **variables)
    assert shown.exit_code == 2
    assert len(shown.stderr.splitlines()) == 1
    assert said in shown.stderr


@pytest.mark.parametrize("arguments", [["--port", "0"], ["--port", "65536"], ["--workers", "-1"], ["--no-such"]])
def test_a_wrong_option_is_a_usage_error(arguments: list[str]) -> None:
    assert run("up", *arguments).exit_code == 2


@pytest.mark.parametrize("arguments", [["coordinator", "--processes", "0"], ["up", "--coordinators", "0"]])
def test_there_is_at_least_one_coordinator(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_what_is_for_the_processes_of_a_coordinator_alone_is_not_shown() -> None:
    assert "--processes" in run("coordinator", "--help").output
    assert "--listening" not in run("coordinator", "--help").output


def test_an_expected_failure_is_one_line_and_status_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise CannotStart("this is why; do that")

    monkeypatch.setattr("api.up.run", refuse)
    monkeypatch.setattr("api.logs.configure", lambda *_: None)
    shown = run("up", "--project-dir", str(tmp_path))
    assert (shown.exit_code, shown.stderr) == (1, "Error: this is why; do that\n")


def test_settings_come_from_options_and_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    settings = cli.load_settings(Path("relative"))
    assert settings.project_dir == tmp_path / "relative"
    assert cli.with_redis(settings, "redis://elsewhere:1/0").redis_url == "redis://elsewhere:1/0"


def test_a_part_whose_port_is_taken_says_so_in_one_line(tmp_path: Path, redis_server: RedisServer) -> None:
    for part in (["coordinator"], ["coordinator", "--processes", "2"], ["documents"]):
        options = ["--port", str(redis_server.port), "--redis-url", redis_server.url, "--project-dir", str(tmp_path)]
        ended = subprocess.run([sys.executable, "-m", "api.cli", *part, *options], capture_output=True, text=True)
        assert ended.returncode == 1
        assert ended.stderr.startswith("Error: port")
        assert len(ended.stderr.splitlines()) == 1


def test_a_worker_works_and_stops_when_told(tmp_path: Path, redis_server: RedisServer) -> None:
    with worker(redis_server.url, tmp_path, {"AGENT_ORCHESTRATOR_NAMESPACE": "t-cli"}) as process:
        wait_until(lambda: "t-cli-tags" in process.output, "the worker to listen")
        assert process.stop() == 0


@pytest.mark.parametrize("command", ["up", "coordinator", "documents"])
def test_other_machines_are_not_let_in_without_a_token_unless_it_is_said(command: str, tmp_path: Path) -> None:
    taken = [command, "--host", "0.0.0.0", "--project-dir", str(tmp_path)]  # noqa: S104 - it is refused
    shown = run(*taken, AGENT_ORCHESTRATOR_TOKENS_FILE="", AGENT_ORCHESTRATOR_TOKEN="")
    assert shown.exit_code == 1
    assert "nobody would be asked for a token" in shown.stderr
    assert len(shown.stderr.splitlines()) == 1
    assert "--insecure" in run(command, "--help").output


def test_a_token_is_made_listed_and_revoked(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    made = run("token", "create", "ci", "--role", "agent", "--file", str(file))
    (token,) = made.stdout.splitlines()
    assert token not in made.stderr
    assert token not in file.read_text()
    assert run("token", "list", AGENT_ORCHESTRATOR_TOKENS_FILE=str(file)).stdout.split()[3:5] == ["ci", "agent"]
    again = run("token", "create", "ci", "--role", "viewer", "--file", str(file))
    assert (again.exit_code, again.stdout, len(again.stderr.splitlines())) == (1, "", 1)
    assert run("token", "revoke", "ci", "--file", str(file)).exit_code == 0
    assert run("token", "revoke", "ci", "--file", str(file)).exit_code == 1


def test_a_token_needs_a_role_that_there_is_and_a_file() -> None:
    assert run("token", "create", "ci", "--file", "f").exit_code == 2
    assert run("token", "create", "ci", "--role", "root", "--file", "f").exit_code == 2
    assert run("token", "list", AGENT_ORCHESTRATOR_TOKENS_FILE="").exit_code == 2


def test_agents_go_out_as_they_came_in(tmp_path: Path, redis_server: RedisServer) -> None:
    environment = {"REDIS_URL": redis_server.url, "AGENT_ORCHESTRATOR_NAMESPACE": f"t-{os.getpid()}-agents"}
    given = tmp_path / "given" / "reviewer"
    given.mkdir(parents=True)
    (given / "agent.json").write_text(json.dumps({"name": "reviewer", "description": "Reads."}))
    shown = run("agents", "import", str(given.parent), **environment)
    assert (shown.exit_code, shown.output) == (0, "created reviewer\n")
    assert run("agents", "import", str(given.parent), **environment).output == "unchanged reviewer\n"
    assert run("agents", "export", str(tmp_path / "taken"), **environment).output == "wrote reviewer\n"
    written = json.loads((tmp_path / "taken" / "reviewer" / "agent.json").read_text())
    assert written["description"] == "Reads."


def test_a_broken_folder_is_told_and_does_not_keep_the_others_out(tmp_path: Path, redis_server: RedisServer) -> None:
    environment = {"REDIS_URL": redis_server.url, "AGENT_ORCHESTRATOR_NAMESPACE": f"t-{os.getpid()}-broken"}
    for name, text in (("good", json.dumps({"name": "good", "description": ""})), ("broken", "{")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "agent.json").write_text(text)
    shown = run("agents", "import", str(tmp_path), **environment)
    assert shown.exit_code == 1
    assert shown.stdout == "created good\n"
    assert "left out" in shown.stderr
    assert "broken" in shown.stderr


def test_agents_without_a_redis_is_one_line(tmp_path: Path) -> None:
    shown = run("agents", "export", str(tmp_path), REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert shown.exit_code == 1
    assert "no Redis answers" in shown.stderr
    assert len(shown.stderr.splitlines()) == 1
