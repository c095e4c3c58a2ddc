"""The file of tokens: who may read it, how it changes, and how a server notices."""

import logging
import os
import stat
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from agent_bus.settings import Settings
from api import token_file
from api.cannot_start import CannotStart
from api.roles import Role
from api.token_file import RELOAD_SECONDS, Unusable, WatchedFile, change, read, token_source
from api.tokens import Token, create


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def put(file: Path, *tokens: Token) -> None:
    change(file, lambda _: list(tokens))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def test_the_file_is_for_its_user_alone_and_nothing_is_left_beside_it(file: Path) -> None:
    _, kept = create("ci", Role.AGENT)
    put(file, kept)
    assert read(file) == [kept]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o611, 0o644, 0o666])
def test_a_file_that_others_can_reach_is_refused(file: Path, mode: int) -> None:
    put(file)
    file.chmod(mode)
    with pytest.raises(Unusable, match="chmod 600"):
        read(file)


def test_what_can_not_be_read_is_said_with_what_to_do(tmp_path: Path, file: Path) -> None:
    with pytest.raises(Unusable, match="token create"):
        read(file)
    with pytest.raises(Unusable, match="is no file"):
        read(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(Unusable, match="is no file"):
        read(pipe)
    put(file)
    with pytest.raises(Unusable, match="can't be read"):
        read(file / "below")
    for content in (b"{", b"\xff"):
        file.write_bytes(content)
        with pytest.raises(Unusable, match="no file of tokens"):
            read(file)


def test_a_broken_file_is_not_written_over(file: Path) -> None:
    put(file)
    file.write_text("{")
    with pytest.raises(Unusable):
        change(file, lambda tokens: tokens)
    assert file.read_text() == "{"


def test_a_change_that_is_refused_changes_nothing(file: Path) -> None:
    _, kept = create("ci", Role.AGENT)
    put(file, kept)

    def refuse(_: list[Token]) -> list[Token]:
        raise Unusable("no")

    with pytest.raises(Unusable):
        change(file, refuse)
    assert read(file) == [kept]
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="can't be opened"):
        put(tmp_path / "no" / "tokens.json")


def test_a_link_stays_one(tmp_path: Path, file: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(file)
    _, kept = create("ci", Role.AGENT)
    put(link, kept)
    assert link.is_symlink()
    assert read(file) == [kept]


def test_changes_at_once_lose_nothing(file: Path) -> None:
    made = [create(f"t{number}", Role.AGENT)[1] for number in range(20)]
    threads = [
        threading.Thread(target=change, args=(file, lambda tokens, token=token: [*tokens, token])) for token in made
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {token.name for token in read(file)} == {token.name for token in made}


def test_a_new_token_is_in_force_and_a_revoked_one_is_not_once_the_file_has_been_looked_at(file: Path) -> None:
    (one, kept_one), (two, kept_two) = create("one", Role.AGENT), create("two", Role.VIEWER)
    put(file, kept_one)
    clock = Clock()
    watched = WatchedFile(file, clock)
    put(file, kept_two)
    assert watched().holder_of(one.encode()) is not None
    clock.now += RELOAD_SECONDS
    assert watched().holder_of(one.encode()) is None
    assert watched().holder_of(two.encode()) is not None


def test_the_file_is_looked_at_once_a_second_and_read_when_it_has_changed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(file)
    clock = Clock()
    watched = WatchedFile(file, clock)
    reads = []

    def counted(path: Path) -> list[Token]:
        reads.append(path)
        return read(path)

    monkeypatch.setattr(token_file, "read", counted)
    for _ in range(100):
        clock.now += RELOAD_SECONDS / 10
        watched()
    assert reads == []
    put(file)
    reads.clear()
    for _ in range(100):
        clock.now += RELOAD_SECONDS / 10
        watched()
    assert reads == [file]


@pytest.mark.parametrize("breaking", ["broken", "gone", "open"])
def test_a_file_that_can_not_be_used_any_more_leaves_what_was_in_force_and_says_so_once(
    file: Path, caplog: pytest.LogCaptureFixture, breaking: str
) -> None:
    text, kept = create("ci", Role.AGENT)
    put(file, kept)
    clock = Clock()
    watched = WatchedFile(file, clock)
    if breaking == "broken":
        file.write_text("{")
    elif breaking == "gone":
        file.unlink()
    else:
        file.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            clock.now += RELOAD_SECONDS
            assert watched().holder_of(text.encode()) is not None
    (record,) = caplog.records
    assert str(file) in record.getMessage()
    file.unlink(missing_ok=True)
    put(file)
    clock.now += RELOAD_SECONDS
    assert len(watched()) == 0


def settings(**update: object) -> Settings:
    return Settings().model_copy(update={"tokens_file": None, "token": SecretStr("")} | update)


def test_without_a_file_and_a_token_nothing_is_asked_for() -> None:
    assert token_source(settings()) is None


def test_a_token_of_the_environment_is_an_operators() -> None:
    source = token_source(settings(token=SecretStr("x" * 32)))
    assert source is not None
    principal = source().holder_of(b"x" * 32)
    assert principal is not None
    assert (principal.name, principal.role) == ("environment", Role.OPERATOR)


def test_with_a_file_the_token_of_the_environment_is_for_clients_only(file: Path) -> None:
    text, kept = create("ci", Role.AGENT)
    put(file, kept)
    # Else whoever starts a server where an agent's token is set would make that one an operator's.
    source = token_source(settings(tokens_file=file, token=SecretStr("x" * 32)))
    assert source is not None
    assert source().holder_of(b"x" * 32) is None
    assert source().holder_of(text.encode()) is not None


def test_a_file_that_can_not_be_used_lets_no_server_start(file: Path) -> None:
    with pytest.raises(CannotStart, match="AGENT_ORCHESTRATOR_TOKENS_FILE"):
        token_source(settings(tokens_file=file))
