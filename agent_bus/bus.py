"""The bus: one counter, one replayable stream, one live channel; and how scripts that write to it are called."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from agent_bus.keys import Keys
from agent_bus.replication import NOBODY, Replication
from agent_bus.scripts import script

# Messages kept for readers that come back: at 100 messages/s about 100 s, at 1 KB each about 10 MB.
REPLAY_WINDOW = 10_000

Argument = str | bytes | int


@dataclass(frozen=True, slots=True)
class Position:
    """Where a reader stands: the number of the last message it has, and the epoch that the number belongs to."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class BusMessage:
    """One message: its number, the session it speaks of ('' for none), and its JSON, encoded once and for all."""

    seq: int
    session_id: str
    json: bytes


class NotReplicated(RedisError):
    """Too few replicas have received a write in time. The primary has it; should that fail, it may be lost.

    reply: what the script answered.
    """

    def __init__(self, wanted: Replication, received: object, reply: Any = None) -> None:
        found = f"{received} of {wanted.replicas}" if isinstance(received, int) else f"{received}; {wanted.replicas}"
        super().__init__(
            f"Too few of Redis' replicas have received it within {wanted.timeout_ms} ms ({found} wanted): it may not "
            "be kept; try again shortly"
        )
        self.reply = reply


class Bus:
    """Scripts and positions of one namespace on one Redis."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys | None = None,
        *,
        replay_window: int = REPLAY_WINDOW,
        replication: Replication = NOBODY,
    ) -> None:
        """replication: what `change` and `execute` wait for."""
        self.redis = redis
        self.keys = keys or Keys()
        self.replay_window = replay_window
        self.replication = replication

    def arguments(self, name: str, keys: Sequence[str], args: Sequence[Argument]) -> list[Argument]:
        """EVALSHA's arguments for a script: those that every script shares, then its own."""
        shared_keys = (self.keys.counter, self.keys.stream, self.keys.epoch)
        # A fresh epoch goes with every call, since a script must not draw random numbers; it is rarely taken.
        shared_args = (self.keys.live, self.replay_window, secrets.token_hex(4))
        return [script(name).sha, len(shared_keys) + len(keys), *shared_keys, *keys, *shared_args, *args]

    async def run(self, name: str, keys: Sequence[str], args: Sequence[Argument] = ()) -> Any:
        """Runs a script in one round trip; a server that does not know it yet is taught."""
        arguments = self.arguments(name, keys, args)
        try:
            return await self.redis.execute_command("EVALSHA", *arguments)
        except NoScriptError:
            await self.load(name)
            return await self.redis.execute_command("EVALSHA", *arguments)

    async def change(self, name: str, keys: Sequence[str], args: Sequence[Argument] = ()) -> Any:
        """As `run`, for what somebody is told of as done. Raises NotReplicated where too few replicas have it."""
        if not self.replication.replicas:
            return await self.run(name, keys, args)
        call = self.arguments(name, keys, args)
        (reply,) = await self.execute([call])
        if isinstance(reply, NoScriptError):
            await self.load(name)
            (reply,) = await self.execute([call])
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def execute(self, calls: Sequence[Sequence[Argument]], redis: Redis | None = None) -> list[Any]:
        """What calls of EVALSHA answer, errors among it, in one round trip and with one WAIT for all of them.

        NotReplicated stands for each answer that too few replicas have received. redis: another client than the bus's.
        Raises RedisError.
        """
        replies, received = await self._pipelined(calls, redis or self.redis)
        if self._enough(received):
            return replies
        return [
            reply if isinstance(reply, Exception) else NotReplicated(self.replication, received, reply)
            for reply in replies
        ]

    def _enough(self, received: object) -> bool:
        return isinstance(received, int) and received >= self.replication.replicas

    async def _pipelined(self, calls: Sequence[Sequence[Argument]], redis: Redis) -> tuple[list[Any], object]:
        """What the calls answer, and how many replicas have received it, or why that is not known."""
        wanted = self.replication
        async with redis.pipeline(transaction=False) as pipe:
            for call in calls:
                pipe.execute_command("EVALSHA", *call)
            if wanted.replicas:
                # WAIT speaks of what its own connection has changed. A call that was made before, and whose answer was
                # lost, changes nothing, and others' changes are theirs; what is published goes to the replicas, too.
                pipe.publish(self.keys.replication_probe, b"")
                pipe.execute_command("WAIT", wanted.replicas, wanted.timeout_ms)
            replies: list[Any] = await pipe.execute(raise_on_error=False)
        if not wanted.replicas:
            return replies, 0
        *replies, published, received = replies
        return replies, published if isinstance(published, Exception) else received

    async def settle(self) -> None:
        """Waits until the replicas have received what has been written so far, by whomever. Raises NotReplicated."""
        if not self.replication.replicas:
            return
        _, received = await self._pipelined([], self.redis)
        if not self._enough(received):
            raise NotReplicated(self.replication, received)

    async def load(self, *names: str) -> None:
        """Makes scripts known to the server."""
        for name in names:
            await self.redis.execute_command("SCRIPT LOAD", script(name).text)

    async def due(self, moments: str, *, ago_ms: int = 0, limit: int) -> list[str]:
        """The members of a sorted set of moments (ms) that lie at least so long ago by Redis' clock, oldest first."""
        return [member.decode() for member in await self.run("due", (moments,), (ago_ms, limit))]

    async def position(self) -> Position:
        """The newest message's position. A fresh Redis gets its epoch here, before there is a first message."""
        while True:
            stored: Any = await self.redis.mget(self.keys.epoch, self.keys.counter)
            epoch, seq = stored
            if epoch is not None:
                return Position(epoch.decode(), int(seq or 0))
            # Written only where it is missing: a Redis without memory refuses to write, and is to be read all the same.
            await self.redis.set(self.keys.epoch, secrets.token_hex(4), nx=True)

    async def read(self, after: int, *, limit: int) -> list[BusMessage]:
        """The messages that follow a number, oldest first, as far as the replay window has them.

        The first one's number tells whether the window still reached back to `after`.
        """
        entries: Any = await self.redis.xrange(self.keys.stream, min=f"({after}-0", count=limit)
        return [
            BusMessage(int(entry_id.split(b"-")[0]), fields[b"s"].decode(), fields[b"m"])
            for entry_id, fields in entries
        ]

    async def renew_epoch(self, seen: Position) -> str:
        """Called by a reader that has seen numbers which this Redis does not know; returns the epoch in force."""
        epoch = await self.run("renew_epoch", (), (seen.epoch, seen.seq))
        return bytes(epoch).decode()


def parse_live(payload: bytes) -> tuple[str, BusMessage]:
    """Reads what `emit` in `scripts/bus.lua` publishes: the epoch and the message. Raises ValueError for else."""
    epoch, seq, size, rest = payload.split(b" ", 3)
    end = int(size)
    return epoch.decode(), BusMessage(int(seq), rest[:end].decode(), rest[end:])
