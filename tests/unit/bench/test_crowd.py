"""The crowd: what it counts and compares is what the server sent."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.sync.server import ServerConnection, serve

from bench.crowd import MARK, BrowserSocket, Crowd, Refused, frames, open_browser


def text(payload: bytes) -> bytes:
    return Frame(Opcode.TEXT, payload).serialize(mask=False)


# Around the size from which a frame's length takes eight bytes; what is in it does not matter.
large = st.integers(65530, 65540).map(lambda size: bytes(size))


@given(payloads=st.lists(st.binary(max_size=200) | large, max_size=5))
def test_frames_of_every_length_are_found_and_an_unfinished_one_is_left(payloads: list[bytes]) -> None:
    stream = b"".join(map(text, payloads))
    assert list(frames(stream)) == [(1, payload) for payload in payloads]
    assert list(frames(stream + text(b"unfinished")[:-1])) == [(1, payload) for payload in payloads]


@contextmanager
def site(*said: str) -> Iterator[int]:
    """A server that greets each browser, tells it something when it says hello, and waits for it to leave."""

    def tell(connection: ServerConnection) -> None:
        connection.send("greeting")
        if connection.recv() == "hello":
            for each in said:
                connection.send(each)
        for _ in connection:
            pass

    with serve(tell, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def crowd_at(port: int, count: int) -> Iterator[Crowd]:
    crowd = Crowd([open_browser(port, "/", ("hello",), 1, keep=number == 0) for number in range(count)])
    try:
        yield crowd
    finally:
        crowd.close()


def test_browsers_count_what_comes_after_their_greetings() -> None:
    with site("^1", "no mark", "^2") as port, crowd_at(port, 3) as crowd:
        assert crowd.wait_for(2, 10)
        assert [browser.messages for browser in crowd.browsers] == [2, 2, 2]
        assert crowd.messages == 6
        assert [data for _, data in frames(crowd.browsers[0].greeting)] == [b"greeting"]
        assert [data for _, data in frames(bytes(crowd.browsers[0].kept or b""))] == [b"^1", b"no mark", b"^2"]
        assert crowd.alike()
        assert not crowd.wait_for(3, 0.01)


def browser() -> BrowserSocket:
    return BrowserSocket(socket.socket(), b"")


def test_browsers_that_received_other_bytes_are_not_alike() -> None:
    with_order, reverse = browser(), browser()
    for target, parts in ((with_order, (b"^1", b"^2")), (reverse, (b"^2", b"^1"))):
        for part in parts:
            target.take(bytearray(part), len(part))
    assert with_order.messages == reverse.messages == 2
    crowd = Crowd([with_order, reverse])
    assert not crowd.alike()
    crowd.close()


def test_a_browser_that_was_closed_is_not_alike() -> None:
    with site() as port, crowd_at(port, 2) as crowd:
        assert crowd.alike()
        crowd.browsers[1].ended = True
        assert not crowd.alike()


def test_what_is_no_websocket_is_refused_with_the_servers_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Refused, match="404"):
            open_browser(listener.getsockname()[1], "/")
        thread.join()


def test_the_mark_is_in_no_header_of_a_message_of_the_usual_size() -> None:
    for size in range(150, 260):
        assert text(b"x" * size).count(MARK) == 0
