import contextlib
import datetime
import ipaddress
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent_bridge import hook
from agent_bridge.hook import Failed, report
from agent_bus.coordinator_address import API_URL_VARIABLE, HOOK_HEADERS, TOKEN_VARIABLE
from tests.processes import DEADLINE_SECONDS, free_port
from tests.unit.agent_bridge.small_servers import answering, listening, read_request

BODY = '{"hook_event_name": "PreToolUse", "tool_input": {"command": "ls ü"}} '.encode()
GO_ON = b'{"continue": true}'
SAID_YES = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(GO_ON), GO_ON)
# Long enough for a loaded machine.
PATIENT = DEADLINE_SECONDS


def run(
    *arguments: str, body: bytes = BODY, files: str = "", **environment: str
) -> "subprocess.CompletedProcess[bytes]":
    """A hook as a process; `files` is what a shell does with its files."""
    command = [sys.executable, "-m", "agent_bridge.entry", "hook", *arguments]
    if files:
        command = ["sh", "-c", f'exec "$0" "$@" {files}', *command]
    own = {API_URL_VARIABLE, TOKEN_VARIABLE, *HOOK_HEADERS.values()}
    mine = {name: value for name, value in os.environ.items() if name not in own}
    return subprocess.run(command, input=body, capture_output=True, timeout=DEADLINE_SECONDS, env=mine | environment)


def said(done: "subprocess.CompletedProcess[bytes]") -> str:
    """The one line of a hook that did not break anything."""
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(b"\n") == 1
    assert done.stderr.startswith(b"agent-bridge hook: ")
    return done.stderr.decode()


@pytest.fixture(autouse=True)
def no_session_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (TOKEN_VARIABLE, *HOOK_HEADERS.values()):
        monkeypatch.delenv(variable, raising=False)


def test_the_bytes_on_stdin_are_posted_and_the_answer_is_printed() -> None:
    requests: list[tuple[bytes, bytes]] = []
    with listening(answering(SAID_YES, requests)) as port:
        done = run(f"--api-url=http://127.0.0.1:{port}/", "--timeout-ms", "20000")
    assert (done.returncode, done.stdout, done.stderr) == (0, GO_ON, b"")
    [(head, body)] = requests
    assert body == BODY
    first, *headers = head.split(b"\r\n")
    assert first == b"POST /hooks/claude-code HTTP/1.1"
    assert set(headers) == {
        b"Host: 127.0.0.1:%d" % port,
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(BODY),
        b"Connection: close",
    }


def test_the_url_of_the_environment_is_used_with_its_path() -> None:
    requests: list[tuple[bytes, bytes]] = []
    with listening(answering(SAID_YES, requests)) as port:
        assert run("--timeout-ms=20000", **{API_URL_VARIABLE: f"HTTP://localhost:{port}/ao/"}).stdout == GO_ON
    assert requests[0][0].startswith(b"POST /ao/hooks/claude-code HTTP/1.1\r\nHost: localhost:")


def test_what_the_environment_says_of_the_session_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_ORCHESTRATOR_SESSION_NAME", "Prüfung\r\nX-Agent-Name: forged\t!")
    monkeypatch.setenv("AGENT_ORCHESTRATOR_AGENT_NAME", "")
    monkeypatch.setenv("AGENT_BRIDGE_SESSION", "s1")
    requests: list[tuple[bytes, bytes]] = []
    with listening(answering(SAID_YES, requests)) as port:
        report(f"http://127.0.0.1:{port}", BODY, PATIENT)
    named = [line for line in requests[0][0].split(b"\r\n") if line.startswith(b"X-")]
    assert named == ["X-Session-Name: Prüfung  X-Agent-Name: forged !".encode(), b"X-Bridged-Session: s1"]


def test_the_token_of_the_environment_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "aot_1-x\n")
    requests: list[tuple[bytes, bytes]] = []
    with listening(answering(SAID_YES, requests)) as port:
        report(f"http://127.0.0.1:{port}", BODY, PATIENT)
    assert b"Authorization: Bearer aot_1-x" in requests[0][0].split(b"\r\n")


@pytest.mark.parametrize("token", ["s3cret\r\nX-Agent-Name: forged", "s3 cret", "s3crét"])
def test_what_no_header_can_carry_is_one_line_and_not_repeated(token: str) -> None:
    line = said(run("--api-url", "http://127.0.0.1:9", **{TOKEN_VARIABLE: token}))
    assert TOKEN_VARIABLE in line
    assert "s3" not in line


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_a_body_of_any_size_arrives(size: int) -> None:
    requests: list[tuple[bytes, bytes]] = []
    with listening(answering(SAID_YES, requests)) as port:
        assert report(f"http://127.0.0.1:{port}", b"x" * size, PATIENT) == GO_ON
    assert requests[0][1] == b"x" * size


def test_ipv6_works() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with listening(answering(SAID_YES), "::1") as port:
        assert report(f"http://[::1]:{port}", BODY, PATIENT) == GO_ON


def addresses(monkeypatch: pytest.MonkeyPatch, *found: tuple[socket.AddressFamily, tuple[object, ...]]) -> None:
    rows = [(family, socket.SOCK_STREAM, 6, "", address) for family, address in found]
    monkeypatch.setattr(hook._socket, "getaddrinfo", lambda *_, **__: rows)


def test_a_name_of_several_addresses_is_tried_until_one_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(answering(SAID_YES)) as port:
        addresses(
            monkeypatch, (socket.AF_INET6, ("::1", free_port(), 0, 0)), (socket.AF_INET, ("127.0.0.1", free_port())),
            (socket.AF_INET, ("127.0.0.1", port)),
        )  # fmt: skip
        assert report(f"http://localhost:{port}", BODY, PATIENT) == GO_ON


def test_an_address_that_does_not_answer_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    # A queue that is full: the kernel lets those who connect wait.
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        port = stack.enter_context(listening(answering(SAID_YES)))
        addresses(monkeypatch, (socket.AF_INET, full.getsockname()), (socket.AF_INET, ("127.0.0.1", port)))
        assert report(f"http://localhost:{port}", BODY, 2.0) == GO_ON


def test_a_coordinator_that_is_away_is_one_line() -> None:
    url = f"http://localhost:{free_port()}"
    done = run("--api-url", url)
    assert said(done) == f"agent-bridge hook: no coordinator at {url} (Connection refused)\n"
    assert done.stdout == b""


def test_a_name_that_nobody_knows_is_one_line() -> None:
    with pytest.raises(Failed, match=r"no coordinator at http://nowhere\.invalid"):
        report("http://nowhere.invalid", BODY, PATIENT)


def hang(connection: socket.socket) -> None:
    read_request(connection)
    connection.recv(1)


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: 1\r\n")
        release.wait(0.01)


def take_nothing(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    release.wait(DEADLINE_SECONDS)


release = threading.Event()


@pytest.mark.parametrize("serve", [hang, drip, take_nothing])
def test_connecting_sending_and_receiving_have_one_time_limit(serve: "hook.Callable[[socket.socket], None]") -> None:
    release.clear()
    with listening(serve) as port:
        began = time.monotonic()
        with pytest.raises(Failed, match="did not answer within 200 ms"):
            report(f"http://127.0.0.1:{port}", b"x" * 30_000_000, 0.2)
        assert time.monotonic() - began < PATIENT / 10
        release.set()


def test_looking_up_the_name_has_the_same_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    release.clear()
    looked: list[object] = []

    def look_up(host: bytes, *_: object, **__: object) -> list[object]:
        looked.append(host)
        release.wait(DEADLINE_SECONDS)
        return []

    monkeypatch.setattr(hook._socket, "getaddrinfo", look_up)
    with pytest.raises(Failed, match="did not answer within 50 ms"):
        report("http://localhost:1", BODY, 0.05)
    release.set()
    assert looked == [b"localhost"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 503 Unavailable\r\nContent-Length: 15\r\n\r\n{\n\x1b[1m\"detail\"}", "answered 503: {"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "answered 404: "),
        (b"HTTP/1.1 307 Elsewhere\r\nContent-Length: 0\r\n\r\n", "answered 307: "),
        (SAID_YES[:-1], r"is no coordinator \(its answer is broken off\)"),
        (b"-ERR unknown command\r\n\r\n", r"is no coordinator \(it does not speak HTTP"),
        (b"", r"is no coordinator \(its answer is broken off\)"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_said_and_not_printed(answer: bytes, why: str) -> None:
    with listening(answering(answer)) as port, pytest.raises(Failed, match=why):
        report(f"http://127.0.0.1:{port}", BODY, PATIENT)


def test_a_line_stays_one_line_whatever_the_coordinator_says() -> None:
    with listening(answering(b"HTTP/1.1 500 Oh\r\nContent-Length: 8\r\n\r\na\nb\x1b[1m\xff")) as port:
        line = said(run("--api-url", f"http://127.0.0.1:{port}", "--timeout-ms", "20000"))
    assert line.endswith("answered 500: a b [1m�\n")


@pytest.mark.parametrize("status", [201, 202, 204])
def test_another_success_has_no_answer_for_the_agent(status: int) -> None:
    with listening(answering(b"HTTP/1.1 %d Fine\r\nContent-Length: 0\r\n\r\n" % status)) as port:
        assert report(f"http://127.0.0.1:{port}", BODY, PATIENT) == b""


def test_a_refusal_before_the_whole_body_was_read_is_understood() -> None:
    def refuse(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\ntoo large")

    with listening(refuse) as port, pytest.raises(Failed, match="answered 413: too large"):
        report(f"http://127.0.0.1:{port}", b"x" * 30_000_000, PATIENT)


@pytest.mark.parametrize(
    "url",
    ["localhost:8765", "ftp://localhost", "http://", "http://:80", "http://localhost:http", "http://localhost:0",
     "http://localhost:65536", "http://::1:80", "http://[::1]80", "http://me@localhost", "http://localhost/?q",
     "http://localhost/#f", "http://local host", "http://localhost\r\nX: y", "http://lokälhost"],
)  # fmt: skip
def test_what_is_no_url_is_said_to_be_none(url: str) -> None:
    with pytest.raises(Failed, match="is no URL of a coordinator"):
        report(url, BODY, PATIENT)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ("<&-", "stdin is closed"),
        ("</dev/null", "stdin is empty"),
        ("0>/dev/null", "stdin can't be read (Bad file descriptor)"),
        (">&-", "reported, but stdout is closed"),
        (">/dev/full", "reported, but the answer could not be passed on (No space left on device)"),
    ],
)
def test_broken_files_are_one_line(files: str, why: str) -> None:
    with listening(answering(SAID_YES)) as port:
        line = said(run("--api-url", f"http://127.0.0.1:{port}", "--timeout-ms", "20000", files=files))
    assert why in line


@pytest.mark.parametrize("files", ["2>&-", "2>/dev/full", "<&- >&- 2>&-"])
def test_nobody_has_to_listen(files: str) -> None:
    done = run("--api-url", f"http://127.0.0.1:{free_port()}", files=files)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_reader_that_has_left_is_one_line() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with listening(answering(SAID_YES)) as port:
        done = subprocess.run(
            [sys.executable, "-m", "agent_bridge.entry", "hook", "--api-url", f"http://127.0.0.1:{port}"],
            input=BODY, stdout=theirs, stderr=subprocess.PIPE, timeout=DEADLINE_SECONDS,
            env=os.environ | {"AGENT_BRIDGE_SESSION": ""},
        )  # fmt: skip
    os.close(theirs)
    assert "could not be passed on (Broken pipe)" in said(done)


def test_a_stdin_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    kept = os.dup(0)
    try:
        os.dup2(ours, 0)
        monkeypatch.setattr(hook, "STDIN_SECONDS", 0.05)
        with pytest.raises(Failed, match="stdin did not end"):
            hook._stdin()
    finally:
        os.close(theirs)
        os.dup2(kept, 0)
        os.close(kept)
        os.close(ours)


def test_more_than_a_hook_can_have_is_not_collected() -> None:
    assert "stdin has more than" in said(run(files="</dev/zero"))


def test_no_home_is_needed() -> None:
    with listening(answering(SAID_YES)) as port:
        done = subprocess.run(
            [sys.executable, "-m", "agent_bridge.entry", "hook", "--api-url", f"http://127.0.0.1:{port}",
             "--timeout-ms", "20000"],
            input=BODY, capture_output=True, timeout=DEADLINE_SECONDS, env={},
        )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, GO_ON, b"")


def test_the_unforeseen_is_one_line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("never\nseen")

    monkeypatch.setattr(hook, "_stdin", fail)
    assert hook.main([]) == 0
    assert capfd.readouterr().err == "agent-bridge hook: not reported: RuntimeError('never\\nseen')\n"


@pytest.mark.parametrize(
    "arguments",
    [["--fly"], ["now"], ["--timeout-ms"], ["--timeout-ms=0"], ["--timeout-ms", "-5"], ["--timeout-ms=9e9"]],
)
def test_wrong_usage_is_one_line(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert hook.main(arguments) == 0
    assert capfd.readouterr().err.count("\n") == 1


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "coordinator")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    shown, kept = folder / "certificate.pem", folder / "key.pem"
    shown.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    kept.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    return shown, kept


def test_https_works_and_checks_who_answers(tmp_path: Path) -> None:
    shown, kept = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, kept)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            answering(SAID_YES)(secured)

    with listening(serve) as port:
        arguments = ("--api-url", f"https://127.0.0.1:{port}", "--timeout-ms", "20000")
        trusting = run(*arguments, SSL_CERT_FILE=str(shown))
        line = said(run(*arguments))
    assert (trusting.stdout, trusting.stderr) == (GO_ON, b"")
    assert "certificate verify failed" in line
