"""Publishes to Django Channels from outside: a process of its own that calls `group_send`, as the documentation has it.

`group_send` reads the group's members and adds to a queue of each server process, which no plain Redis command does. So
payloads come over a Redis list, and each is sent on before the next is taken; that costs a payload one more hop.
"""

import argparse
import asyncio

from channels_redis.core import RedisChannelLayer
from redis.asyncio import Redis

GROUP = "events"
PAYLOADS = "bench:channels:payloads"


async def publish(redis_url: str) -> None:
    layer = RedisChannelLayer(hosts=[redis_url])
    # It waits on the list for as long as it takes.
    redis = Redis.from_url(redis_url, decode_responses=True, socket_timeout=None)
    while True:
        _, payload = await redis.blpop([PAYLOADS])
        await layer.group_send(GROUP, {"type": "event.message", "text": payload})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis-url", required=True)
    asyncio.run(publish(parser.parse_args().redis_url))


if __name__ == "__main__":
    main()
