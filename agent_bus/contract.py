"""The version of what processes say to each other by way of Redis, so that two that can't work together say so.

`MAJOR` grows when an older process would misread or spoil what a newer one writes; `MINOR` when there is more that an
older one may leave alone: fields, messages, scripts' further arguments. Within a major version all work side by side.
The version in force is a key of the namespace; whoever starts states its own there, unless a newer one is stated.
"""

from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from agent_bus.bus import Bus
from agent_bus.keys import Keys

if TYPE_CHECKING:
    from redis import Redis as ThreadRedis

MAJOR, MINOR = 1, 0
VERSION = f"{MAJOR}.{MINOR}"


class NewerContract(RedisError):
    """A newer version of this software, which this one does not understand, works on the same namespace."""

    def __init__(self, stated: str) -> None:
        super().__init__(
            f"A newer version of this software works on this namespace (its bus contract is {stated}, ours {VERSION}): "
            "upgrade this one, or give it another Redis or AGENT_ORCHESTRATOR_NAMESPACE"
        )


def check(stated: bytes | None) -> None:
    """Raises NewerContract if the version that the namespace's key states is of a newer major."""
    if stated is None:
        return
    text = stated.decode(errors="replace")
    major = text.partition(".")[0]
    # What is no number comes from a version that has changed even that.
    if not (major.isascii() and major.isdigit()) or int(major) > MAJOR:
        raise NewerContract(text[:40])


def look(redis: "ThreadRedis", keys: Keys) -> None:
    """Raises NewerContract if a newer version is stated. Blocks. Raises RedisError with Redis away."""
    stated: Any = redis.get(keys.contract)
    check(stated)


async def state(bus: Bus) -> None:
    """States this version, unless a newer one is stated. Raises NewerContract, or RedisError with Redis away."""
    check(await bus.run("state_contract", (bus.keys.contract,), (MAJOR, MINOR)))
