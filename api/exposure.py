"""Whom a server lets in: this machine only, unless tokens keep the others out."""

import ipaddress
import socket

from agent_bus.settings import Settings
from api.cannot_start import CannotStart
from api.token_file import TOKENS_FILE_VARIABLE


def is_exposed(host: str) -> bool:
    """Whether other machines may reach what listens on this address."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        # Nothing will listen there; who tries says so.
        return False
    return not all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def refuse_exposed(settings: Settings, host: str, *, insecure: bool) -> None:
    """Raises CannotStart when other machines would be let in without being asked for a token.

    insecure: somebody has said that this is meant.
    """
    if insecure or settings.asks_for_tokens or not is_exposed(host):
        return
    raise CannotStart(
        f"other machines reach {host}, and nobody would be asked for a token: make one with `agent-orchestrator token "
        f"create` and name its file in {TOKENS_FILE_VARIABLE}, listen on 127.0.0.1, or say --insecure if something in "
        "front of it decides who gets in"
    )
