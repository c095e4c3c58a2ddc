"""Django Channels under Daphne: what a Django project takes. One consumer, one group, a channel layer on Redis.

Everything is at its default. Of what a process has not yet taken, the core layer keeps 100 messages and drops the rest.
"""

import argparse
from typing import Any

import django
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server
from django.conf import settings
from django.urls import path

GROUP = "events"
LAYERS = {
    "core": "channels_redis.core.RedisChannelLayer",
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
}


class Events(AsyncWebsocketConsumer):
    """One browser."""

    async def connect(self) -> None:
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:  # noqa: ARG002 - so it is called
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def event_message(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["text"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--redis-url", required=True)
    parser.add_argument("--layer", choices=LAYERS, default="core")
    options = parser.parse_args()

    # redis-py's default socket timeout since its version 8 is as long as the core layer's blocking read, and wins.
    host = {"address": options.redis_url, "socket_timeout": None}
    layer = {"BACKEND": LAYERS[options.layer], "CONFIG": {"hosts": [host]}}
    settings.configure(CHANNEL_LAYERS={"default": layer})
    django.setup()
    application = ProtocolTypeRouter({"websocket": URLRouter([path("ws", Events.as_asgi())])})
    Server(application, build_endpoint_description_strings(host="127.0.0.1", port=options.port)).run()


if __name__ == "__main__":
    main()
