"""Redis URLs: which are understood, what they mean, and that no password is ever shown."""

import asyncio
import copy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from agent_bus.connection import (
    RETRIES,
    InvalidRedisUrl,
    PackingConnection,
    RetryUntil,
    check_url,
    connect,
    connect_threaded,
    database_of,
    parse_sentinel,
    redact,
    user_of,
    with_credentials,
)
from agent_bus.tasks import end
from tests.processes import RedisServer, free_port

SECRET = "s3cret-Pa55"

sentinel_hosts = st.lists(
    st.tuples(st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True), st.integers(1, 65535)), min_size=1, max_size=4
)
words = st.text(min_size=1, max_size=20)


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost", "redis://localhost:6379/0", "redis://:pw@h/1", "redis://user:pw@[::1]:6379/2",
        "rediss://h:6380/0?ssl_cert_reqs=none", "redis+sentinel://h/service", "redis+sentinel://u:p@a:1,b:2/service/3",
        "rediss+sentinel://h/service",
    ],
)  # fmt: skip
def test_urls_that_are_understood_are_returned_and_make_clients(url: str) -> None:
    assert check_url(url) == url
    connect(url, name="test").connection_pool.make_connection()
    connect_threaded(url, name="test").connection_pool.make_connection()


@pytest.mark.parametrize("client", [connect, connect_threaded])
def test_a_socket_file_makes_clients(client: Callable[..., object]) -> None:
    client("unix:///tmp/redis.sock", name="test").connection_pool.make_connection()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "url",
    ["", "localhost:6379", "http://h", "redis", "/run/redis.sock", "redis+sentinel://h", "redis+sentinel://h/",
     "redis+sentinel:///service", "redis+sentinel://h/service/x", "sentinel://h/service", "redis+cluster://h"],
)  # fmt: skip
def test_other_urls_are_refused_with_an_example(url: str) -> None:
    for use in (check_url, lambda url: connect(url, name="t"), lambda url: connect_threaded(url, name="t")):
        with pytest.raises(InvalidRedisUrl, match=r"redis(\+sentinel)?://"):
            use(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://[::1",
        "redis://h:abc/0",
        "redis://h:99999/0",
        "redis://h/0?socket_timeout=soon",
        "REDIS://h/0",
    ],
)
def test_urls_that_the_client_would_refuse_are_refused_as_such(url: str) -> None:
    with pytest.raises(InvalidRedisUrl):
        connect_threaded(url, name="test")


@given(
    hosts=sentinel_hosts, service=st.from_regex(r"[A-Za-z0-9_.-]{1,20}", fullmatch=True), database=st.integers(0, 99)
)
def test_a_sentinel_url_names_hosts_service_and_database(
    hosts: list[tuple[str, int]], service: str, database: int
) -> None:
    addresses = ",".join(f"{host}:{port}" for host, port in hosts)
    target = parse_sentinel(f"redis+sentinel://{addresses}/{service}/{database}")
    assert (target.hosts, target.service, target.options) == (hosts, service, {"db": database})


@given(user=st.one_of(st.just(""), words), password=words)
def test_credentials_in_a_sentinel_url_are_unquoted(user: str, password: str) -> None:
    target = parse_sentinel(f"rediss+sentinel://{quote(user, safe='')}:{quote(password, safe='')}@a,b:7/service")
    assert target.hosts == [("a", 26379), ("b", 7)]
    assert target.options == {"db": 0, "username": user or None, "password": password, "ssl": True}


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("redis+sentinel://[::1]:26380,b/service", [("::1", 26380), ("b", 26379)]),
        ("redis+sentinel://h:abc/service", None),
    ],
)
def test_hosts_of_a_sentinel_url_are_read_as_in_other_urls(url: str, hosts: list[tuple[str, int]] | None) -> None:
    if hosts is None:
        with pytest.raises(InvalidRedisUrl):
            check_url(url)
    else:
        assert parse_sentinel(url).hosts == hosts


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        (f"redis://:{SECRET}@h/0", "redis://:***@h/0"),
        (f"redis://user:{SECRET}@h/0", "redis://user:***@h/0"),
        (f"unix://:{SECRET}@/tmp/redis.sock?db=1", "unix://:***@/tmp/redis.sock?db=1"),
        (f"redis://h/0?password={SECRET}", "redis://h/0?password=***"),
        (f"redis+sentinel://u:{SECRET}@a:1,b:2/service", "redis+sentinel://u:***@a:1,b:2/service"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert redact(url) == shown


LEAKY = [
    f"redis://:one@h/0?password={SECRET}",
    "redis://h/0?password=s3cret-Pa55%40",
    f"http://:x/{SECRET}@h",
    f"http://u:x#{SECRET}@h",
    f"http://u:x?{SECRET}@h",
    f"user:{SECRET}@h:6379",
    f":{SECRET}@h",
    f"redis://u:{SECRET}/x@h:6379/0",
]


@pytest.mark.parametrize(
    "url",
    [f"http://u:{SECRET}@h", f"redis+sentinel://u:{SECRET}@h", f"redis+sentinel://u:{SECRET}@h/service/x",
     f"h://h?password={SECRET}"],
)  # fmt: skip
def test_a_refusal_says_no_password(url: str) -> None:
    with pytest.raises(InvalidRedisUrl) as refusal:
        connect(url, name="test")
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize("url", LEAKY)
def test_no_password_is_shown_however_the_url_was_mistyped(url: str) -> None:
    said = redact(url)
    try:
        connect(url, name="test")
    except ValueError as refusal:
        said += str(refusal)
    assert SECRET not in said


def test_redacting_replaces_the_password_and_nothing_else_and_never_fails() -> None:
    assert redact("redis://:redis@redis:6379/0") == "redis://:***@redis:6379/0"
    assert redact("redis://[::1") == "redis://[::1"


@pytest.mark.parametrize(
    ("url", "with_user"),
    [
        ("redis://h:6379/0", "redis://bridge:p%40w@h:6379/0"),
        ("redis://old:one@[::1]:6379/2", "redis://bridge:p%40w@[::1]:6379/2"),
        ("rediss://:one@h?ssl_cert_reqs=none", "rediss://bridge:p%40w@h?ssl_cert_reqs=none"),
        ("unix:///run/a%20b.sock?db=1", "unix://bridge:p%40w@/run/a%20b.sock?db=1"),
        ("redis+sentinel://u:p@a:1,b:2/s/3", "redis+sentinel://bridge:p%40w@a:1,b:2/s/3"),
    ],
)
def test_a_url_is_given_another_user(url: str, with_user: str) -> None:
    assert with_credentials(url, "bridge", "p@w") == with_user
    assert user_of(with_user) == "bridge"
    assert database_of(with_user) == database_of(url)


def test_without_a_user_one_is_the_default() -> None:
    assert [user_of(url) for url in ("redis://h", "redis://:pw@h", "unix:///s", "redis+sentinel://h/s")] == [
        "default"
    ] * 4


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"redis://:{SECRET}@h/0?ssl_ca_certs=ca.pem", "'ssl_ca_certs'; options of TLS need rediss://"),
        (f"rediss://:{SECRET}@h/0?ssl_ca_cert=ca.pem", "an option that is not understood: 'ssl_ca_cert'"),
        (f"rediss://:{SECRET}@h/0?ssl_cert_reqs=maybe", "Invalid SSL Certificate Requirements Flag: maybe"),
        (f"rediss://:{SECRET}@h/0?ssl_ca_certs=/no/ca.pem", "names /no/ca.pem as ssl_ca_certs, which can't be read"),
        (f"rediss+sentinel://:{SECRET}@h/s?ssl_certfile=/no/c.pem", "as ssl_certfile, which can't be read"),
        (f"redis+sentinel://:{SECRET}@h/s?ssl_certfile=/no/c.pem", "options of TLS need rediss://"),
        (f"unix://:{SECRET}@/run/redis.sock?host=h", "an option that is not understood: 'host'"),
    ],
)
def test_an_option_that_would_fail_later_is_refused_with_its_name(url: str, said: str) -> None:
    with pytest.raises(InvalidRedisUrl) as refusal:
        check_url(url)
    assert said in str(refusal.value)
    assert SECRET not in str(refusal.value)


def test_tls_is_for_the_sentinels_as_well_and_their_password_for_them_alone(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    url = f"rediss+sentinel://u:p@h/s?ssl_ca_certs={ca}&sentinel_username=s&sentinel_password={SECRET}"
    target = parse_sentinel(check_url(url))
    tls = {"ssl": True, "ssl_ca_certs": str(ca)}
    assert target.options == {"db": 0, "username": "u", "password": "p", **tls}
    assert target.sentinel_options == {"username": "s", "password": SECRET, **tls}
    assert SECRET not in redact(url)


def test_no_connection_says_what_library_it_is() -> None:
    # It would be one more command for each user to be allowed.
    for url in ("redis://h", "unix:///s", "redis+sentinel://h/s"):
        assert connect(url, name="t").connection_pool.make_connection().driver_info is None
        assert connect_threaded(url, name="t").connection_pool.make_connection().driver_info is None


async def test_clients_carry_their_name(redis_server: RedisServer) -> None:
    client = connect(redis_server.url, name="test-name")
    assert await client.client_getname() in (b"test-name", "test-name")
    await client.aclose()
    threaded = connect_threaded(redis_server.url, name="test-threaded")
    assert threaded.client_getname() in (b"test-threaded", "test-threaded")
    threaded.close()


def test_retries_and_timeouts_are_what_was_asked_for() -> None:
    once = connect("redis://h", name="test", retries=0, timeout=None, max_connections=3).connection_pool
    connection = once.make_connection()
    assert (connection.retry.get_retries(), connection.socket_timeout, once.max_connections) == (0, None, 3)


# What Redis understands is the same, whoever packs it.
arguments = st.lists(st.one_of(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.binary(), st.integers()))


@given(arguments=arguments)
def test_scripts_arguments_are_packed_as_the_client_itself_would(arguments: list[str | bytes | int]) -> None:
    connection: Any = connect("redis://localhost", name="test").connection_pool.make_connection()
    plain = super(PackingConnection, connection)
    packed = b"".join(connection.pack_command("EVALSHA", *arguments))
    assert packed == b"".join(plain.pack_command("EVALSHA", *arguments))


def test_other_commands_are_left_to_the_client() -> None:
    connection: Any = connect("redis://localhost", name="test").connection_pool.make_connection()
    assert b"".join(connection.pack_command("SCRIPT LOAD", "x")).startswith(b"*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD")


@pytest.mark.parametrize("url", ["redis://h", "rediss://h", "unix:///run/redis.sock", "redis+sentinel://h/service"])
def test_every_kind_of_connection_packs_in_c(url: str) -> None:
    assert issubclass(connect(url, name="test").connection_pool.connection_class, PackingConnection)


async def test_each_round_trip_is_told_with_how_it_failed(redis_server: RedisServer) -> None:
    told: list[tuple[float, Exception | None]] = []
    async with connect(redis_server.url, name="test", on_round_trip=lambda *trip: told.append(trip)) as client:
        await client.ping()
        async with client.pipeline(transaction=False) as pipe:
            pipe.ping()
            pipe.ping()
            await pipe.execute()
        with pytest.raises(ResponseError):
            await client.execute_command("NO SUCH COMMAND")
    assert [type(error) for _, error in told] == [type(None), type(None), ResponseError]
    assert all(seconds > 0 for seconds, _ in told)


async def test_a_redis_that_is_away_is_told(redis_server: RedisServer) -> None:
    told: list[Exception | None] = []
    url = f"redis://127.0.0.1:{free_port()}"
    async with connect(url, name="test", retries=0, on_round_trip=lambda _, error: told.append(error)) as client:
        with pytest.raises(RedisConnectionError):
            await client.ping()
    assert [type(error) for error in told] == [RedisConnectionError]


async def test_a_round_trip_that_somebody_gave_up_tells_nothing_of_redis(own_redis_server: RedisServer) -> None:
    told: list[object] = []
    async with connect(own_redis_server.url, name="test", on_round_trip=lambda *trip: told.append(trip)) as client:
        await client.ping()
        own_redis_server.pause()
        asking = asyncio.create_task(client.ping())
        await asyncio.wait({asking}, timeout=0.05)
        await end([asking])
        own_redis_server.resume()
    assert len(told) == 1


def test_nothing_is_tried_again_once_a_process_is_to_end() -> None:
    ending = threading.Event()
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        raise RedisConnectionError("away")

    retry = copy.deepcopy(RetryUntil(ending))
    for expected in (RETRIES + 1, 1):
        tries.clear()
        with pytest.raises(RedisConnectionError):
            retry.call_with_retry(fail, lambda _: None)
        assert len(tries) == expected
        ending.set()


class ClosedWriter:
    """A transport of uvloop's whose other end has closed: it says so in an error of no kind that is expected."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def writelines(self, _: object) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


async def test_a_transport_that_was_closed_meanwhile_is_a_lost_connection(redis_server: RedisServer) -> None:
    """Once it was not, and a replica whose Redis restarted at the wrong moment went down with it."""
    client = connect(redis_server.url, name="test", retries=0)
    connection = await client.connection_pool.get_connection()
    connection._writer = ClosedWriter(connection._writer)
    with pytest.raises(RedisConnectionError, match="the connection was closed"):
        await connection.send_packed_command([b"PING"])
    await client.connection_pool.release(connection)
    assert await client.ping()
    await client.aclose()
