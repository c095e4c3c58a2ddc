"""Odd messages on Redis' channels: whoever hears them goes on, and looks into Redis for what is true."""

from websockets.sync.client import connect

from tests.processes import Process, wait_until
from tests.security.attacks import Attacks, Tries, into
from tests.security.system import OPEN, System

GROUP: Attacks = {}

ODD = [
    b"", b"x", b"null", b"[]", b"{}", b"\xff\xfe", b"\x00", b"a b c d", b"1 2 3 {}", b"e 9 x s{}", b"e -1 -1 s{}",
    b"9" * 5000, b"[" * 100_000, b'{"command":"stop"}', b'{"command":"stop","run":null}', b'{"command":["stop"]}',
    b'{"command":"stop","command_id":1,"session_id":2,"run":{},"requested_at":[]}', b'{"type":"init"}',
    b"x" * 1_000_000,
]  # fmt: skip


@into(GROUP, "odd-message", "what is no message, on the channels of the bus, of a session and of a probe")
def odd_message(system: System, tries: Tries) -> None:
    session_id = "s-odd-messages"
    environment = {"REDIS_URL": system.redis_url, "AGENT_ORCHESTRATOR_NAMESPACE": OPEN.namespace}
    log = system.folder / "odd-agent.log"
    url = f"{system.coordinator.url}/sessions/{session_id}"
    with Process(["-m", "tests.agent_program", "obedient", session_id], environment, log) as agent:
        system.processes.append(agent)
        wait_until(lambda: "entered" in agent.output, "the agent to enter")
        with connect(f"{system.coordinator.ws_url}?session_id={session_id}", max_size=None) as browser:
            browser.recv(timeout=30)
            probes = [channel.decode() for channel in system.database.pubsub_channels(f"{OPEN.namespace}:probe:*")]
            assert probes, "the coordinator hears itself on a channel"
            for channel in (OPEN.live, OPEN.control(session_id), *probes):
                for odd in ODD:
                    heard = system.database.publish(channel, odd)
                    tries.harmless(f"{odd[:20]!r} on {channel}", "heard, and left", held=heard > 0)
            assert system.report(session_id, event_type="message", text="after the odd ones").is_success
            while "after the odd ones" not in str(browser.recv(timeout=30)):
                pass
            tries.control("the browser gets what comes after", works=True)
        ready = system.client.get(f"{system.coordinator.url}/ready").json()["status"]
        tries.control("the coordinator is ready", works=ready == "ready")
        presence = system.client.get(url).json()["presence"]
        tries.control("the agent is connected", works=presence == "connected")
        # The wait is a tenth of a second here: the confirmation may come behind the answer.
        system.client.post(f"{url}/stop")
        wait_until(lambda: system.client.get(url).json()["stop_confirmed"], "the agent to confirm its stop")
        tries.control("the agent can be stopped", works=agent.popen.wait(30) == 3)
