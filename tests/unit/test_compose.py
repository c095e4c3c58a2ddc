import importlib
import importlib.util
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"] == "agent-orchestrator")
# It does its work and ends; all others stay.
ACCESS = "access"
LASTING = sorted(set(SERVICES) - {ACCESS})
SERVING = sorted(set(OURS) - {ACCESS})
ENTRY = "agent-orchestrator"
UNITS = {"mb": 2**20, "m": 2**20, "gb": 2**30, "g": 2**30}


def with_defaults(text: str) -> str:
    """What Compose makes of a text when no variable is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def amount(text: str) -> int:
    match = re.fullmatch(r"(\d+)([a-z]+)", text)
    assert match, text
    return int(match[1]) * UNITS[match[2]]


def stages() -> list[list[str]]:
    """The Dockerfile's instructions, a list for each stage, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (REPOSITORY / "Dockerfile").read_text("utf-8"))
    found: list[list[str]] = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("FROM "):
            found.append([])
        found[-1].append(line)
    return found


def last(keyword: str) -> str:
    return [line.removeprefix(keyword).strip() for line in stages()[-1] if line.startswith(f"{keyword} ")][-1]


def test_the_file_is_valid_by_the_compose_specification() -> None:
    spec = importlib.util.find_spec("check_jsonschema")
    assert spec is not None, "install the development dependencies: check-jsonschema carries the specification's schema"
    assert spec.origin is not None
    path = Path(spec.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(path.read_text("utf-8"))
    problems = [f"{error.json_path}: {error.message}" for error in jsonschema.validators.validator_for(schema)(schema)
                .iter_errors(COMPOSE)]  # fmt: skip
    assert problems == []


def test_the_parts_are_those_that_are_promised() -> None:
    assert sorted(SERVICES) == ["access", "coordinator", "documents", "proxy", "redis", "worker"]
    assert OURS == ["access", "coordinator", "documents", "worker"]


@pytest.mark.parametrize("name", OURS)
def test_the_command_is_one_that_the_program_takes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(variable, with_defaults(value))
    main: click.Group = importlib.import_module("api.cli").main
    part, *arguments = SERVICES[name]["command"]
    context = click.Context(main, info_name=ENTRY)
    command = main.get_command(context, part)
    while isinstance(command, click.Group):
        context = click.Context(command, info_name=part, parent=context)
        part, *arguments = arguments
        command = command.get_command(context, part)
    assert command is not None, f"the program has no command {part!r}"
    with command.make_context(part, list(arguments), parent=context) as made:
        assert made.args == []


def test_the_image_s_entry_is_the_program() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    assert json.loads(last("ENTRYPOINT")) == [ENTRY]
    assert ENTRY in project["scripts"]


def test_every_published_port_is_on_loopback() -> None:
    published = {
        name: [with_defaults(port) for port in service["ports"]]
        for name, service in SERVICES.items()
        if "ports" in service
    }
    assert published == {
        "redis": ["127.0.0.1:6379:6379"],
        "proxy": ["127.0.0.1:8765:8765"],
        "documents": ["127.0.0.1:8766:8766"],
    }


def test_two_coordinators_stand_behind_the_proxy() -> None:
    assert SERVICES["coordinator"]["deploy"]["replicas"] == 2
    assert "container_name" not in SERVICES["coordinator"]
    caddyfile = (REPOSITORY / "deploy" / "Caddyfile").read_text("utf-8")
    assert "./deploy/Caddyfile:/etc/caddy/Caddyfile:ro" in SERVICES["proxy"]["volumes"]
    assert re.search(r"^:8765 \{", caddyfile, re.MULTILINE), "the proxy must listen on the port that is published"
    assert re.search(r"dynamic a coordinator 8765 ", caddyfile), "the proxy must ask for every replica's address"


@pytest.mark.parametrize("name", LASTING)
def test_every_part_is_watched_restarted_and_given_time_to_end(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])
    assert service["restart"] == "unless-stopped"
    assert "stop_grace_period" in service
    assert service["read_only"] is True
    assert "no-new-privileges:true" in service["security_opt"]


def test_the_users_of_redis_are_made_once_and_before_it_starts() -> None:
    access = SERVICES[ACCESS]
    options = dict(zip(access["command"][2::2], access["command"][3::2], strict=True))
    assert (access["restart"], access["depends_on"], access["read_only"]) == ("no", {}, True)
    assert options["--address"] == "redis://redis:6379/0"
    assert f"redis:{options['--redis-version']}-alpine" == SERVICES["redis"]["image"]
    redis = SERVICES["redis"]["command"]
    assert redis[redis.index("--aclfile") + 1] == options["--file"] == "/access/users.acl"
    assert "access:/access" in access["volumes"]
    assert "access:/access:ro" in SERVICES["redis"]["volumes"]
    assert "/access" in next(line for line in stages()[-1] if "install --directory" in line)


@pytest.mark.parametrize(("name", "port"), [("coordinator", 8765), ("documents", 8766)])
def test_servers_are_asked_for_their_health_on_the_port_that_they_serve(name: str, port: int) -> None:
    command, interpreter, _, program = SERVICES[name]["healthcheck"]["test"]
    assert (command, interpreter) == ("CMD", "python")
    assert f"http://127.0.0.1:{port}/health" in program
    assert SERVICES[name]["command"][-1] == str(port)


def test_a_worker_is_asked_whether_it_works_on_the_port_of_its_metrics() -> None:
    worker = SERVICES["worker"]
    port = worker["command"][worker["command"].index("--metrics-port") + 1]
    assert f"http://127.0.0.1:{port}/ready" in worker["healthcheck"]["test"][-1]
    assert "ports" not in worker


@pytest.mark.parametrize("name", SERVING)
def test_the_health_checks_of_our_parts_are_python_that_compiles(name: str) -> None:
    compile(SERVICES[name]["healthcheck"]["test"][-1], name, "exec")


def test_everything_waits_for_what_it_needs() -> None:
    needs = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }
    redis = {"redis": "service_healthy"}
    assert needs == {
        "access": {},
        "redis": {"access": "service_completed_successfully"},
        "coordinator": redis,
        "documents": redis,
        "worker": redis,
        "proxy": {"coordinator": "service_healthy"},
    }


def test_redis_keeps_what_it_took_and_refuses_rather_than_evicts() -> None:
    program, *flags = SERVICES["redis"]["command"]
    options = dict(zip(flags[::2], flags[1::2], strict=True))
    assert program == "redis-server"
    assert options["--appendonly"] == "yes"
    assert options["--appendfsync"] == "everysec"
    assert options["--maxmemory-policy"] == "noeviction"
    limit = amount(SERVICES["redis"]["deploy"]["resources"]["limits"]["memory"])
    assert limit >= 2 * amount(options["--maxmemory"]), "rewriting the append-only file needs room beside the data"
    assert "redis:/data" in SERVICES["redis"]["volumes"]
    assert re.fullmatch(r"redis:\d+(-\w+)?", SERVICES["redis"]["image"]), "pin the major version"


@pytest.mark.parametrize("name", OURS)
def test_our_parts_share_redis_and_the_data(name: str) -> None:
    environment = {key: with_defaults(value) for key, value in SERVICES[name]["environment"].items()}
    # It would be the same user for all; each finds its own in the data folder.
    assert "REDIS_URL" not in environment
    assert environment["DOCUMENT_SERVER_PUBLIC_URL"] == "http://localhost:8766"
    assert environment["AGENT_ORCHESTRATOR_ALLOWED_HOSTS"] == ""
    assert f"data:{environment['AGENT_ORCHESTRATOR_PROJECT_DIR']}" in SERVICES[name]["volumes"]
    assert SERVICES[name]["cap_drop"] == ["ALL"]


def test_volumes_that_are_used_are_declared() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service["volumes"]}
    assert {name for name in used if not name.startswith(".")} == set(COMPOSE["volumes"])


def test_the_image_runs_as_a_user_without_rights() -> None:
    user, _, group = last("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0


def test_the_image_carries_no_build_tools() -> None:
    final = stages()[-1]
    assert final[0] == "FROM python:3.12-slim"
    assert len(stages()) > 1
    assert not [line for line in final if re.search(r"\b(apt-get|apk|gcc|npm|pip)\b", line)]


def test_what_the_image_is_built_from_passes_the_ignore_file() -> None:
    ignore = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
    assert ignore[0] == "*"
    sources = {
        source.split("/")[0]
        for stage in stages()
        for line in stage
        if line.startswith("COPY ") and "--from=" not in line
        for source in line.split()[1:-1]
    }
    assert {f"!{source}" for source in sources} == {line for line in ignore if line.startswith("!")}


def test_every_package_is_in_the_image() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    packages = {pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    copied = {line.split()[1].rstrip("/") for stage in stages() for line in stage if line.startswith("COPY ")}
    assert packages <= copied
