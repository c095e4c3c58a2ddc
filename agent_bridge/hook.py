"""`agent-bridge hook`: passes a hook of Claude Code on to the coordinator, and its answer back.

The agent waits for it twice for each tool call. So it is quick: it imports next to nothing (its test counts) and speaks
HTTP by itself. And it never breaks the agent: whatever goes wrong is one line on stderr, and the exit code is 0.
"""

# The module `socket` over this one would bring enum and selectors, which take as long as half the interpreter's start.
import _socket
import _thread
import os
import sys
from collections.abc import Callable, Iterator
from time import monotonic

from agent_bridge.http_answer import Answer
from agent_bus.coordinator_address import CLAUDE_CODE_HOOK_PATH, HOOK_HEADERS, find_api_url, find_token

TIMEOUT_MS, LONGEST_TIMEOUT_MS = 300, 600_000
# The one who starts a hook writes its JSON at once; where nobody does, nothing is to hang for long.
STDIN_SECONDS = 5.0
STDIN_BYTES = 64 * 1024 * 1024
SHOWN_BYTES = 200
READ_BYTES = 64 * 1024


class Failed(Exception):
    """The hook was not reported; the message is the line that says why."""


def main(arguments: list[str]) -> int:
    """Reports the hook on stdin, prints the answer, and returns 0."""
    try:
        url, seconds = _options(arguments)
        if answer := report(find_api_url(url), _stdin(), seconds):
            _print(answer)
    except Failed as failed:
        _say(str(failed))
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  nothing that happens here is worth an agent's work
        _say(f"not reported: {error!r}")
    return 0


def report(url: str, body: bytes, seconds: float) -> bytes:
    """Posts the body within the time and returns what a 200 carried. Raises Failed."""
    deadline = monotonic() + seconds
    secure, host, port, prefix = _split(url)
    request = _request(url, prefix, body, _token())
    try:
        connection = _connect(host, port, deadline)
        try:
            if secure:
                connection = _secured(connection, host, deadline)
            status, content = _exchange(connection, request, deadline)
        finally:
            connection.close()
    except TimeoutError:
        raise Failed(f"the coordinator at {url} did not answer within {seconds * 1000:.0f} ms") from None
    except OSError as error:
        raise Failed(f"no coordinator at {url} ({error.strerror or error})") from None
    except ValueError as error:
        raise Failed(f"what answers at {url} is no coordinator ({error})") from None
    if status >= 300:
        shown = content[:SHOWN_BYTES].decode("utf-8", "replace")
        raise Failed(f"the coordinator at {url} answered {status}: {shown}")
    return content if status == 200 else b""


def _exchange(connection: _socket.socket, request: bytes, deadline: float) -> tuple[int, bytes]:
    def receive() -> bytes:
        connection.settimeout(_left(deadline))
        return connection.recv(READ_BYTES)

    answer = Answer(receive)
    try:
        connection.settimeout(_left(deadline))
        connection.sendall(request)
    except ConnectionError:
        # A server that refuses a body may answer and close before it has read all of it.
        if not answer.begins():
            raise
    return answer.read()


def _options(arguments: list[str]) -> tuple[str | None, float]:
    found = {"--api-url": "", "--timeout-ms": str(TIMEOUT_MS)}
    rest = iter(arguments)
    for argument in rest:
        name, given, value = argument.partition("=")
        if name not in found:
            raise Failed(f"unknown argument {argument!r}; see agent-bridge hook --help")
        found[name] = value if given else next(rest, "")
    timeout = found["--timeout-ms"]
    if not (timeout.isascii() and timeout.isdigit() and 0 < int(timeout) <= LONGEST_TIMEOUT_MS):
        raise Failed(f"--timeout-ms is 1 to {LONGEST_TIMEOUT_MS}, not {timeout!r}")
    return found["--api-url"] or None, int(timeout) / 1000


def _stdin() -> bytes:
    if sys.stdin is None:
        raise Failed("stdin is closed; the hook's JSON is expected there")
    pieces: list[bytes] = []
    try:
        _in_time(lambda: pieces.extend(_pieces()), STDIN_SECONDS)
    except TimeoutError:
        raise Failed(f"stdin did not end within {STDIN_SECONDS:.0f} s; the hook's JSON is expected there") from None
    except OSError as error:
        raise Failed(f"stdin can't be read ({error.strerror}); the hook's JSON is expected there") from None
    if not pieces:
        raise Failed("stdin is empty; the hook's JSON is expected there")
    return b"".join(pieces)


def _pieces() -> Iterator[bytes]:
    size = 0
    # Not through sys.stdin: the interpreter can't end while a thread holds its lock.
    while piece := os.read(0, READ_BYTES):
        yield piece
        size += len(piece)
        if size > STDIN_BYTES:
            raise Failed(f"stdin has more than {STDIN_BYTES} bytes; the hook's JSON is expected there")


def _in_time(work: Callable[[], None], seconds: float) -> None:
    """Does what knows no time limit; raises TimeoutError and leaves it alone when it takes too long."""
    done = _thread.allocate_lock()
    done.acquire()
    errors: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  raised again where it is waited for
            errors.append(error)
        done.release()

    # The bare thread, since the interpreter does not wait for it at its end.
    _thread.start_new_thread(run, ())
    if not done.acquire(timeout=seconds):
        raise TimeoutError
    if errors:
        raise errors[0]


def _split(url: str) -> tuple[bool, str, int, str]:
    """Whether by TLS, host, port and path of a URL. By hand, since urllib would take longer than the request."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    if authority.startswith("["):
        host, _, port = authority[1:].partition("]")
    else:
        host, colon, port = authority.partition(":")
        port = colon + port
    secure = scheme.lower() == "https"
    number = port.removeprefix(":") or ("443" if secure else "80")
    if (
        scheme.lower() not in ("http", "https")
        or not (url.isascii() and url.isprintable())
        or any(character in url for character in " ?#@")
        or not host
        or not (port == "" or port.startswith(":"))
        or not (number.isdigit() and 0 < int(number) < 2**16)
    ):
        raise Failed(f"{url!r} is no URL of a coordinator such as http://localhost:8765")
    return secure, host, int(number), slash + path


def _token() -> str:
    try:
        return find_token()
    except ValueError as error:
        raise Failed(str(error)) from None


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connect(host: str, port: int, deadline: float) -> _socket.socket:
    """A connection to the first of the host's addresses that takes one, each having its share of the time."""
    addresses: list[tuple[int, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]] = []

    def look_up() -> None:
        # As bytes: for a string, the codec of international names would be loaded.
        found = _socket.getaddrinfo(host.encode(), port, type=_socket.SOCK_STREAM)
        addresses.extend((family, address) for family, _, _, _, address in found)

    _in_time(look_up, _left(deadline))
    refusal: OSError | None = None
    for at, (family, address) in enumerate(addresses):
        connection = None
        try:
            connection = _socket.socket(family, _socket.SOCK_STREAM)
            connection.settimeout(_left(deadline) / (len(addresses) - at))
            connection.connect(address)
        except OSError as error:
            refusal = error
            if connection is not None:
                connection.close()
        else:
            return connection
    raise refusal or OSError("it has no address")


def _secured(connection: _socket.socket, host: str, deadline: float) -> _socket.socket:
    import socket
    import ssl

    plain = socket.socket(fileno=connection.detach())
    plain.settimeout(_left(deadline))
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def _request(url: str, prefix: str, body: bytes, token: str) -> bytes:
    lines = [
        f"POST {prefix}{CLAUDE_CODE_HOOK_PATH} HTTP/1.1".encode(),
        b"Host: " + url.partition("://")[2].partition("/")[0].encode(),
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        b"Connection: close",
    ]
    for name, variable in HOOK_HEADERS.items():
        if value := os.environ.get(variable):
            # UTF-8, without what would end the header.
            bare = bytes(byte if byte >= 32 and byte != 127 else 32 for byte in os.fsencode(value))
            lines.append(name.encode() + b": " + bare)
    if token:
        lines.append(b"Authorization: Bearer " + token.encode())
    return b"\r\n".join([*lines, b"", body])


def _print(answer: bytes) -> None:
    if sys.stdout is None:
        raise Failed("reported, but stdout is closed and the answer could not be passed on")
    try:
        _write(1, answer)
    except OSError as error:
        raise Failed(f"reported, but the answer could not be passed on ({error.strerror})") from None


def _say(text: str) -> None:
    if sys.stderr is None:
        return
    line = "".join(character if character.isprintable() else " " for character in text)
    try:  # noqa: SIM105  contextlib would be one import more
        _write(2, f"agent-bridge hook: {line}\n".encode("utf-8", "replace"))
    except OSError:
        # Nobody hears it, which is no reason to fail.
        pass


def _write(file: int, data: bytes) -> None:
    # Not through sys.stdout: what it could not write, it would try again at the end, and turn into an exit code.
    while data:
        data = data[os.write(file, data) :]
