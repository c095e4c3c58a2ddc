"""What the environment says, read once when a process starts and handed down from there."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from agent_bus.allowances import SESSION_EVENTS_PER_SECOND
from agent_bus.bus import REPLAY_WINDOW
from agent_bus.connection import check_url
from agent_bus.discovery import DEFAULT_URL, Part, data_folder, find_redis_url
from agent_bus.keys import DEFAULT_NAMESPACE, Keys
from agent_bus.replication import LONGEST_TIMEOUT_MS, MOST_REPLICAS, TIMEOUT_MS, Replication

MIB = 1024 * 1024
# What is no shorter can't be guessed, if it was drawn at random; 128 bits as hexadecimal digits.
SHORTEST_TOKEN = 32
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")

CommaSeparated = Annotated[tuple[str, ...], NoDecode]


def _is_web_address(value: str) -> bool:
    parts = urlsplit(value)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


class Settings(BaseSettings):
    """The settings of one process. `docs/operations.md` has the table for users."""

    model_config = SettingsConfigDict(
        frozen=True, env_prefix="AGENT_ORCHESTRATOR_", extra="ignore", hide_input_in_errors=True
    )

    project_dir: Path = Field(default_factory=Path.cwd)
    """Data lives in its `.agent-orchestrator/`."""
    redis_url: str = Field(default="", validation_alias="REDIS_URL", repr=False)
    """Empty: the project's redis-url file, else the local default."""
    worker_redis_url: str = Field(default="", repr=False)
    """For `up`: the same Redis as its workers' user. Empty: as `redis_url` says."""
    bridge_redis_url: str = Field(default="", repr=False)
    """For `up`: the same Redis as the user of agents, who find it in the redis-url file. Empty: as `redis_url` says."""
    namespace: str = Field(default=DEFAULT_NAMESPACE, pattern=r"^[a-z0-9-]{1,32}$")
    """What all keys begin with; two namespaces share a Redis and nothing else."""
    min_replicas: int = Field(default=0, ge=0, le=MOST_REPLICAS)
    """How many of Redis' replicas must have received what is answered for; 0: none is waited for."""
    replication_timeout_ms: int = Field(default=TIMEOUT_MS, ge=1, le=LONGEST_TIMEOUT_MS)
    """How long they are waited for."""
    cors_origins: CommaSeparated = Field(
        default=("http://localhost:3000", "http://localhost:5173"), validation_alias="CORS_ORIGINS"
    )
    """Web pages, beside the server's own, that may change state and open a WebSocket."""
    allowed_hosts: CommaSeparated = ()
    """Names, beside loopback's, under which the servers may be addressed; `*` allows any."""
    tokens_file: Path | None = None
    """The tokens that requests are measured by. None: no token is asked for, unless there is `token`."""
    token: SecretStr = SecretStr("")
    """The one token, an operator's, where there is no file of tokens; with a file it is for clients only."""
    document_server_public_url: str = Field(
        default="http://localhost:8766", validation_alias="DOCUMENT_SERVER_PUBLIC_URL"
    )
    """What documents' `url` begins with."""
    dashboard_url: str = "http://localhost:8765"
    """Where people open the dashboard; the documents server takes requests from its pages."""
    blob_store_url: str = ""
    """Where documents' bytes go: empty for a folder beside the data, else `s3://bucket/prefix` and the like."""
    stop_wait_seconds: float = Field(default=5.0, ge=0, le=600)
    """How long `POST …/stop` waits for the agent's confirmation."""
    hook_settle_seconds: float = Field(default=1.0, ge=0, le=60)
    """How long a program must have been quiet after a hook told it not to go on, for its stop to count as confirmed."""
    lost_after_seconds: float = Field(default=24 * 3600, ge=1)
    """A run without a bridge and without an event for this long is ended as lost."""
    archive_after_seconds: float = Field(default=24 * 3600, ge=0)
    """A session that is over and has had no event for this long has its history moved to the blob store; 0: never."""
    max_event_bytes: int = Field(default=MIB, ge=1024)
    """The largest body that is not an upload."""
    max_upload_bytes: int = Field(default=256 * MIB, ge=1)
    """The largest file."""
    max_uploads: int = Field(default=32, ge=1)
    """How many uploads a process takes at once; each may hold 20 MB on its way to the store."""
    replay_window: int = Field(default=REPLAY_WINDOW, ge=1)
    """Messages kept for browsers that come back; older ones cost a browser a new `init`."""
    ws_buffer_bytes: int = Field(default=MIB, ge=1024)
    """How far a browser may fall behind before it is let go."""
    init_sessions: int = Field(default=500, ge=1, le=1000)
    """How many of the newest sessions `init` carries."""
    session_events_per_second: int = Field(default=SESSION_EVENTS_PER_SECOND, ge=0)
    """What one session may say, on average over ten seconds; 0 for no limit."""
    token_requests_per_second: int = Field(default=10_000, ge=0)
    """What the holder of one token may ask for, likewise."""
    max_connections: int = Field(default=10_000, ge=1)
    """How many connections without a WebSocket a process takes."""
    max_websockets: int = Field(default=10_000, ge=0)
    """How many WebSockets a process takes."""
    max_bodies_bytes: int = Field(default=256 * MIB, ge=MIB)
    """How much the bodies of all requests under way may take together, uploads left out."""

    @field_validator("cors_origins", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    @field_validator("tokens_file", mode="before")
    @classmethod
    def _absolute_path(cls, value: object) -> object:
        return Path(value).absolute() if isinstance(value, str | Path) and str(value) else None

    @field_validator("token", mode="before")
    @classmethod
    def _bare(cls, value: object) -> object:
        return value.strip() if isinstance(value, str) else value

    @field_validator("token")
    @classmethod
    def _strong(cls, value: SecretStr) -> SecretStr:
        token = value.get_secret_value()
        if token and (len(token) < SHORTEST_TOKEN or not (token.isascii() and token.isprintable()) or " " in token):
            raise ValueError(
                f"must be at least {SHORTEST_TOKEN} characters drawn at random, ASCII and without blanks, "
                "such as `openssl rand -hex 32` prints"
            )
        return value

    @field_validator("redis_url", "worker_redis_url", "bridge_redis_url")
    @classmethod
    def _understood(cls, value: str) -> str:
        return check_url(value) if value else value

    @field_validator("document_server_public_url", "dashboard_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if not _is_web_address(value):
            raise ValueError("must be an absolute URL such as https://documents.example")
        return value.rstrip("/")

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if value != "*" and (not _is_web_address(value) or urlsplit(value).path):
                raise ValueError(f"{value!r} is not an origin such as http://localhost:5173")
        return values

    @property
    def data(self) -> Path:
        """The folder in which this project's data lies."""
        return data_folder(self.project_dir)

    @property
    def dashboard_origins(self) -> tuple[str, ...]:
        """The origins of the dashboard's pages; all of this machine's own names where it is on this machine."""
        url = urlsplit(self.dashboard_url)
        if url.hostname not in LOOPBACK_HOSTS:
            return (f"{url.scheme}://{url.netloc}",)
        port = f":{url.port}" if url.port else ""
        return tuple(f"{url.scheme}://{host}{port}" for host in ("localhost", "127.0.0.1", "[::1]"))

    @property
    def asks_for_tokens(self) -> bool:
        """Whether requests need a token."""
        return self.tokens_file is not None or bool(self.token.get_secret_value())

    @property
    def replication(self) -> Replication:
        """What a write waits for before it counts as kept."""
        return Replication(self.min_replicas, self.replication_timeout_ms)

    @property
    def keys(self) -> Keys:
        """The keys of the namespace."""
        return Keys(self.namespace)

    def with_redis(self, explicit: str | None = None, *, part: Part = "api") -> "Settings":
        """These settings with the Redis to use filled in: the argument, else REDIS_URL, else the project's own.

        part: whose user is to be taken where the project has several.
        """
        environ = {"AGENT_ORCHESTRATOR_PROJECT_DIR": str(self.project_dir), "REDIS_URL": self.redis_url}
        found = find_redis_url(explicit, environ, part=part)
        return self.model_copy(update={"redis_url": check_url(found or DEFAULT_URL)})
