"""Settings: what the environment says, its defaults, and what is refused."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from agent_bus.discovery import DEFAULT_URL, data_folder, url_file
from agent_bus.keys import Keys
from agent_bus.settings import Settings


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "REDIS_URL", "CORS_ORIGINS", "DOCUMENT_SERVER_PUBLIC_URL", "AGENT_ORCHESTRATOR_PROJECT_DIR",
        "AGENT_ORCHESTRATOR_TOKENS_FILE", "AGENT_ORCHESTRATOR_TOKEN",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    settings = Settings()
    assert settings.project_dir == tmp_path
    assert settings.data == tmp_path / ".agent-orchestrator"
    assert settings.cors_origins == ("http://localhost:3000", "http://localhost:5173")
    assert settings.document_server_public_url == "http://localhost:8766"
    assert settings.keys == Keys("ao")
    assert settings.with_redis().redis_url == DEFAULT_URL


def test_the_environment_is_read_by_the_names_of_the_contract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENT_ORCHESTRATOR_PROJECT_DIR", str(tmp_path / "p"))
    monkeypatch.setenv("REDIS_URL", "redis://h:1/2")
    monkeypatch.setenv("CORS_ORIGINS", " https://a.example/ ,http://b:3000,, ")
    monkeypatch.setenv("DOCUMENT_SERVER_PUBLIC_URL", "https://docs.example/x/")
    monkeypatch.setenv("AGENT_ORCHESTRATOR_ALLOWED_HOSTS", "a.example, b")
    monkeypatch.setenv("AGENT_ORCHESTRATOR_NAMESPACE", "ns-1")
    settings = Settings()
    assert settings.project_dir == tmp_path / "p"
    assert settings.redis_url == "redis://h:1/2"
    assert settings.cors_origins == ("https://a.example", "http://b:3000")
    assert settings.document_server_public_url == "https://docs.example/x"
    assert settings.allowed_hosts == ("a.example", "b")
    assert settings.keys.counter == "ns-1:bus:seq"


def test_an_empty_list_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "")
    assert Settings().cors_origins == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "localhost"),
        ("AGENT_ORCHESTRATOR_NAMESPACE", ""),
        ("AGENT_ORCHESTRATOR_NAMESPACE", "a:b"),
        ("AGENT_ORCHESTRATOR_NAMESPACE", "a\n"),
        ("AGENT_ORCHESTRATOR_NAMESPACE", "x" * 33),
        ("AGENT_ORCHESTRATOR_STOP_WAIT_SECONDS", "-1"),
        ("AGENT_ORCHESTRATOR_STOP_WAIT_SECONDS", "nan"),
        ("AGENT_ORCHESTRATOR_MAX_EVENT_BYTES", "0"),
        ("AGENT_ORCHESTRATOR_INIT_SESSIONS", "1001"),
        ("AGENT_ORCHESTRATOR_REPLAY_WINDOW", "0"),
        ("AGENT_ORCHESTRATOR_WS_BUFFER_BYTES", "many"),
        ("AGENT_ORCHESTRATOR_TOKEN", "x" * 31),
        ("AGENT_ORCHESTRATOR_TOKEN", "x" * 16 + " " + "x" * 16),
        ("AGENT_ORCHESTRATOR_TOKEN", "ü" * 32),
    ],
)
def test_what_can_not_be_meant_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


def test_tokens_are_asked_for_where_a_file_or_one_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENT_ORCHESTRATOR_TOKENS_FILE", "")
    monkeypatch.setenv("AGENT_ORCHESTRATOR_TOKEN", "")
    assert not Settings().asks_for_tokens
    monkeypatch.setenv("AGENT_ORCHESTRATOR_TOKENS_FILE", "tokens.json")
    assert (Settings().tokens_file, Settings().asks_for_tokens) == (tmp_path / "tokens.json", True)
    monkeypatch.setenv("AGENT_ORCHESTRATOR_TOKENS_FILE", "")
    monkeypatch.setenv("AGENT_ORCHESTRATOR_TOKEN", "a" * 32 + "\n")
    assert (Settings().token.get_secret_value(), Settings().asks_for_tokens) == ("a" * 32, True)


def test_a_token_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_ORCHESTRATOR_TOKEN", "s3cret" * 6)
    assert "s3cret" not in repr(Settings())
    monkeypatch.setenv("AGENT_ORCHESTRATOR_TOKEN", "s3cret")
    with pytest.raises(ValidationError) as refusal:
        Settings()
    assert "s3cret" not in str(refusal.value)


REDIS_VARIABLES = ("REDIS_URL", "AGENT_ORCHESTRATOR_WORKER_REDIS_URL", "AGENT_ORCHESTRATOR_BRIDGE_REDIS_URL")


@pytest.mark.parametrize("variable", REDIS_VARIABLES)
def test_no_url_of_redis_is_shown_and_each_is_checked(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "redis://user:s3cret@h")
    assert "s3cret" not in repr(Settings())
    monkeypatch.setenv(variable, "http://user:s3cret@h")
    with pytest.raises(ValidationError, match="is not a Redis URL") as refusal:
        Settings()
    assert "s3cret" not in str(refusal.value)


def test_a_refused_url_is_said_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "http://user:s3cret@h")
    with pytest.raises(ValidationError) as refusal:
        Settings()
    assert "s3cret" not in str(refusal.value)


def test_the_redis_to_use_is_the_argument_else_the_environment_else_the_projects_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data_folder(tmp_path).mkdir()
    url_file(tmp_path).write_text("redis://file", "utf-8")
    assert Settings().with_redis().redis_url == "redis://file"
    url_file(tmp_path, "worker").write_text("redis://worker:pw@file", "utf-8")
    assert Settings().with_redis(part="worker").redis_url == "redis://worker:pw@file"
    assert Settings().with_redis().redis_url == "redis://file"
    monkeypatch.setenv("REDIS_URL", "redis://environment")
    assert Settings().with_redis().redis_url == "redis://environment"
    assert Settings().with_redis("redis://argument").redis_url == "redis://argument"
    with pytest.raises(ValueError, match="not a Redis URL"):
        Settings().with_redis("nonsense")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().namespace = "other"
