"""The sockets that servers listen on, taken before anything else is started."""

import errno
import os
import socket
from collections.abc import Sequence

from api.cannot_start import CannotStart


def bind(host: str, port: int, *, option: str = "--port") -> list[socket.socket]:
    """Sockets that listen on every address that `host` names; connections wait until they are served.

    option: what sets the port, for the message.
    Raises CannotStart when the port is taken or the address is not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise CannotStart(f"{host!r} is no address to listen on: give one of this machine's with --host") from error
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    sockets: list[socket.socket] = []
    try:
        for family, address in addresses:
            try:
                sockets.append(_listener(family, address, alone=len(addresses) == 1))
            except OSError as error:
                # `localhost` names ::1 also where IPv6 is switched off; one of its addresses is enough.
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) or (family, address) == addresses[-1]:
                    raise
    except OSError as error:
        close(sockets)
        raise CannotStart(_explain(error, host, port, option)) from error
    return sockets


def inherited(descriptors: Sequence[int]) -> list[socket.socket]:
    """The sockets on which the parent of this process listens too. Raises CannotStart when one is none."""
    try:
        return [socket.socket(fileno=descriptor) for descriptor in descriptors]
    except OSError as error:
        raise CannotStart("--listening names what is no socket: leave it out, and use --processes") from error


# A client that reads slowly frees its window now and then; one that does not for so long does not read at all.
UNREAD_MILLISECONDS = 20_000


def _listener(family: int, address: tuple[object, ...], *, alone: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Connections inherit it: a client that takes nothing at all for so long is let go, as a dead one is.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MILLISECONDS)
        if family == socket.AF_INET6 and not alone:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        # Two servers may bind one port; only the first may listen on it.
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def close(sockets: Sequence[socket.socket]) -> None:
    """Gives the sockets back."""
    for listener in sockets:
        listener.close()


def _explain(error: OSError, host: str, port: int, option: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken: stop what listens there, or choose another port with {option}"
    if error.errno == errno.EACCES:
        return f"this user may not listen on port {port}: choose one above 1023 with {option}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine: give another with --host"
    return f"can't listen on {host}, port {port}: {os.strerror(error.errno or 0)}"
