"""A network between the system and its Redis that is cut, slow, or says nothing."""

from tests.faults.faults import Fault
from tests.faults.system import Layout
from tests.faults.workload import until

SLOW_SECONDS = 0.2


class NetworkFault(Fault):
    """Everybody reaches Redis through the proxy."""

    layout = Layout(proxied="everyone")

    async def healed(self) -> None:
        """The workers have found back, too."""
        await until(self.system.tags_are_materialised, "the tags to be materialised")


class ConnectionsDropped(NetworkFault):
    """All connections at once, in the middle of whatever goes over them."""

    name = "connections-dropped"
    title = "every connection to Redis cut"
    holds_seconds = (0.0, 0.3)

    async def inject(self) -> None:
        """Cuts them, and once more while they come back."""
        self.system.proxy.cut()
        await self.load.lasting(self.rng.uniform(0, 0.2))
        self.system.proxy.cut()

    async def heal(self) -> None:
        """New ones are let through all along."""


class SlowNetwork(NetworkFault):
    """Slower, but nothing else: whoever waits is served."""

    name = "slow-network"
    title = "200 ms to Redis and back"
    holds_seconds = (2.0, 4.0)

    async def inject(self) -> None:
        """Slows it down."""
        self.system.proxy.delay_seconds = SLOW_SECONDS / 2

    async def look(self) -> None:
        """Events are taken and relayed."""
        await self.load.comes_through()

    async def heal(self) -> None:
        """Makes it fast again."""
        self.system.proxy.delay_seconds = 0.0


class HalfOpen(NetworkFault):
    """As when a router forgets: both ends wait for each other, and nothing tells them."""

    name = "half-open"
    title = "every connection to Redis silent for good, new ones let through"
    holds_seconds = (0.0, 0.0)
    once = True

    async def inject(self) -> None:
        """Has nothing pass any more over the connections that there are."""
        self.system.proxy.forget()

    async def heal(self) -> None:
        """New ones are let through all along."""


class RedisPartition(NetworkFault):
    """Nothing passes, and new connections are not answered either."""

    name = "redis-partition"
    title = "everybody cut off from Redis without a word"
    holds_seconds = (2.0, 6.0)
    once = True

    async def inject(self) -> None:
        """Cuts everybody off."""
        self.system.proxy.sever()

    async def heal(self) -> None:
        """Connects them again; connections from before stay silent."""
        self.system.proxy.mend()
