"""What each user of Redis may not do, in the default namespace: for tests of the rights, and for `make security`."""

from agent_bus.access_rules import User
from agent_bus.jobs import TAGS, queue_key
from agent_bus.keys import Keys

KEYS = Keys()

Command = tuple[str, ...]

BRIDGE_MAY_NOT: dict[str, Command] = {
    "read a document": ("HGETALL", KEYS.document("0" * 32)),
    "list documents": ("ZREVRANGE", KEYS.documents, "0", "-1"),
    "read blueprints, with the secrets in them": ("HGETALL", KEYS.blueprints),
    "write a blueprint": ("HSET", KEYS.blueprints, "mine", "{}"),
    "copy blueprints to where it may read": ("COPY", KEYS.blueprints, KEYS.session("x"), "REPLACE"),
    "take blueprints as they are kept": ("DUMP", KEYS.blueprints),
    "send blueprints to another server": ("MIGRATE", "127.0.0.1", "1", KEYS.blueprints, "0", "1"),
    "read a ticket": ("GET", KEYS.ticket("0" * 64)),
    "write a ticket": ("SET", KEYS.ticket("0" * 64), "operator"),
    "delete the index of sessions": ("DEL", KEYS.sessions),
    "rename the index of sessions": ("RENAME", KEYS.sessions, KEYS.session("x")),
    "empty the index of sessions": ("ZREMRANGEBYRANK", KEYS.sessions, "0", "-1"),
    "list sessions": ("ZREVRANGE", KEYS.sessions, "0", "-1"),
    "delete a session": ("UNLINK", KEYS.session("x"), KEYS.history("x")),
    "trim a history": ("XTRIM", KEYS.history("x"), "MAXLEN", "0"),
    "read a history": ("XRANGE", KEYS.history("x"), "-", "+"),
    "read the bus": ("XRANGE", KEYS.stream, "-", "+"),
    "delete the bus": ("DEL", KEYS.stream),
    "change the configuration": ("CONFIG", "SET", "maxmemory", "1"),
    "read the configuration, with passwords in it": ("CONFIG", "GET", "*"),
    "empty the server": ("FLUSHALL",),
    "empty the database": ("FLUSHDB",),
    "list keys": ("KEYS", "*"),
    "walk through keys": ("SCAN", "0"),
    "run a script of one's own": ("EVAL", "return 1", "0"),
    "name keys of others to a script": ("EVALSHA", "0" * 40, "1", KEYS.blueprints),
    "forget all scripts": ("SCRIPT", "FLUSH"),
    "stop the server": ("SHUTDOWN", "NOSAVE"),
    "stall the server": ("CLIENT", "PAUSE", "1000"),
    "have the server write all to disk": ("SAVE",),
    "make it a replica": ("REPLICAOF", "localhost", "1"),
    "become a replica": ("PSYNC", "?", "-1"),
    "watch others' commands": ("MONITOR",),
    "read slow commands, with what was in them": ("SLOWLOG", "GET"),
    "list clients": ("CLIENT", "LIST"),
    "throw others out": ("CLIENT", "KILL", "TYPE", "normal"),
    "list users": ("ACL", "LIST"),
    "make a user": ("ACL", "SETUSER", "mine", "on", "nopass", "+@all"),
    "ask about the server": ("INFO",),
    "leave for another database": ("SELECT", "1"),
    "read RQ's queue": ("LRANGE", queue_key(KEYS, TAGS), "0", "-1"),
    "enqueue a job": ("RPUSH", queue_key(KEYS, TAGS), "job"),
    "write a job": ("HSET", "rq:job:mine", "data", "x"),
    "read another namespace": ("HGETALL", Keys("other").session("x")),
    "publish as RQ": ("PUBLISH", "rq:pubsub:worker", "{}"),
    "publish a replica's probe": ("PUBLISH", KEYS.probe("x"), ""),
    "publish to another namespace": ("PUBLISH", Keys("other").live, ""),
    "listen to others": ("PSUBSCRIBE", "*"),
}
API_MAY = (
    "read a document", "list documents", "read blueprints, with the secrets in them", "read a ticket", "list sessions",
    "read a history", "read the bus",
)  # fmt: skip
"""What of these the API does and changes nothing by it."""

BRIDGE_MAY_NOT_SINCE_SELECTORS: tuple[Command, ...] = (
    ("SET", KEYS.session("x"), "x"), ("SET", KEYS.sessions, "x"), ("EXPIRE", KEYS.sessions, "0"),
    ("EXPIRE", KEYS.session("x"), "0"), ("ZREM", KEYS.sessions, "x"), ("INCR", KEYS.epoch),
    ("SET", KEYS.counter, "0"), ("XADD", KEYS.session("x"), "*", "e", "x"), ("SUBSCRIBE", KEYS.live),
    ("PUBLISH", KEYS.control("x"), "stop"), ("HDEL", KEYS.sessions, "x"),
)  # fmt: skip
"""Where commands are tied to the keys that they are needed for."""

SCRIPTS = (
    f"return redis.call('HGETALL', '{KEYS.blueprints}')",
    f"return redis.pcall('HGETALL', '{KEYS.blueprints}')",
    f"return redis.call('HSET', '{KEYS.blueprints}', 'mine', 'x')",
    f"return redis.call('SET', '{KEYS.ticket('x')}', 'operator')",
    f"return redis.call('HGETALL', '{KEYS.document('x')}')",
    f"return redis.call('DEL', '{KEYS.sessions}')",
    "return redis.call('FLUSHALL')",
    "return redis.call('KEYS', '*')",
    f"return redis.call('RPUSH', '{queue_key(KEYS, TAGS)}', 'x')",
    "return redis.call('PUBLISH', 'rq:pubsub:x', 'x')",
)
"""Which any user may load, and which do nothing that a bridge may not do itself."""

PARTS_MAY_NOT: tuple[Command, ...] = (
    ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("EVAL", "return 1", "0"), ("CLIENT", "KILL", "ID", "0"),
    ("ACL", "LIST"), ("SHUTDOWN",), ("GET", "foreign"), ("HGETALL", "other:session:x"), ("CLIENT", "LIST"),
)  # fmt: skip
"""What neither the API nor workers may."""

WORKER_MAY_NOT: tuple[Command, ...] = (
    ("GET", KEYS.ticket("x")),
    ("HGETALL", KEYS.blueprints),
    ("PUBLISH", KEYS.control("x"), ""),
)

NOT_THEIRS = (
    ("coordinator", User.WORKER), ("coordinator", User.BRIDGE), ("documents", User.WORKER), ("worker", User.API),
    ("worker", User.BRIDGE),
)  # fmt: skip
"""Parts with a user that is not theirs."""
