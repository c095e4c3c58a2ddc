import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from agent_bus.settings import Settings
from api.cannot_start import CannotStart
from api.exposure import is_exposed, refuse_exposed

NOBODY = {"tokens_file": None, "token": SecretStr("")}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_not_exposed(host: str) -> None:
    assert not is_exposed(host)
    refuse_exposed(Settings().model_copy(update=NOBODY), host, insecure=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "192.168.1.2", "fe80::1", "2001:db8::1", "0"])  # noqa: S104
def test_everything_else_is(host: str) -> None:
    assert is_exposed(host)
    with pytest.raises(CannotStart, match="--insecure"):
        refuse_exposed(Settings().model_copy(update=NOBODY), host, insecure=False)


def test_a_name_is_as_exposed_as_its_most_exposed_address(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0)) for host in ("127.0.0.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)
    assert is_exposed("mixed.example")


def test_an_address_that_there_is_not_is_left_to_who_listens_on_it() -> None:
    assert not is_exposed("nowhere.invalid")


def test_who_asks_for_tokens_or_says_so_may_be_exposed(tmp_path: Path) -> None:
    bare = Settings().model_copy(update=NOBODY)
    refuse_exposed(bare, "0.0.0.0", insecure=True)  # noqa: S104 - nothing is bound
    for update in ({"tokens_file": tmp_path}, {"token": SecretStr("x" * 32)}):
        refuse_exposed(bare.model_copy(update=update), "0.0.0.0", insecure=False)  # noqa: S104 - likewise
