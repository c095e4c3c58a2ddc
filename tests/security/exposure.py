"""Other machines."""

from tests.processes import Process, free_port
from tests.security.attacks import Attacks, Tries, into
from tests.security.system import System
from tests.security.tokens import started

GROUP: Attacks = {}
# No machine's own (RFC 5737), so nothing is ever opened to others here.
NOT_HERE = "192.0.2.1"
EVERYWHERE = ("0.0.0.0", "::", NOT_HERE)  # noqa: S104 - asked for, and refused


@into(GROUP, "listening-everywhere", "servers that listen on all addresses and ask for no token")
def listening_everywhere(system: System, tries: Tries) -> None:
    none = {"AGENT_ORCHESTRATOR_TOKENS_FILE": "", "AGENT_ORCHESTRATOR_TOKEN": ""}
    for host in EVERYWHERE:
        tries.refuse(f"--host {host}", started(system, none, "--host", host), "does not start")
    log = system.folder / "metrics.log"
    arguments = ["-m", "api.cli", "worker", "--redis-url", system.redis_url, "--metrics-port", str(free_port())]
    with Process([*arguments, "--metrics-host", EVERYWHERE[0]], none, log) as worker:
        status = worker.popen.wait(30)
        said = "does not start" if status == 1 and "--insecure" in worker.output else worker.output
        tries.refuse("a worker's metrics", said, "does not start")
    # What stops this one is that the address is not this machine's.
    guarded = {"AGENT_ORCHESTRATOR_TOKENS_FILE": str(system.tokens_file)}
    started(system, guarded, "--host", NOT_HERE)
    said = (system.folder / "not-started.log").read_text()
    tries.control("with tokens it listens anywhere", works="not an address of this machine" in said)
