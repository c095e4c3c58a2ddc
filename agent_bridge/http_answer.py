"""Reading one HTTP answer, for whom `http.client` would take longer than the request itself. No I/O of its own."""

from collections.abc import Callable

BODY_BYTES = 1024 * 1024
HEAD_BYTES = 64 * 1024


class Answer:
    """An HTTP answer as its bytes arrive.

    receive: the next bytes, or none at the end; what it raises passes through. Raises ValueError for what is no HTTP,
    is broken off, or is too large.
    """

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self._received = b""

    def begins(self) -> bool:
        """Whether there is any answer; waits for its first bytes."""
        return bool(self._received) or self._more()

    def read(self) -> tuple[int, bytes]:
        """Status and body."""
        status, headers = self._head()
        while 100 <= status < 200:
            status, headers = self._head()
        if status in (204, 304):
            return status, b""
        if b"chunked" in headers.get(b"transfer-encoding", b"").lower():
            return status, self._chunks()
        if b"content-length" in headers:
            return status, self._exactly(_size(headers[b"content-length"], 10))
        while self._more():
            _check(len(self._received))
        return status, self._received

    def _head(self) -> tuple[int, dict[bytes, bytes]]:
        first, *rest = self._until(b"\r\n\r\n").split(b"\r\n")
        version, _, status = first.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not status[:3].isdigit():
            raise ValueError("it does not speak HTTP/1.1")
        headers = [line.partition(b":") for line in rest]
        return int(status[:3]), {name.lower(): value.strip() for name, _, value in headers}

    def _chunks(self) -> bytes:
        body = b""
        while size := _size(self._until(b"\r\n").partition(b";")[0], 16):
            _check(len(body) + size)
            body += self._exactly(size)
            self._until(b"\r\n")
        # What may follow the last chunk is of no interest.
        return body

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._received:
            if len(self._received) > HEAD_BYTES:
                raise ValueError("its answer has no end of line")
            if not self._more():
                raise ValueError("its answer is broken off")
        found, _, self._received = self._received.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        _check(size)
        while len(self._received) < size:
            if not self._more():
                raise ValueError("its answer is broken off")
        found, self._received = self._received[:size], self._received[size:]
        return found

    def _more(self) -> bool:
        piece = self._receive()
        self._received += piece
        return bool(piece)


def _size(text: bytes, base: int) -> int:
    if not text.strip().isalnum():
        raise ValueError("its answer has no proper length")
    return int(text, base)


def _check(size: int) -> None:
    if size > BODY_BYTES:
        raise ValueError(f"its answer is longer than {BODY_BYTES} bytes")
