from pathlib import Path

import pytest

from api.cannot_start import CannotStart
from api.roles import Role
from api.token_commands import create, revoke, table
from api.token_file import read
from api.tokens import Tokens


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def test_a_token_that_was_made_is_known_until_it_is_revoked(file: Path) -> None:
    token = create(file, "ci", "agent")
    create(file, "other", "viewer")
    principal = Tokens(read(file)).holder_of(token.encode())
    assert principal is not None
    assert (principal.name, principal.role) == ("ci", Role.AGENT)
    revoke(file, "ci")
    assert Tokens(read(file)).holder_of(token.encode()) is None
    assert [kept.name for kept in read(file)] == ["other"]


def test_the_list_has_a_line_for_each_and_shows_no_hash(file: Path) -> None:
    create(file, "a-long-name", "operator")
    create(file, "b", "agent")
    lines = list(table(file))
    assert [line.split()[:2] for line in lines] == [["NAME", "ROLE"], ["a-long-name", "operator"], ["b", "agent"]]
    assert all(token.sha256 not in "".join(lines) for token in read(file))


def test_names_are_unique_and_made_as_names_are(file: Path) -> None:
    create(file, "ci", "agent")
    with pytest.raises(CannotStart, match="already"):
        create(file, "ci", "operator")
    for name in ("", "c i", "-ci", "ci\n", "x" * 61, "é"):
        with pytest.raises(CannotStart, match="is no name"):
            create(file, name, "agent")
    assert len(read(file)) == 1


def test_what_is_not_there_can_not_be_revoked_or_listed(file: Path) -> None:
    with pytest.raises(CannotStart, match="does not exist"):
        revoke(file, "ci")
    with pytest.raises(CannotStart, match="does not exist"):
        list(table(file))
    assert not file.exists()
    create(file, "ci", "agent")
    with pytest.raises(CannotStart, match="no token named"):
        revoke(file, "other")
