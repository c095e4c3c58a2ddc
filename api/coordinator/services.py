"""What the coordinator's routes work with, opened for as long as the process serves."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.requests import HTTPConnection, Request

from agent_bus.allowances import Allowances
from agent_bus.archive import Archive
from agent_bus.blueprint_folders import import_folders
from agent_bus.blueprints import Blueprints
from agent_bus.bus import Bus
from agent_bus.connection import connect
from agent_bus.event_writer import EventWriter
from agent_bus.events import Events
from agent_bus.hooks import Hooks
from agent_bus.sessions import Sessions
from agent_bus.settings import Settings
from api.background import background
from api.bus_contract import state_contract
from api.coordinator.metrics import CoordinatorMetrics
from api.coordinator.relay import Relay
from api.coordinator.stopping import Stopper
from api.metrics import keep_sampled

logger = logging.getLogger(__name__)

# A killed agent is told of within a lease and this; a stop by hooks is confirmed within their settling time and this.
WATCH_INTERVAL_SECONDS = 0.5
RETRY_SECONDS = 1.0
# How often one session that is over its rate has it looked up whether its agent is to stop.
STOP_LOOKS_PER_SECOND = 1.0


@dataclass(frozen=True, slots=True)
class Services:
    """One replica's parts."""

    settings: Settings
    bus: Bus
    sessions: Sessions
    events: Events
    hooks: Hooks
    writer: EventWriter
    relay: Relay
    stopper: Stopper
    blueprints: Blueprints
    metrics: CoordinatorMetrics
    control: Sessions
    """The sessions by a client of its own, for what must not wait behind anything else."""
    session_events: Allowances
    stop_looks: Allowances
    """How often a session over its rate has it looked up whether its agent is to stop."""


@asynccontextmanager
async def open_services(settings: Settings, metrics: CoordinatorMetrics) -> AsyncIterator[Services]:
    """Connects lazily: with Redis away the process starts all the same, refuses with 503, and heals by itself.

    Events, hooks, and what is asked for by the way each have connections of their own: where one kind floods, its own
    waits. Stops, leases and the subscriber share those that nothing else can keep busy.
    """
    observe = metrics.redis.observe
    redis = connect(settings.redis_url, name="coordinator", on_round_trip=observe)
    reports = connect(settings.redis_url, name="coordinator-hooks", on_round_trip=observe)
    orders = connect(settings.redis_url, name="coordinator-control", on_round_trip=observe)
    once = connect(settings.redis_url, name="coordinator-events", retries=0, max_connections=2, on_round_trip=observe)
    live = connect(settings.redis_url, name="coordinator-live", retries=0, timeout=None, max_connections=2)
    try:

        def bus_on(client: Redis) -> Bus:
            return Bus(client, settings.keys, replay_window=settings.replay_window, replication=settings.replication)

        bus, control_bus, hooks_bus = bus_on(redis), bus_on(orders), bus_on(reports)
        control = Sessions(control_bus)
        relay = Relay(bus, live, init_sessions=settings.init_sessions, control=control_bus)
        services = Services(
            settings=settings,
            bus=bus,
            sessions=Sessions(bus),
            events=Events(bus, Archive.from_settings(settings)),
            hooks=Hooks(hooks_bus),
            writer=EventWriter(bus, once),
            relay=relay,
            stopper=Stopper(control, relay, wait_seconds=settings.stop_wait_seconds, on_stop=metrics.stopped),
            blueprints=Blueprints(bus),
            metrics=metrics,
            control=control,
            session_events=Allowances(settings.session_events_per_second),
            stop_looks=Allowances(STOP_LOOKS_PER_SECOND),
        )
        async with background(
            relay=relay.run(),
            writer=services.writer.run(),
            leases=_watch_agents(control, Hooks(control_bus), settings.hook_settle_seconds),
            blueprints=_import_blueprints(services),
            contract=state_contract(bus),
            metrics=keep_sampled(metrics.registry, lambda: metrics.sample(services)),
        ):
            yield services
    finally:
        for client in (live, once, orders, reports, redis):
            await client.aclose()


async def _watch_agents(sessions: Sessions, hooks: Hooks, settle_seconds: float) -> None:
    """Tells of agents that are gone, and of programs that have obeyed."""
    away = False
    while True:
        try:
            await sessions.lapse_leases()
            await hooks.confirm_halts(settle_seconds)
            away = False
        except (RedisError, OSError) as error:
            if not away:
                logger.warning("agents are not watched while redis is away: %s", error)
            away = True
        await asyncio.sleep(WATCH_INTERVAL_SECONDS)


async def _import_blueprints(services: Services) -> None:
    folder = services.settings.data / "agents"
    if not await asyncio.to_thread(folder.is_dir):
        return
    while True:
        try:
            report = await import_folders(services.blueprints, folder, only_unknown=True)
        except (RedisError, OSError) as error:
            logger.warning("blueprints wait for redis: %s", error)
            await asyncio.sleep(RETRY_SECONDS)
            continue
        if report.created:
            logger.info("imported blueprints: %s", ", ".join(report.created))
        for problem in report.problems:
            logger.warning("blueprint not imported: %s", problem)
        return


def services_of(connection: HTTPConnection) -> Services:
    """The services that the lifespan opened."""
    services = connection.app.state.services
    assert isinstance(services, Services)
    return services


async def _services(request: Request) -> Services:
    # A dependency that is no coroutine would be called in a thread, which costs more than all else in a small request.
    return services_of(request)


WithServices = Annotated[Services, Depends(_services)]
