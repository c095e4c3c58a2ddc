"""Addresses as people and programs use them, from where a server listens."""

from agent_bus.settings import LOOPBACK_HOSTS, Settings

# To listen on these is to listen on every address of the machine.
EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


def base_url(host: str, port: int) -> str:
    """The address under which a person on this machine reaches a server that listens on `host`."""
    name = "localhost" if host in (*LOOPBACK_HOSTS, *EVERYWHERE) else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def public_url(settings: Settings, host: str, port: int) -> str:
    """What documents' addresses begin with: as configured, else where the server listens."""
    if "document_server_public_url" in settings.model_fields_set:
        return settings.document_server_public_url
    return base_url(host, port)


def dashboard_url(settings: Settings, host: str, port: int) -> str:
    """Where people open the dashboard: as configured, else where the coordinator listens."""
    return settings.dashboard_url if "dashboard_url" in settings.model_fields_set else base_url(host, port)
