"""Who may do what in Redis: a user for each part, with the keys, channels and commands that it needs, and no others.

What a script calls is measured by its caller's rights, so each user also has what its scripts call. Before Redis 7 a
user has one set of keys and one of commands; from 7 on a command can be tied to the keys that it is needed for. That is
done for bridges: they run beside agents, and an agent's word is the last to trust.
"""

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rq import Queue
from rq.command import PUBSUB_CHANNEL_TEMPLATE
from rq.defaults import RQ_KEY_PREFIX
from rq.job import Job
from rq.worker import BaseWorker
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

from agent_bus.jobs import queue_names
from agent_bus.keys import Keys

# A user can have several pairs of keys and commands from here on.
SELECTORS_SINCE = (7,)
_PASSWORD_BYTES = 32
DEFAULT = "default"
"""The user that a connection without credentials is."""


class User(StrEnum):
    """The users of one namespace."""

    API = "api"
    """The coordinators and the document servers, and whoever looks after the system at a command line."""
    WORKER = "worker"
    """The workers."""
    BRIDGE = "bridge"
    """What runs beside agents: bridges and watchers. They may report and hold any session, and nothing else."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Commands that may be used on some keys and channels, which are given as Redis' patterns."""

    commands: tuple[str, ...]
    keys: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join(
            (
                "resetkeys resetchannels -@all",
                *(f"~{pattern}" for pattern in self.keys),
                *(f"&{pattern}" for pattern in self.channels),
                *(f"+{command}" for command in self.commands),
            )
        )


# To be a client of ours at all. The scripts' keys must be the user's as well, so this goes with all of them.
_SCRIPTS = ("client|setname", "evalsha", "script|load", "time", "wait")

_API_COMMANDS = (
    *_SCRIPTS,
    *("info", "ping", "multi", "exec"),
    *("del", "exists", "expire", "expireat", "get", "mget", "pexpire", "scan", "set", "type", "incr"),
    *("unlink", "hdel", "hexists", "hget", "hgetall", "hincrby", "hmget", "hscan", "hset", "hvals"),
    *("llen", "rpush"),
    *("sadd", "sismember", "smembers", "srem"),
    *("xadd", "xlen", "xrange", "xrevrange"),
    *("zadd", "zcard", "zinter", "zrange", "zrangebyscore", "zrem", "zrevrange", "zrevrank", "zscan", "zscore"),
    *("publish", "subscribe"),
)

_WORKER_COMMANDS = (
    *_SCRIPTS,
    *("client|info", "script|exists", "info", "ping", "multi", "exec", "watch", "unwatch"),
    *("del", "exists", "expire", "get", "incr", "mget", "persist", "rename", "scan", "set", "type", "unlink"),
    *("hdel", "hexists", "hget", "hgetall", "hincrby", "hincrbyfloat", "hmget", "hscan", "hset"),
    *("blmove", "blpop", "llen", "lmove", "lpop", "lpos", "lpush", "lrange", "lrem", "rpush"),
    *("sadd", "scard", "smembers", "srem"),
    *("xadd", "xlen", "xrange", "xrevrange"),
    *("zadd", "zcard", "zmscore", "zrange", "zrangebyscore", "zrem", "zremrangebyscore", "zscan", "zscore"),
    *("publish", "subscribe", "unsubscribe"),
)


def _bus(keys: Keys) -> tuple[str, ...]:
    return keys.counter, keys.epoch, keys.stream, keys.contract


def _sessions(keys: Keys) -> tuple[str, ...]:
    beside = keys.sessions_of_status("*"), keys.sessions_of_agent("*"), f"{keys.sessions}:statistics:*"
    return keys.session("*"), keys.history("*"), keys.sessions, *beside, keys.leases


def _documents(keys: Keys) -> tuple[str, ...]:
    counts = keys.tags, keys.tags_version, keys.tags_pending, keys.tags_aggregate
    return keys.document("*"), keys.documents, keys.filenames, keys.tag("*"), *counts


def _enqueuing(keys: Keys) -> tuple[str, ...]:
    """RQ's keys for who brings jobs and looks how it goes. Its jobs are named at random, whosever they are."""
    queues = queue_names(keys)
    return (
        Queue.redis_queues_keys,
        f"{Job.redis_job_namespace_prefix}*",
        f"{BaseWorker.redis_worker_namespace_prefix}{keys.namespace}-*",
        *(f"{Queue.redis_queue_namespace_prefix}{name}" for name in queues),
        *(WORKERS_BY_QUEUE_KEY % name for name in queues),
        *(f"{RQ_KEY_PREFIX}:failed:{name}" for name in queues),
    )


def _working(keys: Keys) -> tuple[str, ...]:
    """RQ's further keys for who does the jobs."""
    kinds = (
        *("wip", "finished", "deferred", "ready", "scheduled", "canceled"),
        *("scheduler", "scheduler-lock", "clean_registries"),
    )
    own = [f"{RQ_KEY_PREFIX}:{kind}:{name}" for kind in kinds for name in queue_names(keys)]
    between = [f"{Queue.redis_queue_namespace_prefix}{name}:intermediate*" for name in queue_names(keys)]
    # These RQ has but once on a Redis, or names for its jobs.
    shared = [
        REDIS_WORKER_KEYS,
        *(f"{RQ_KEY_PREFIX}:{name}" for name in ("suspended", "groups", "clean_groups", "rl-keys")),
        *(f"{RQ_KEY_PREFIX}:{name}:*" for name in ("execution", "executions", "results")),
    ]
    return *own, *between, *shared


def _bridge(keys: Keys) -> tuple[Grant, ...]:
    bus, index, leases = _bus(keys), keys.sessions, keys.leases
    statistics, produced = f"{index}:statistics:*", keys.produced("*")
    by_facet = keys.sessions_of_status("*"), keys.sessions_of_agent("*")
    return (
        Grant(("get", "mget"), (keys.counter, keys.epoch)),
        Grant(("incr",), (keys.counter,)),
        Grant(("set",), (keys.epoch, keys.contract, produced)),
        Grant(("get",), (keys.contract, produced)),
        Grant(("xadd",), (keys.stream,)),
        Grant(("xadd", "xlen"), (keys.history("*"),)),
        Grant(("hgetall", "hset", "hdel"), (keys.session("*"),)),
        Grant(("zadd",), (index,)),
        Grant(("zadd", "zrem"), (*by_facet, leases)),
        Grant(("hincrby", "hdel", "expire"), (statistics,)),
        Grant(("publish",), channels=(keys.live, keys.replication_probe)),
        Grant(("subscribe",), channels=(keys.control("*"),)),
        # What scripts are called with.
        Grant(_SCRIPTS, (*bus, *_sessions(keys), produced)),
    )


def grants(user: User, keys: Keys) -> tuple[Grant, ...]:
    """What a user may do."""
    shared = *_bus(keys), *_sessions(keys)
    if user is User.BRIDGE:
        return _bridge(keys)
    if user is User.WORKER:
        rq_channel = PUBSUB_CHANNEL_TEMPLATE % f"{keys.namespace}-*"
        own = *_documents(keys), keys.archived, keys.due("*"), *_enqueuing(keys), *_working(keys)
        return (Grant(_WORKER_COMMANDS, (*shared, *own), (keys.live, keys.replication_probe, rq_channel)),)
    # Scripts are told the control channel as if it were a key.
    own = (
        *(keys.halted, keys.control("*"), keys.archived, keys.restoration, keys.ticket("*")),
        *(*_documents(keys), keys.blueprints, keys.deleted_blueprints),
    )
    channels = keys.live, keys.probe("*"), keys.control("*")
    return (Grant(_API_COMMANDS, (*shared, *own, *_enqueuing(keys)), channels),)


def together(some: Iterable[Grant]) -> Grant:
    """One grant of all that several give, for servers that know but one; it is more than their sum."""
    given = list(some)
    return Grant(
        tuple(sorted({command for grant in given for command in grant.commands})),
        tuple(sorted({pattern for grant in given for pattern in grant.keys})),
        tuple(sorted({pattern for grant in given for pattern in grant.channels})),
    )


def new_passwords() -> dict[User, str]:
    """A password for each user: 256 bits drawn at random, in characters that URLs take as they are."""
    return {user: secrets.token_urlsafe(_PASSWORD_BYTES) for user in User}


def acl_file(
    keys: Keys,
    passwords: Mapping[User, str],
    version: tuple[int, ...],
    *,
    database: int = 0,
    open_to_bridges: bool = False,
) -> str:
    """What Redis' `aclfile` holds. The passwords in it are hashes: a slow hash protects what people choose, not these.

    version: the server's, which must not be newer than that which reads the file. database: the one that URLs name.
    open_to_bridges: a connection without credentials may do what bridges may; otherwise it may PING, for health checks.
    """
    users = [
        (user.value, f"#{hashlib.sha256(passwords[user].encode()).hexdigest()}", grants(user, keys)) for user in User
    ]
    users.append((DEFAULT, "nopass", _bridge(keys) if open_to_bridges else (Grant(("ping",)),)))
    more = ("select",) if database else ()
    return "".join(
        f"user {name} on {password} {' '.join(_rules(given, version, more))}\n" for name, password, given in users
    )


def _rules(given: tuple[Grant, ...], version: tuple[int, ...], more: tuple[str, ...]) -> Iterator[str]:
    if version < SELECTORS_SINCE:
        given = (together(given),)
    *selected, general = given
    yield str(Grant((*general.commands, *more), general.keys, general.channels))
    for grant in selected:
        # A selector begins with nothing, and knows no reset.
        yield f"({str(grant).removeprefix('resetkeys resetchannels -@all ')})"
