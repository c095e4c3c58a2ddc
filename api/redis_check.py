"""Whether a Redis will do: that it is one, lets us in, is new enough, and forgets nothing by itself."""

import logging
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from redis.exceptions import InvalidResponse, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.sentinel import MasterNotFoundError

from agent_bus.connection import InvalidRedisUrl, connect_threaded, redact, sentinels_refusal
from agent_bus.refusals import explain_refusal
from api.cannot_start import CannotStart

logger = logging.getLogger(__name__)


# The scripts and streams in use need nothing newer; distributions of 2021 and later have it.
OLDEST_VERSION = (6, 2)
PATIENCE_SECONDS = 3.0
PINGS = 20


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What a Redis says of itself."""

    server: str
    """Brand and version, as `redis 7.2.4`."""
    version: tuple[int, ...]
    """The version of Redis whose commands it speaks."""
    mode: str
    role: str
    loading: bool
    """It is still reading its data and refuses commands."""
    policy: str
    """What it drops when its memory is full."""
    append_only: bool
    snapshots: bool
    """It writes snapshots now and then."""
    latency_ms: float
    """The median of some round trips; 0 while loading."""


def parse_version(text: str) -> tuple[int, ...]:
    """`7.2.4` as (7, 2, 4), for comparison; what is no number ends it."""
    parts: list[int] = []
    for part in text.split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)


class NoRedis(CannotStart):
    """Nothing answers at the URL; it may come yet."""


def inspect(url: str, own_key: str | None = None) -> RedisFacts:
    """Asks the Redis at the URL about itself. Blocks for some seconds at worst.

    own_key: one that only the right user may look at, where there are users.
    Raises CannotStart when there is none, when what answers is something else, or when it does not let us in.
    """
    shown = redact(url)
    try:
        client = connect_threaded(url, name="check", timeout=PATIENCE_SECONDS)
    except InvalidRedisUrl as error:
        raise CannotStart(str(error)) from error
    except ValueError as error:
        raise CannotStart(f"{shown} is not a Redis URL ({error}): use redis://host:6379/0") from error
    with client:
        try:
            info = client.info()
            loading = bool(int(info.get("loading", 0)))
            latency = 0.0 if loading else statistics.median(_ping(client) for _ in range(PINGS))
            if own_key is not None and not loading:
                client.exists(own_key)
            # Asked for only where it matters: CONFIG is for administrators, and our own users may not.
            saves = not loading and not int(info.get("aof_enabled", 0)) and _saves(client)
        except InvalidResponse as error:
            raise CannotStart(
                f"what answers at {shown} is not Redis: check host and port of the URL, and whether they want rediss://"
            ) from error
        except RedisTimeoutError as error:
            raise NoRedis(
                f"no Redis answers in time at {shown}: check host and port of the URL, and whether it is overloaded"
                f"{_about_tls(url, silent=True)}"
            ) from error
        except (RedisError, OSError) as error:
            asked = sentinels_refusal(url) if isinstance(error, MasterNotFoundError) else None
            if (refusal := explain_refusal(asked or error, url)) is not None:
                raise CannotStart(refusal) from error
            raise NoRedis(
                f"no Redis answers at {shown} ({_reason(error)}): start it, or name another with --redis-url"
                f"{_about_tls(url, silent=False)}"
            ) from error
    return facts(info, latency_ms=latency, snapshots=saves)


def facts(info: Mapping[str, Any], *, latency_ms: float, snapshots: bool) -> RedisFacts:
    """Reads INFO's answer. Raises CannotStart when it is none of Redis's."""
    version = str(info.get("redis_version", ""))
    if not version:
        raise CannotStart("what answers is not Redis: it does not tell its version")
    valkey = info.get("valkey_version")
    return RedisFacts(
        server=f"valkey {valkey}" if valkey else f"redis {version}",
        version=parse_version(version),
        mode=str(info.get("redis_mode", "standalone")),
        role=str(info.get("role", "master")),
        loading=bool(int(info.get("loading", 0))),
        policy=str(info.get("maxmemory_policy", "noeviction")),
        append_only=bool(int(info.get("aof_enabled", 0))),
        snapshots=snapshots,
        latency_ms=latency_ms,
    )


def refusals(found: RedisFacts) -> list[str]:
    """Why this Redis must not be used: what is wrong and what to do, a line each; empty if it will do."""
    lines = []
    if found.version < OLDEST_VERSION:
        lines.append(f"{found.server} is too old: 6.2 or newer is needed")
    if found.mode == "cluster":
        lines.append("it is a node of a cluster: use a single Redis, or one behind Sentinel")
    if found.role != "master":
        lines.append("it is a read-only replica: name its primary, or its Sentinels with redis+sentinel://")
    if found.policy != "noeviction":
        lines.append(
            f"it drops data when its memory is full (maxmemory-policy {found.policy}): "
            "CONFIG SET maxmemory-policy noeviction, and in its configuration file too"
        )
    return lines


def warnings(found: RedisFacts) -> list[str]:
    """What costs data in a crash, though all works: what is wrong and what to do, a line each."""
    if found.append_only:
        return []
    lost = "what came since its last snapshot" if found.snapshots else "everything"
    return [f"a crash of this Redis loses {lost}: CONFIG SET appendonly yes, and in its configuration file too"]


def require(url: str, own_key: str | None = None) -> RedisFacts:
    """The facts of a Redis that will do, as `inspect` gives them. Raises CannotStart for any other."""
    found = inspect(url, own_key)
    if lines := refusals(found):
        raise CannotStart(f"Redis at {redact(url)}: {lines[0]}")
    return found


def refuse_unfit(url: str, own_key: str | None = None) -> None:
    """Raises CannotStart for a Redis that answers and must not be used; one that is not there yet is waited for."""
    try:
        require(url, own_key)
    except NoRedis as error:
        logger.warning("%s; going on without it until then", error)


def _ping(client: Any) -> float:
    start = time.perf_counter()
    client.ping()
    return (time.perf_counter() - start) * 1000


def _saves(client: Any) -> bool:
    try:
        return bool(client.config_get("save").get("save"))
    except RedisError:
        # Hosted servers keep CONFIG to themselves, and take snapshots as a rule.
        return True


def _about_tls(url: str, *, silent: bool) -> str:
    """What may be behind it where two sides disagree about TLS: that is not told, but shows as silence or an end."""
    if not urlsplit(url).scheme.startswith("rediss"):
        return "" if silent else "; if it wants TLS, use rediss://"
    if silent:
        return "; if it does not speak TLS there, use redis://"
    return (
        "" if "ssl_certfile=" in url else "; if it wants a certificate of ours, name it with ssl_certfile, ssl_keyfile"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, MasterNotFoundError):
        return "none of its Sentinels answers, or none knows that service"
    return str(error).rstrip(".") or type(error).__name__
