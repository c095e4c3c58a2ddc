"""Connections to Redis: which URLs are understood, how long to wait, and when to try again."""

import asyncio
import os
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import hiredis
from redis import BlockingConnectionPool as ThreadPool
from redis import Redis as ThreadRedis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import ExponentialWithJitterBackoff
from redis.connection import Connection, SSLConnection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry as ThreadRetry
from redis.sentinel import Sentinel as ThreadSentinel

from agent_bus.following_connection import FollowingConnection

SENTINEL_SCHEMES = ("redis+sentinel", "rediss+sentinel")

# Up to the last @: a password that was not quoted may contain anything.
_PASSWORD = re.compile(r"^((?:[\w+.-]*://)?[^:@/]*:).*@", re.DOTALL)
_PASSWORD_IN_QUERY = re.compile(r"(password=)[^&]*")
# What a URL's query may name beside what a connection takes.
_POOL_OPTIONS = ("max_connections", "timeout")
_SENTINEL_CREDENTIALS = {"sentinel_username": "username", "sentinel_password": "password"}
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_ca_path")

# A loopback or rack-local Redis answers within a millisecond; five seconds mean that it is not going to.
TIMEOUT_SECONDS = 5.0
# For all tries of a command together, reconnecting included.
DEADLINE_SECONDS = 6.0
# Three tries within about half a second ride out a dropped connection; longer outages are the caller's to report.
RETRIES = 3
BACKOFF_BASE_SECONDS, BACKOFF_CAP_SECONDS = 0.05, 0.5
MAX_CONNECTIONS = 64
SENTINEL_PORT = 26379


class InvalidRedisUrl(ValueError):
    """The Redis URL can't be understood; the message says what one looks like."""


@dataclass(frozen=True, slots=True)
class SentinelTarget:
    """What `redis+sentinel://[user:password@]host[:port][,host…]/service[/db]` names.

    options: of the connections to the servers. sentinel_options: of those to the Sentinels.
    """

    hosts: list[tuple[str, int]]
    service: str
    options: dict[str, Any] = field(default_factory=dict)
    sentinel_options: dict[str, Any] = field(default_factory=dict)


def redact(url: str) -> str:
    """The URL as it may be shown: without its passwords, even where it was mistyped."""
    return _PASSWORD_IN_QUERY.sub(r"\1***", _PASSWORD.sub(r"\1***@", url))


def check_url(url: str) -> str:
    """Returns the URL, or raises InvalidRedisUrl."""
    try:
        if urlsplit(url).scheme in SENTINEL_SCHEMES:
            target = parse_sentinel(url)
            options = dict(target.options)
            kind = SSLConnection if options.pop("ssl", False) else Connection
        else:
            options = parse_url(url)
            kind = options.pop("connection_class", Connection)
            # Read here since the client reads it only when it connects.
            _ = urlsplit(url).port
        _check_options(url, kind, options)
    except InvalidRedisUrl:
        raise
    except ValueError:
        raise InvalidRedisUrl(
            f"{redact(url)!r} is not a Redis URL: use redis://host:6379/0, rediss://… for TLS, unix:///path/to.sock, "
            "or redis+sentinel://host:26379,host:26379/service/0"
        ) from None
    return url


def _check_options(url: str, kind: type[Any], options: dict[str, Any]) -> None:
    """Raises InvalidRedisUrl for what a client would stumble over when it connects."""
    try:
        kind(**{name: value for name, value in options.items() if name not in _POOL_OPTIONS})
    except (TypeError, RedisError) as error:
        wrong = str(error).rpartition("argument ")[2]
        hint = "; options of TLS need rediss://" if "ssl" in wrong and kind is not SSLConnection else ""
        raise InvalidRedisUrl(f"{redact(url)!r} has an option that is not understood: {wrong}{hint}") from None
    for name in _TLS_FILES:
        if name in options and not os.access(options[name], os.R_OK):
            raise InvalidRedisUrl(f"{redact(url)!r} names {options[name]} as {name}, which can't be read")


def with_credentials(url: str, user: str, password: str) -> str:
    """The URL with this user and password in place of those that it had, if any. Raises InvalidRedisUrl."""
    parts = urlsplit(check_url(url))
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{address}"))


def user_of(url: str) -> str:
    """The user that a URL names; `default` where it names none. Raises InvalidRedisUrl."""
    options = _options_of(url)
    return str(options.get("username") or "default")


def database_of(url: str) -> int:
    """The number of the database that a URL names. Raises InvalidRedisUrl."""
    return int(_options_of(url).get("db", 0))


def _options_of(url: str) -> dict[str, Any]:
    check_url(url)
    return parse_sentinel(url).options if urlsplit(url).scheme in SENTINEL_SCHEMES else dict(parse_url(url))


def parse_sentinel(url: str) -> SentinelTarget:
    """Reads a Sentinel URL. Raises InvalidRedisUrl without a host or a service.

    TLS and its options are for the servers and for the Sentinels; the user and the password for the servers.
    """
    parts = urlsplit(url)
    credentials, _, addresses = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    split = [urlsplit(f"//{address}") for address in addresses.split(",") if address]
    hosts = [(address.hostname or "", address.port or SENTINEL_PORT) for address in split]
    if not hosts or not service or (database and not database.isdigit()):
        raise InvalidRedisUrl(f"{redact(url)!r} must look like redis+sentinel://host:26379,host:26379/service/0")
    queried = {name: value for name, value in parse_url(f"redis://h?{parts.query}").items() if name != "host"}
    of_sentinel = {name: queried.pop(key) for key, name in _SENTINEL_CREDENTIALS.items() if key in queried}
    options: dict[str, Any] = {"db": int(database or 0)} | queried
    if credentials:
        user, _, password = credentials.partition(":")
        options |= {"username": unquote(user) or None, "password": unquote(password) or None}
    if parts.scheme.startswith("rediss"):
        options["ssl"] = True
        of_sentinel |= {name: value for name, value in options.items() if name.startswith("ssl")}
    return SentinelTarget(hosts, service, options, of_sentinel)


def _options(url: str, name: str, timeout: float | None) -> dict[str, Any]:
    tcp = {} if urlsplit(url).scheme == "unix" else {"socket_keepalive": True}
    # RESP2 is what every supported server speaks the same way.
    return tcp | {
        "client_name": name,
        # What library we use is of no use to Redis, and one more command that each user would have to be allowed.
        "driver_info": None,
        "protocol": 2,
        "socket_timeout": timeout,
        "socket_connect_timeout": TIMEOUT_SECONDS,
    }


def _sentinel_options(target: SentinelTarget, retry: Callable[..., Any]) -> dict[str, Any]:
    # There are others to ask, and each command that finds no primary is tried again.
    once_more = retry(ExponentialWithJitterBackoff(base=BACKOFF_BASE_SECONDS, cap=BACKOFF_CAP_SECONDS), 1)
    return target.sentinel_options | {
        "protocol": 2,
        "socket_timeout": TIMEOUT_SECONDS,
        "driver_info": None,
        "retry": once_more,
    }


class PackingConnection:
    """In front of one of redis-py's connection classes: scripts' arguments are packed in C.

    redis-py packs in Python wherever it is used with asyncio, a microsecond an argument; a batch of events has a
    thousand of them.
    """

    def pack_command(self, *args: Any) -> list[bytes]:
        """The command as it goes over the wire."""
        if args[0] == "EVALSHA":
            return [hiredis.pack_command(args)]
        packed: list[bytes] = super().pack_command(*args)  # type: ignore[misc]
        return packed

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """As redis-py's, which lets through how uvloop says that the other end has closed meanwhile.

        Raises redis' ConnectionError, which callers expect and which is tried again where that is allowed.
        """
        try:
            await super().send_packed_command(command, check_health=check_health)  # type: ignore[misc]
        except RuntimeError as error:
            if "closed" not in str(error):
                raise
            raise RedisConnectionError(f"the connection was closed: {error}") from error


def _adapt(client: Redis, *adaptations: type) -> Redis:
    """Puts classes in front of the one of the client's connections, of which none has been made yet."""
    pool = client.connection_pool
    kind = pool.connection_class
    pool.connection_class = type(f"Adapted{kind.__name__}", (*adaptations, kind), {})
    return client


def is_out_of_memory(error: Exception) -> bool:
    """Whether Redis refused a command because it has no memory left; 6.2 says so within another error's text."""
    return isinstance(error, OutOfMemoryError) or "OOM command not allowed" in str(error)


OnRoundTrip = Callable[[float, Exception | None], None]
"""Told of each command or pipeline: how many seconds all its tries took, and how it failed, if it did."""


class BoundedPipeline(Pipeline):
    """A pipeline whose tries altogether end by the deadline."""

    on_round_trip: OnRoundTrip | None = None

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """As redis-py's. Raises redis' TimeoutError at the deadline."""
        async with _deadline(self.on_round_trip):
            return await super().execute(raise_on_error)


class BoundedRedis(Redis):
    """A client whose tries altogether end by the deadline: a hung Redis costs one time limit, not one for each try."""

    on_round_trip: OnRoundTrip | None = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """As redis-py's. Raises redis' TimeoutError at the deadline."""
        async with _deadline(self.on_round_trip):
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """As redis-py's."""
        pipeline = BoundedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipeline.on_round_trip = self.on_round_trip
        return pipeline


@asynccontextmanager
async def _deadline(on_round_trip: OnRoundTrip | None) -> AsyncIterator[None]:
    began = perf_counter()
    failure: Exception | None = None
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            yield
    except TimeoutError as error:
        failure = error
        raise RedisTimeoutError(f"no answer within {DEADLINE_SECONDS:g} s") from error
    except Exception as error:
        failure = error
        raise
    except BaseException:
        # Given up by who asked; that tells nothing of Redis.
        on_round_trip = None
        raise
    finally:
        if on_round_trip is not None:
            on_round_trip(perf_counter() - began, failure)


def connect(
    url: str,
    *,
    name: str,
    retries: int = RETRIES,
    timeout: float | None = TIMEOUT_SECONDS,
    max_connections: int = MAX_CONNECTIONS,
    on_round_trip: OnRoundTrip | None = None,
) -> Redis:
    """A client for asyncio; it connects with its first command. Close it with `aclose()`.

    retries: how often a command is sent again when its answer is lost. Use 0 for commands that must not happen twice.
    timeout: seconds to wait for an answer; None waits for ever (for subscribers).
    on_round_trip: what each command and pipeline takes is told to it.
    Raises InvalidRedisUrl.
    """
    check_url(url)
    retry = Retry(ExponentialWithJitterBackoff(base=BACKOFF_BASE_SECONDS, cap=BACKOFF_CAP_SECONDS), retries)
    options = _options(url, name, timeout) | {"retry": retry}
    adaptations: list[type] = [PackingConnection]
    if urlsplit(url).scheme in SENTINEL_SCHEMES:
        adaptations.append(FollowingConnection)
        target = parse_sentinel(url)
        sentinel = Sentinel(target.hosts, sentinel_kwargs=_sentinel_options(target, Retry))
        client: Redis = sentinel.master_for(
            target.service, redis_class=BoundedRedis, max_connections=max_connections, **(options | target.options)
        )
    else:
        pool = BlockingConnectionPool.from_url(url, max_connections=max_connections, timeout=TIMEOUT_SECONDS, **options)
        client = BoundedRedis.from_pool(pool)
    assert isinstance(client, BoundedRedis)
    client.on_round_trip = on_round_trip
    return _adapt(client, *adaptations)


class RetryUntil(ThreadRetry):
    """Tries again, but not any more once a process is to end. Connections share it."""

    def __init__(self, ending: threading.Event) -> None:
        super().__init__(ExponentialWithJitterBackoff(base=BACKOFF_BASE_SECONDS, cap=BACKOFF_CAP_SECONDS), RETRIES)
        self._ending = ending

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        """Itself: a copy would not learn of the end."""
        return self

    def call_with_retry(
        self,
        do: Callable[[], Any],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> Any:
        """As redis-py's."""

        def worthwhile(error: Exception) -> bool:
            return not self._ending.is_set() and (is_retryable is None or is_retryable(error))

        return super().call_with_retry(do, fail, worthwhile, with_failure_count)


def connect_threaded(
    url: str, *, name: str, timeout: float | None = TIMEOUT_SECONDS, ending: threading.Event | None = None
) -> ThreadRedis:
    """A blocking client, for RQ, which has no other. Raises InvalidRedisUrl.

    ending: once it is set, nothing is tried again.
    """
    check_url(url)
    retry = RetryUntil(ending or threading.Event())
    options = _options(url, name, timeout) | {"retry": retry}
    if urlsplit(url).scheme in SENTINEL_SCHEMES:
        target = parse_sentinel(url)
        sentinel = ThreadSentinel(target.hosts, sentinel_kwargs=_sentinel_options(target, ThreadRetry))
        client: ThreadRedis = sentinel.master_for(target.service, **(options | target.options))
        return client
    pool = ThreadPool.from_url(url, max_connections=MAX_CONNECTIONS, timeout=TIMEOUT_SECONDS, **options)
    return ThreadRedis.from_pool(pool)


def sentinels_refusal(url: str) -> RedisError | None:
    """How the first Sentinel that does not answer fails; None if all answer. Blocks.

    A client that finds no primary tells that its Sentinels failed, and not how.
    """
    target = parse_sentinel(url)
    for host, port in target.hosts:
        with ThreadRedis(host, port, **_sentinel_options(target, ThreadRetry)) as sentinel:
            try:
                sentinel.ping()
            except RedisError as error:
                return error
    return None
