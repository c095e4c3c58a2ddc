"""Redis behind TLS: with the right certificates everything works, and otherwise one line says what is wrong."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import hiredis
import httpx
import pytest
from redis.exceptions import RedisError

from agent_bridge import AgentBridge
from agent_bus.connection import connect, connect_threaded
from agent_bus.refusals import explain_refusal
from api import redis_check
from api.cannot_start import CannotStart
from api.redis_check import inspect
from tests.browser import Browser, is_status
from tests.processes import RedisServer, Server, free_port, redis_binary
from tests.tls import Authority, Handler, Identity, forwarding, tls_server

PASSWORD = "s3cret"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom our side trusts."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def here(authority: Authority) -> Identity:
    """A certificate for this machine."""
    return authority.sign("here", "localhost", "127.0.0.1")


def speaks_tls(identity: Identity, authority: Authority) -> bool:
    """Whether the redis-server at hand has TLS in it."""
    options = ["--port", "0", "--tls-port", str(free_port()), *tls_options(identity, authority)]
    with subprocess.Popen([redis_binary(), *options], stdout=subprocess.DEVNULL) as process:
        try:
            return process.wait(0.5) == 0
        except subprocess.TimeoutExpired:
            return True
        finally:
            process.kill()


def tls_options(identity: Identity, authority: Authority) -> list[str]:
    return [
        "--tls-cert-file", str(identity.certificate), "--tls-key-file", str(identity.key),
        "--tls-ca-cert-file", str(authority.file), "--tls-auth-clients", "no", "--save", "",
    ]  # fmt: skip


@pytest.fixture(scope="module", params=["a terminator", "redis-server itself"])
def port(
    request: pytest.FixtureRequest, authority: Authority, here: Identity, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """Where Redis speaks TLS."""
    with ExitStack() as stack:
        if request.param == "a terminator":
            server = stack.enter_context(RedisServer(tmp_path_factory.mktemp("redis"), "--requirepass", ""))
            yield stack.enter_context(tls_server(forwarding(server.port), here))
        elif speaks_tls(here, authority):
            own = free_port()
            options = ["--tls-port", str(own), *tls_options(here, authority)]
            stack.enter_context(RedisServer(tmp_path_factory.mktemp("redis"), *options))
            yield own
        else:
            pytest.skip("this redis-server was built without TLS")


@pytest.fixture
def url(port: int, authority: Authority) -> str:
    """A URL with all that it takes."""
    return f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={authority.file}"


async def test_everything_goes_through_tls(url: str, tmp_path: Path) -> None:
    with Server("coordinator", url, tmp_path / "project") as server:
        async with (
            httpx.AsyncClient(base_url=server.url, timeout=30) as client,
            Browser(server.ws_url) as browser,
            AgentBridge(session_id="s", redis_url=url) as bridge,
        ):
            bridge.on_stop(lambda _: None)
            answer = await client.post("/sessions/s/stop")
            assert answer.json()["message"] == "Session stopped successfully"
            await browser.until(is_status("s", "stopped"))


def test_a_certificate_that_nobody_we_know_has_signed_is_refused(port: int) -> None:
    with pytest.raises(CannotStart, match=r"is not trusted \(.*\): name the one that signed it in the URL") as refusal:
        inspect(f"rediss://:{PASSWORD}@127.0.0.1:{port}/0")
    assert PASSWORD not in str(refusal.value)


def test_another_authority_does_not_do(port: int, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    with pytest.raises(CannotStart, match="is not trusted"):
        inspect(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={other.file}")


def test_the_check_can_be_given_up(port: int) -> None:
    assert inspect(f"rediss://127.0.0.1:{port}/0?ssl_cert_reqs=none").append_only


@contextmanager
def behind(handler: Handler, identity: Identity, clients_of: Authority | None = None) -> Iterator[str]:
    with tls_server(handler, identity, clients_of=clients_of) as port:
        yield f"127.0.0.1:{port}"


def test_a_certificate_for_another_name_is_refused(authority: Authority, redis_server: RedisServer) -> None:
    elsewhere = authority.sign("elsewhere", "redis.example", "192.0.2.1")
    with behind(forwarding(redis_server.port), elsewhere) as address:
        url = f"rediss://{address}/0?ssl_ca_certs={authority.file}"
        with pytest.raises(CannotStart, match="is for another name: use in the URL a host name that it is for"):
            inspect(url)
        assert inspect(f"{url}&ssl_check_hostname=false").append_only


def test_a_certificate_of_ours_is_shown_where_one_is_wanted(authority: Authority, redis_server: RedisServer) -> None:
    here, client = authority.sign("server", "127.0.0.1"), authority.sign("client")
    with behind(forwarding(redis_server.port), here, authority) as address:
        url = f"rediss://{address}/0?ssl_ca_certs={authority.file}"
        with pytest.raises(CannotStart, match="wants a certificate of ours"):
            inspect(url)
        assert inspect(f"{url}&ssl_certfile={client.certificate}&ssl_keyfile={client.key}").append_only


def test_tls_with_what_does_not_speak_it_is_told(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # Redis waits for a command's end, and we for an answer.
    monkeypatch.setattr(redis_check, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(CannotStart, match="does not speak TLS there, use redis://"):
        inspect(redis_server.url.replace("redis://", "rediss://"))


def test_what_speaks_tls_alone_is_told_from_what_is_no_redis(port: int) -> None:
    with pytest.raises(CannotStart, match=r"if it wants TLS, use rediss://|whether they want rediss://"):
        inspect(f"redis://127.0.0.1:{port}/0")


async def test_a_bridge_says_what_is_wrong_with_the_certificate(port: int, caplog: pytest.LogCaptureFixture) -> None:
    async with AgentBridge(session_id="s", redis_url=f"rediss://:{PASSWORD}@127.0.0.1:{port}/0"):
        pass
    assert "is not trusted" in caplog.text
    assert "ssl_ca_certs=" in caplog.text
    assert PASSWORD not in caplog.text


async def test_the_asynchronous_client_says_the_same(port: int) -> None:
    url = f"rediss://127.0.0.1:{port}/0"
    async with connect(url, name="test", retries=0) as client:
        with pytest.raises(RedisError) as refusal:
            await client.ping()
    assert "is not trusted" in str(explain_refusal(refusal.value, url))


def sentinel(service: str, port: int, password: str) -> Handler:
    """As much of a Sentinel as clients ask: where the primary of a service is. It wants a password."""
    state = {"name": service, "ip": "127.0.0.1", "port": str(port), "flags": "master", "num-other-sentinels": "0"}
    words = [word for pair in state.items() for word in pair]
    told = f"*1\r\n*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser, let_in = hiredis.Reader(), False
        while data := await reader.read(65536):
            parser.feed(data)
            while command := parser.gets():
                if command[0].upper() == b"AUTH":
                    let_in = command[-1] == password.encode()
                    writer.write(b"+OK\r\n" if let_in else b"-WRONGPASS no\r\n")
                else:
                    writer.write(told.encode() if let_in else b"-NOAUTH Authentication required.\r\n")
                await writer.drain()

    return handle


async def test_sentinels_and_the_primary_they_name_are_both_asked_over_tls(
    authority: Authority, here: Identity, redis_server: RedisServer
) -> None:
    with (
        tls_server(forwarding(redis_server.port), here) as primary,
        behind(sentinel("primary", primary, PASSWORD), here) as address,
    ):
        untrusted = f"rediss+sentinel://{address}/primary/0?sentinel_password={PASSWORD}"
        url = f"{untrusted}&ssl_ca_certs={authority.file}"
        async with connect(url, name="test") as client:
            assert await client.ping()
        with connect_threaded(url, name="test") as threaded:
            assert threaded.ping()
        assert inspect(url).append_only
        with pytest.raises(CannotStart, match="is not trusted") as refusal:
            inspect(untrusted)
        assert PASSWORD not in str(refusal.value)
