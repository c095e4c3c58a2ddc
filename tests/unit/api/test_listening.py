import os
import socket
from pathlib import Path

import pytest

from api.cannot_start import CannotStart
from api.listening import bind, close, inherited
from tests.processes import free_port


def test_a_bound_port_takes_connections_before_anyone_serves_them() -> None:
    port = free_port()
    sockets = bind("127.0.0.1", port)
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        close(sockets)


def test_a_handed_down_socket_takes_connections_as_the_one_that_was_bound_does() -> None:
    port = free_port()
    bound = bind("127.0.0.1", port)
    again = inherited([os.dup(listener.fileno()) for listener in bound])
    close(bound)
    try:
        assert [listener.getsockname() for listener in again] == [("127.0.0.1", port)]
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            again[0].accept()[0].close()
    finally:
        close(again)


def test_what_was_not_handed_down_is_told(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, pytest.raises(CannotStart, match="use --processes"):
        inherited([file.fileno()])


def test_every_address_of_a_name_is_listened_on() -> None:
    port = free_port()
    sockets = bind("localhost", port)
    try:
        assert {listener.getsockname()[1] for listener in sockets} == {port}
    finally:
        close(sockets)


def test_a_taken_port_is_told_with_the_option_that_changes_it() -> None:
    port = free_port()
    sockets = bind("127.0.0.1", port)
    try:
        with pytest.raises(CannotStart, match=rf"port {port} on 127.0.0.1 is taken: .*--documents-port"):
            bind("127.0.0.1", port, option="--documents-port")
    finally:
        close(sockets)


def test_a_port_can_be_taken_again_at_once() -> None:
    port = free_port()
    for _ in range(2):
        sockets = bind("127.0.0.1", port)
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
        close(sockets)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "x" * 300])
def test_a_name_without_an_address_is_refused(host: str) -> None:
    with pytest.raises(CannotStart, match="is no address to listen on"):
        bind(host, free_port())


def test_another_machines_address_is_refused() -> None:
    with pytest.raises(CannotStart, match=r"192\.0\.2\.1 is not an address of this machine"):
        bind("192.0.2.1", free_port())
