"""Users of Redis that ask for what is not theirs: an agent with its bridge's URL, a part, and nobody in particular."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry

from agent_bus.access_rules import SELECTORS_SINCE, User
from agent_bus.connection import with_credentials
from agent_bus.refusals import is_not_permitted
from tests.processes import Process, Server, wait_until
from tests.redis_attacks import (
    API_MAY,
    BRIDGE_MAY_NOT,
    BRIDGE_MAY_NOT_SINCE_SELECTORS,
    KEYS,
    NOT_THEIRS,
    PARTS_MAY_NOT,
    SCRIPTS,
    WORKER_MAY_NOT,
)
from tests.redis_users import GuardedRedis, server_version, start_with
from tests.security.attacks import Attacks, Tries, into
from tests.security.system import System, event

GROUP: Attacks = {}
NOT_PERMITTED, WRONG_PASSWORD = "NOPERM", "WRONGPASS"
ALL_COMMANDS = (
    *BRIDGE_MAY_NOT.values(),
    *(BRIDGE_MAY_NOT_SINCE_SELECTORS if server_version() >= SELECTORS_SINCE else ()),
)
# Scripts can't call these at all, whoever runs them.
NOT_IN_SCRIPTS = "not allowed from script"
# Whatever is asked for is asked in the name of a script.
RELAY = "return redis.call(unpack(ARGV))"


@dataclass(frozen=True, slots=True)
class Guarded:
    """A Redis with our users, and a coordinator as its user."""

    redis: GuardedRedis
    coordinator: Server

    def url(self, user: User) -> str:
        """Where that user finds Redis."""
        return str(getattr(self.redis.urls, user))


def guarded(system: System, stack: ExitStack) -> Guarded:
    server = stack.enter_context(GuardedRedis(system.folder / "redis-with-users"))
    system.secrets += server.passwords.values()
    environment = {"AGENT_ORCHESTRATOR_TOKENS_FILE": "", "AGENT_ORCHESTRATOR_TOKEN": ""}
    folder = system.folder / "beside-redis-with-users"
    coordinator = stack.enter_context(Server("coordinator", server.urls.api, folder, environment))
    return Guarded(server, system.watch(coordinator))


def client_of(url: str) -> redis.Redis:
    """A client that asks for nothing by itself, and for everything once: ours would be refused their name, say."""
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0))


def outcome(client: redis.Redis, *command: str) -> str:
    """How Redis takes a command."""
    try:
        client.execute_command(*command)
    except AuthenticationError:
        return WRONG_PASSWORD
    except RedisError as error:
        if is_not_permitted(error):
            return NOT_PERMITTED
        return NOT_IN_SCRIPTS if NOT_IN_SCRIPTS in str(error) else str(error)
    return "done"


@contextmanager
def agent_at_work(system: System, place: Guarded, session_id: str, tries: Tries) -> Iterator[None]:
    """An agent with the same URL, which can be seen and stopped while all this goes on."""
    log = system.folder / f"{session_id}.log"
    environment = {"REDIS_URL": place.url(User.BRIDGE), "AGENT_ORCHESTRATOR_NAMESPACE": KEYS.namespace}
    session = f"{place.coordinator.url}/sessions/{session_id}"
    with Process(["-m", "tests.agent_program", "obedient", session_id], environment, log) as agent:
        system.watch(agent)
        wait_until(lambda: "entered" in agent.output, "the agent to enter")
        yield
        presence = system.client.get(session).json()["presence"]
        tries.control("a bridge at work holds its session", works=presence == "connected")
        system.client.post(f"{session}/stop")
        tries.control("and stops its agent", works=agent.popen.wait(30) == 3)
        wait_until(lambda: system.client.get(session).json()["stop_confirmed"], "the bridge to confirm the stop")


@into(GROUP, "bridge-overreaches", "what an agent can ask Redis for with its bridge's URL")
def bridge_overreaches(system: System, tries: Tries) -> None:
    place = system.beside(guarded)
    with (
        agent_at_work(system, place, "s-beside-overreach", tries),
        client_of(place.url(User.BRIDGE)) as bridge,
        client_of(place.url(User.API)) as api,
    ):
        for command, *arguments in ALL_COMMANDS:
            for spelt in (command, command.lower()):
                tries.refuse(f"{spelt} {' '.join(arguments)}", outcome(bridge, spelt, *arguments), NOT_PERMITTED)
        for user in User:
            # Its own name and another's, with what it knows.
            for password in ("", user.value, place.redis.passwords[User.BRIDGE] if user is not User.BRIDGE else "x"):
                for how in (("AUTH",), ("HELLO", "3", "AUTH")):
                    tried = outcome(bridge, *how, user.value, password)
                    tries.refuse(f"{' '.join(how)} {user}", tried, WRONG_PASSWORD, NOT_PERMITTED)
        for what in API_MAY:
            tries.control("the API may read", works=outcome(api, *BRIDGE_MAY_NOT[what]) == "done")


@into(GROUP, "bridge-script", "a script of a bridge's own that asks for what the bridge may not")
def bridge_script(system: System, tries: Tries) -> None:
    place = system.beside(guarded)
    with (
        agent_at_work(system, place, "s-beside-script", tries),
        client_of(place.url(User.BRIDGE)) as bridge,
        client_of(place.url(User.API)) as api,
    ):
        for body in SCRIPTS:
            sha: Any = bridge.execute_command("SCRIPT LOAD", body)
            tries.refuse(body, outcome(bridge, "EVALSHA", sha, "0"), NOT_PERMITTED)
        relay: Any = bridge.execute_command("SCRIPT LOAD", RELAY)
        for command in ALL_COMMANDS:
            tried = outcome(bridge, "EVALSHA", relay, "0", *command)
            tries.refuse(f"{' '.join(command)}, by a script", tried, NOT_PERMITTED, NOT_IN_SCRIPTS)
        for key in (KEYS.blueprints, KEYS.ticket("x"), KEYS.document("x"), "foreign"):
            tried = outcome(bridge, "EVALSHA", relay, "1", key, "TIME")
            tries.refuse(f"{key} as a script's key", tried, NOT_PERMITTED)
        kept = outcome(bridge, "EVALSHA", relay, "0", "TIME")
        tries.control("a script that asks for no more than the bridge", works=kept == "done")
        written: Any = api.exists(KEYS.ticket("x"), KEYS.ticket("0" * 64)) or api.hexists(KEYS.blueprints, "mine")
        tries.harmless("all of these", "nothing written", held=not written)


@into(GROUP, "nobody-in-redis", "a connection without credentials, or with guessed ones")
def nobody_in_redis(system: System, tries: Tries) -> None:
    place = system.beside(guarded)
    with client_of(place.redis.url) as nobody:
        commands = (*BRIDGE_MAY_NOT.values(), *BRIDGE_MAY_NOT_SINCE_SELECTORS, *PARTS_MAY_NOT, ("GET", KEYS.counter),
                    ("SCRIPT", "LOAD", "return 1"), ("EVALSHA", "0" * 40, "0"), ("SUBSCRIBE", KEYS.control("x")),
                    ("PUBLISH", KEYS.live, "x"), ("MULTI",), ("WAIT", "0", "0"))  # fmt: skip
        for command in commands:
            tries.refuse(" ".join(command), outcome(nobody, *command), NOT_PERMITTED)
        tries.control("it may PING, for health checks", works=outcome(nobody, "PING") == "done")
    for user in User:
        password = place.redis.passwords[user]
        others = [known for other, known in place.redis.passwords.items() if other is not user]
        # What the file of users holds is the hash.
        kept = hashlib.sha256(password.encode()).hexdigest()
        for guess in (user.value, "default", "password", password[:-1], f"{password}x", password.swapcase(), kept,
                      f"#{kept}", *others):  # fmt: skip
            url = with_credentials(place.redis.url, user, guess)
            with client_of(url) as guessing:
                tries.refuse(f"{user} with a wrong password", outcome(guessing, "PING"), WRONG_PASSWORD)
        with client_of(place.url(user)) as known:
            works = outcome(known, "GET", KEYS.counter) == "done"
        tries.control(f"{user} with its own", works=works)


@into(GROUP, "other-part", "a part of the system that asks for what is an administrator's, or is another's user")
def other_part(system: System, tries: Tries) -> None:
    place = system.beside(guarded)
    for user in (User.API, User.WORKER):
        with client_of(place.url(user)) as client:
            for command in (*PARTS_MAY_NOT, *(WORKER_MAY_NOT if user is User.WORKER else ())):
                tries.refuse(f"{user}: {' '.join(command)}", outcome(client, *command), NOT_PERMITTED)
    # Two at a time: each takes a processor for a second.
    with ThreadPoolExecutor(2) as pool:
        folder = system.folder / "not-theirs"
        started = [pool.submit(start_with, place.url(user), part, folder) for part, user in NOT_THEIRS]
    for (part, user), ended in zip(NOT_THEIRS, started, strict=True):
        told = ended.result()
        said = told.returncode == 1 and f"does not permit the user {user} what is needed" in told.stderr
        tries.refuse(f"{part} as {user}", "does not start" if said else told.stderr, "does not start")
        secret = any(password in told.stderr + told.stdout for password in place.redis.passwords.values())
        tries.harmless(f"{part} as {user}", "no password in what it says", held=not secret)
    url = place.coordinator.url
    agent = {"name": "from-api", "description": "", "tags": []}
    tries.control("the API keeps blueprints", works=system.client.post(f"{url}/agents", json=agent).status_code == 201)
    tries.control("takes reports", works=system.client.post(f"{url}/events", json=event("s-api")).status_code == 200)
    tries.control("and is ready", works=system.client.get(f"{url}/ready").status_code == 200)
