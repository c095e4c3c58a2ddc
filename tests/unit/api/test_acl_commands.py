"""`agent-orchestrator acl`."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent_bus.discovery import find_redis_url, url_file
from api.acl_commands import acl
from api.cli import main
from api.project_folder import PARTS, locked, prepare
from api.redis_users import PASSWORDS_FILE, read_passwords


def run(project: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["acl", *arguments, "--project-dir", str(project)])


def write(project: Path, *options: str) -> Result:
    return run(project, "write", "--file", str(project / "users.acl"), *options)


def test_it_writes_hashes_for_redis_and_a_url_for_each_part_and_shows_no_password(tmp_path: Path) -> None:
    done = write(tmp_path, "--address", "redis://old:credentials@host:6380/0")
    assert done.exit_code == 0, done.output
    passwords = read_passwords(prepare(tmp_path))
    assert passwords is not None
    rules = tmp_path / "users.acl"
    assert stat.S_IMODE(rules.stat().st_mode) == 0o644
    for user, password in passwords.items():
        assert password not in done.output + rules.read_text("utf-8")
        file = url_file(tmp_path, user.value)
        assert file.read_text("utf-8") == f"redis://{user}:{password}@host:6380/0\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert f"redis://{user}:***@host:6380/0" in done.output
    assert stat.S_IMODE((prepare(tmp_path) / PASSWORDS_FILE).stat().st_mode) == 0o600


def test_passwords_are_kept_unless_new_ones_are_asked_for(tmp_path: Path) -> None:
    data = prepare(tmp_path)
    write(tmp_path)
    first = read_passwords(data)
    write(tmp_path, "--redis-version", "8")
    assert read_passwords(data) == first
    assert "(" in (tmp_path / "users.acl").read_text("utf-8")
    write(tmp_path, "--new-passwords")
    assert read_passwords(data) not in (first, None)


@pytest.mark.parametrize("part", PARTS)
def test_a_user_s_url_is_printed_for_another_address(tmp_path: Path, part: str) -> None:
    write(tmp_path)
    printed = run(tmp_path, "url", part, "--address", "rediss://elsewhere:6380/1")
    passwords = read_passwords(prepare(tmp_path))
    assert passwords is not None
    assert printed.output.strip() == f"rediss://{part}:{dict(passwords)[part]}@elsewhere:6380/1"  # type: ignore[index]


def test_a_part_that_is_told_nothing_finds_its_own_url(tmp_path: Path) -> None:
    write(tmp_path)
    environ = {"AGENT_ORCHESTRATOR_PROJECT_DIR": str(tmp_path)}
    assert find_redis_url(environ=environ).startswith("redis://bridge:")
    assert find_redis_url(environ=environ, part="worker").startswith("redis://worker:")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("write", "--file", "{}/users.acl", "--redis-version", "5"), 1, "6.2 or newer"),
        (("write", "--file", "{}/users.acl", "--address", "http://u:s3cret@h"), 2, "is not a Redis URL"),
        (("write", "--file", "{}/missing/users.acl"), 1, "can't write into"),
        (("url", "bridge"), 1, "make the users with `agent-orchestrator acl write`"),
    ],
)
def test_what_can_not_be_done_is_one_line(tmp_path: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    ended = run(tmp_path, *(argument.format(tmp_path) for argument in arguments))
    assert ended.exit_code == status
    assert said in ended.output
    assert "s3cret" not in ended.output
    assert len(ended.output.splitlines()) == 1


def test_the_urls_of_a_running_system_are_not_replaced(tmp_path: Path) -> None:
    with locked(prepare(tmp_path)):
        ended = write(tmp_path)
    assert ended.exit_code == 1
    assert "already runs" in ended.output


def test_each_command_says_what_it_does() -> None:
    assert all(command.help for command in acl.commands.values())
