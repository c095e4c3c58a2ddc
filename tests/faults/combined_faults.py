"""Two faults at once."""

from tests.faults.faults import Fault
from tests.faults.network_faults import ConnectionsDropped, RedisPartition, SlowNetwork
from tests.faults.process_faults import CoordinatorKilled
from tests.faults.redis_faults import RedisFrozen, RedisKilled
from tests.faults.system import Layout

OF_REDIS: tuple[type[Fault], ...] = (RedisKilled, RedisFrozen, ConnectionsDropped, SlowNetwork, RedisPartition)


class CoordinatorAndRedis(Fault):
    """A coordinator dies while Redis is away, frozen, slow or cut off."""

    name = "coordinator-and-redis"
    title = "a coordinator, SIGKILL, while Redis is in trouble"
    layout = Layout(proxied="everyone")

    async def inject(self) -> None:
        """Begins both, the trouble of Redis first."""
        kinds = (self.rng.choice(OF_REDIS), CoordinatorKilled)
        self._faults = [kind(self.system, self.load, self.rng) for kind in kinds]
        for fault in self._faults:
            await fault.inject()
            await self.load.lasting(self.rng.uniform(0, 0.5))

    async def heal(self) -> None:
        """Ends both, in one order or the other."""
        for fault in self.rng.sample(self._faults, len(self._faults)):
            await fault.heal()
