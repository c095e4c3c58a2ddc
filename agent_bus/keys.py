"""Every Redis key and channel, in one place. Ids are data: they end a key and are never read as a pattern."""

from dataclasses import dataclass

DEFAULT_NAMESPACE = "ao"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one namespace; two namespaces on one Redis know nothing of each other."""

    namespace: str = DEFAULT_NAMESPACE

    # The bus.
    @property
    def counter(self) -> str:
        """String: the number of the newest message."""
        return f"{self.namespace}:bus:seq"

    @property
    def epoch(self) -> str:
        """String: names the past that the counter counts."""
        return f"{self.namespace}:bus:epoch"

    @property
    def contract(self) -> str:
        """String: the newest version of the bus's contract that a process has spoken; see `agent_bus.contract`."""
        return f"{self.namespace}:bus:contract"

    @property
    def stream(self) -> str:
        """Stream: the newest messages, replayable by number."""
        return f"{self.namespace}:bus"

    @property
    def live(self) -> str:
        """Channel: every message as it is made."""
        return f"{self.namespace}:live"

    def probe(self, reader: str) -> str:
        """Channel on which a subscriber hears itself, to know that it still hears."""
        return f"{self.namespace}:probe:{reader}"

    @property
    def replication_probe(self) -> str:
        """Channel that nobody hears. What is published goes to replicas, and WAIT then speaks of all before it."""
        return self.probe("replication")

    # Sessions.
    @property
    def session_prefix(self) -> str:
        """What the key of a session's hash begins with."""
        return f"{self.namespace}:session:"

    def session(self, session_id: str) -> str:
        """Hash: the session; its fields are listed in `scripts/session.lua`."""
        return f"{self.session_prefix}{session_id}"

    @property
    def history_prefix(self) -> str:
        """What the key of a session's history begins with."""
        return f"{self.namespace}:events:"

    def history(self, session_id: str) -> str:
        """Stream: the session's events, never trimmed behind the user's back."""
        return f"{self.history_prefix}{session_id}"

    @property
    def archived(self) -> str:
        """Sorted set: the archive's objects; those in use at infinity, others by the moment (ms) they ceased to be."""
        return f"{self.namespace}:archived"

    @property
    def sessions(self) -> str:
        """Sorted set: session ids by creation (µs)."""
        return f"{self.namespace}:sessions"

    def sessions_of_status(self, status: str) -> str:
        """Sorted set: the ids of the sessions in a status, by creation."""
        return f"{self.sessions}:status:{status}"

    def sessions_of_agent(self, agent_name: str) -> str:
        """Sorted set: the ids of an agent's sessions, by creation."""
        return f"{self.sessions}:agent:{agent_name}"

    def statistics(self, start: int) -> str:
        """Hash, expiring: what was counted from a moment on (s since 1970); see `scripts/statistics.lua`."""
        return f"{self.sessions}:statistics:{start}"

    @property
    def leases(self) -> str:
        """Sorted set: session ids by the moment (ms) their bridge's lease lapses."""
        return f"{self.namespace}:leases"

    @property
    def halted(self) -> str:
        """Sorted set: session ids by the moment (ms) a hook told their program not to go on."""
        return f"{self.namespace}:halted"

    def control(self, session_id: str) -> str:
        """Channel: wakes the bridge of a session; what it must do stands in the session."""
        return f"{self.namespace}:control:{session_id}"

    def produced(self, producer: str) -> str:
        """String, expiring: how far a bridge's own count of events has been accepted."""
        return f"{self.namespace}:produced:{producer}"

    @property
    def restoration(self) -> str:
        """Hash, while a backup is being restored: `backup` (its id) and `done` (how many of its entries are there)."""
        return f"{self.namespace}:restoration"

    # Access.
    def ticket(self, digest: str) -> str:
        """String, expiring: whom a one-time ticket was given to; the ticket is named by its hash."""
        return f"{self.namespace}:ticket:{digest}"

    @property
    def servers_check(self) -> str:
        """Never there; the servers' user may look at it, and those of the other parts may not."""
        return self.ticket("check")

    @property
    def workers_check(self) -> str:
        """Never there; the workers' user may look at it, and those of the other parts may not."""
        return self.due("check")

    # Documents and tags.
    @property
    def document_prefix(self) -> str:
        """What the key of a document's hash begins with."""
        return f"{self.namespace}:document:"

    def document(self, document_id: str) -> str:
        """Hash: what describes a document."""
        return f"{self.document_prefix}{document_id}"

    @property
    def documents(self) -> str:
        """Sorted set: document ids by creation."""
        return f"{self.namespace}:documents"

    @property
    def filenames(self) -> str:
        """Hash: document id to file name, for filtering by name."""
        return f"{self.namespace}:documents:filenames"

    @property
    def tag_prefix(self) -> str:
        """What the key of a tag's sorted set begins with."""
        return f"{self.namespace}:tag:"

    def tag(self, name: str) -> str:
        """Sorted set: the ids of the documents with a tag, by creation."""
        return f"{self.tag_prefix}{name}"

    @property
    def tags(self) -> str:
        """Set: the names of the tags in use."""
        return f"{self.namespace}:tags"

    @property
    def tags_version(self) -> str:
        """String: grows with every change of any document's tags."""
        return f"{self.namespace}:tags:version"

    @property
    def tags_pending(self) -> str:
        """String, expiring: a job that will look at the newest tags is on its way."""
        return f"{self.namespace}:tags:pending"

    @property
    def tags_aggregate(self) -> str:
        """Hash: `version` and `tags`, the sorted counts as JSON at that version."""
        return f"{self.namespace}:tags:aggregate"

    def due(self, job: str) -> str:
        """String, expiring: a periodic job ran lately; while it lives the job is not due."""
        return f"{self.namespace}:due:{job}"

    # Blueprints.
    @property
    def blueprints(self) -> str:
        """Hash: agent name to blueprint as JSON."""
        return f"{self.namespace}:agents"

    @property
    def deleted_blueprints(self) -> str:
        """Set: names deleted by a person, so that a folder on disk does not bring them back at the next start."""
        return f"{self.namespace}:agents:deleted"
