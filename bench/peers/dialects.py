"""How one talks to each of the fan-out peers: what to start, how a browser joins, how something is published.

Each `publish` makes the one Redis command that the peer's own publisher would send, so that the load generator needs
none of the peers' packages. The payload is an ASCII JSON object as text, and reaches clients as:

- Socket.IO and python-socketio: `42["event",PAYLOAD]`, parsed and written anew, so in their own spacing;
- all others: the payload as it was published.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Environment = Literal["node", "project", "peers"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a browser joins a peer, and how something is published to all of them from outside."""

    name: str
    environment: Environment
    """What `python` or `node` in the commands is: the project's environment, or that of `requirements.lock`."""
    command: tuple[str, ...]
    """The program, relative to this folder, without `--port N --redis-url URL`, which it takes besides."""
    path: str
    """Of the WebSocket, with its query."""
    hello: tuple[str, ...]
    """Text frames that a client sends after the WebSocket handshake."""
    greetings: int
    """How many text frames the server sends in all before the flow of broadcasts begins."""
    publish: Callable[[str], tuple[bytes, ...]]
    """Payload to one Redis command, as its arguments."""
    publisher: tuple[str, ...] = ()
    """A second program that must run for `publish` to work; it takes `--redis-url URL` only."""


SOCKET_IO_PATH = "/socket.io/?EIO=4&transport=websocket"
# Joins the default namespace. The server says its settings before, and the connection's id after.
SOCKET_IO_HELLO = ("40",)
SOCKET_IO_GREETINGS = 2


def _socketio(payload: str) -> tuple[bytes, ...]:
    """An entry of the adapter's stream: a broadcast (3) of an event packet (2) to everybody in the default namespace.

    `emitter` is the sender's id that Socket.IO's adapters know as none of their servers. Trimmed as the adapter does.
    """
    data = f'{{"packet":{{"type":2,"data":["event",{payload}]}},"opts":{{"rooms":[],"except":[],"flags":{{}}}}}}'
    return (
        *(b"XADD", b"socket.io", b"MAXLEN", b"~", b"10000", b"*"),
        *(b"uid", b"emitter", b"nsp", b"/", b"type", b"3", b"data", data.encode()),
    )


def _python_socketio(payload: str) -> tuple[bytes, ...]:
    """The message of `AsyncRedisManager(url, write_only=True).emit("event", payload)`."""
    message = (
        f'{{"method": "emit", "event": "event", "data": [{payload}], "binary": false, "namespace": "/", "room": null, '
        '"skip_sid": null, "callback": null, "host_id": "00000000000000000000000000000000"}'
    )
    return (b"PUBLISH", b"socketio", message.encode())


def _channels(payload: str) -> tuple[bytes, ...]:
    """An entry of the list that `channels_publisher.py` reads: the core layer's `group_send` is no plain command."""
    return (b"RPUSH", b"bench:channels:payloads", payload.encode())


def _channels_pubsub(payload: str) -> tuple[bytes, ...]:
    """The pub/sub layer's `group_send` of `{"type": "event.message", "text": payload}`, in MessagePack."""
    text = payload.encode()
    message = b"\x82\xa4type\xadevent.message\xa4text\xdb" + len(text).to_bytes(4, "big") + text
    return (b"PUBLISH", b"asgi__group__events", message)


def _plain(payload: str) -> tuple[bytes, ...]:
    return (b"PUBLISH", b"events", payload.encode())


DIALECTS = {
    dialect.name: dialect
    for dialect in (
        Dialect(
            name="socketio",
            environment="node",
            command=("node", "socketio/server.mjs"),
            path=SOCKET_IO_PATH,
            hello=SOCKET_IO_HELLO,
            greetings=SOCKET_IO_GREETINGS,
            publish=_socketio,
        ),
        Dialect(
            name="channels",
            environment="peers",
            command=("python", "channels_app.py"),
            path="/ws",
            hello=(),
            greetings=0,
            publish=_channels,
            publisher=("python", "channels_publisher.py"),
        ),
        Dialect(
            name="channels_pubsub",
            environment="peers",
            command=("python", "channels_app.py", "--layer", "pubsub"),
            path="/ws",
            hello=(),
            greetings=0,
            publish=_channels_pubsub,
        ),
        Dialect(
            name="python_socketio",
            environment="peers",
            command=("python", "python_socketio_app.py"),
            path=SOCKET_IO_PATH,
            hello=SOCKET_IO_HELLO,
            greetings=SOCKET_IO_GREETINGS,
            publish=_python_socketio,
        ),
        Dialect(
            name="fastapi_pubsub",
            environment="project",
            command=("python", "fastapi_pubsub.py"),
            path="/ws",
            hello=(),
            greetings=0,
            publish=_plain,
        ),
        Dialect(
            name="bare_relay",
            environment="project",
            command=("python", "bare_relay.py"),
            path="/ws",
            hello=(),
            greetings=0,
            publish=_plain,
        ),
    )
}
