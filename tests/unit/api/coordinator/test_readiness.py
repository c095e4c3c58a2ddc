import asyncio
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from api.coordinator import readiness
from api.coordinator.readiness import checks
from api.coordinator.services import Services


class Replica:
    """A replica whose parts are as a test says."""

    def __init__(self, *, ready: bool = True, draining: bool = False) -> None:
        self.bus = self.redis = self.relay = self
        self.ready, self.draining = ready, draining
        self.error: Exception | None = None
        self.hangs = False

    async def ping(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.error:
            raise self.error


@pytest.fixture(autouse=True)
def contract(monkeypatch: pytest.MonkeyPatch) -> None:
    """See `api.bus_contract`."""

    async def ok(_: object) -> str:
        return "ok"

    monkeypatch.setattr(readiness, "contract", ok)


async def found(replica: Replica) -> dict[str, str]:
    return await checks(cast(Services, cast(Any, replica)))


async def test_all_is_well() -> None:
    assert await found(Replica()) == {"redis": "ok", "contract": "ok", "subscription": "ok", "draining": "ok"}


async def test_each_thing_that_is_missing_is_named() -> None:
    replica = Replica(ready=False, draining=True)
    replica.error = RedisConnectionError("refused at 10.0.0.5:6379")
    assert await found(replica) == {
        "redis": "Redis does not answer: the log of the server says why",
        "contract": "ok",
        "subscription": "The bus subscription is being renewed",
        "draining": "The process is going down",
    }


async def test_a_redis_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "PATIENCE_SECONDS", 0.01)
    replica = Replica()
    replica.hangs = True
    assert (await found(replica))["redis"] == "Redis does not answer: no answer in time"
