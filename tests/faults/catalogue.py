"""All faults, by name, in the order of the table."""

from tests.faults.agent_faults import AgentBlocked, AgentFrozen, AgentKilled, LaptopSuspended, PartitionInStop
from tests.faults.client_faults import BrokenUploads, SlowClients, StalledDownloads
from tests.faults.combined_faults import CoordinatorAndRedis
from tests.faults.disk_faults import AofDiskFull, BlobDiskFull
from tests.faults.faults import Fault
from tests.faults.network_faults import ConnectionsDropped, HalfOpen, RedisPartition, SlowNetwork
from tests.faults.process_faults import (
    ClocksMoved,
    CoordinatorEnded,
    CoordinatorKilled,
    DocumentsKilled,
    RollingRestart,
)
from tests.faults.redis_faults import OutOfMemory, PastLost, RedisFrozen, RedisKilled
from tests.faults.sentinel_faults import (
    Failover,
    FencedPrimary,
    FrozenPrimary,
    ReplicatedFailover,
    ReplicatedFrozenPrimary,
)
from tests.faults.version_faults import IncompatibleVersion, NewerVersion
from tests.faults.worker_faults import NoWorkers, PoisonedJobs, WorkerKilled, WorkersCutOff

SECONDS_VARIABLE = "AGENT_ORCHESTRATOR_FAULT_SECONDS"
# Each fault once or twice.
SHORT_SECONDS = 3.0

# A selection with a fault of each layer, for every change: about a minute and a half on two busy processors.
SHORT = (
    "redis-killed", "out-of-memory", "coordinator-killed", "documents-killed", "worker-killed",
    "newer-version", "connections-dropped", "partition-in-stop",
)  # fmt: skip

FAULTS: dict[str, type[Fault]] = {
    fault.name: fault
    for fault in (
        CoordinatorKilled,
        RedisKilled,
        CoordinatorEnded,
        RollingRestart,
        DocumentsKilled,
        ClocksMoved,
        RedisFrozen,
        WorkerKilled,
        NoWorkers,
        WorkersCutOff,
        PoisonedJobs,
        AgentKilled,
        AgentFrozen,
        LaptopSuspended,
        AgentBlocked,
        PartitionInStop,
        ConnectionsDropped,
        SlowNetwork,
        HalfOpen,
        RedisPartition,
        OutOfMemory,
        PastLost,
        Failover,
        FrozenPrimary,
        FencedPrimary,
        ReplicatedFailover,
        ReplicatedFrozenPrimary,
        BrokenUploads,
        StalledDownloads,
        SlowClients,
        BlobDiskFull,
        AofDiskFull,
        NewerVersion,
        IncompatibleVersion,
        CoordinatorAndRedis,
    )
}
