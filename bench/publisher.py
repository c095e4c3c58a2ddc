"""Publishing as fast as Redis takes it: commands encoded beforehand, written to a plain socket."""

import select
import socket
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from bench.crowd import MARK

MESSAGE_BYTES = 200
_NUMBER = b"%010d"
_HOLE = b"0123456789"

Command = Callable[[str], Sequence[bytes]]


def resp(arguments: Sequence[bytes]) -> bytes:
    """A command as Redis reads it (RESP arrays of bulk strings)."""
    return b"*%d\r\n" % len(arguments) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in arguments)


def payload(size: int, number: bytes = _HOLE) -> str:
    """A JSON object of so many bytes, with a number of ten digits and the mark in it."""
    start = b'{"n":"' + number + b'","text":"' + MARK
    return (start + b"x" * (size - len(start) - 2) + b'"}').decode()


def number_in(message: bytes) -> int:
    """The number of a message that was made of `payload`, whatever is around it."""
    at = message.index(b'"n":"') + 5
    return int(message[at : at + 10])


class Publisher:
    """One connection to Redis that publishes numbered messages, from 0."""

    def __init__(self, redis_url: str, command: Command, size: int = MESSAGE_BYTES) -> None:
        """command: the Redis command that publishes a payload."""
        parts = urlsplit(redis_url)
        self.socket = socket.create_connection((parts.hostname, parts.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._before, self._after = resp(command(payload(size))).split(_HOLE)
        self._answers = select.poll()
        self._answers.register(self.socket, select.POLLIN)
        self.published = 0

    def publish(self, count: int) -> None:
        """Sends the next messages; does not wait for the answers. Raises RuntimeError when Redis refused one."""
        first = self.published
        self.published += count
        self.socket.sendall(
            b"".join(self._before + _NUMBER % number + self._after for number in range(first, self.published))
        )
        while self._answers.poll(0):
            answers = self.socket.recv(1 << 16)
            if not answers or answers.startswith(b"-") or b"\r\n-" in answers:
                raise RuntimeError(f"redis refused to publish: {answers[:200]!r}")

    def close(self) -> None:
        """Hangs up."""
        self.socket.close()
