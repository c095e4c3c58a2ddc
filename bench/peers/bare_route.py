"""The least that accepting an event over HTTP can cost with FastAPI: the body is validated, and that is all.

`GET /` is the bare round trip.
"""

import argparse

import uvicorn
from fastapi import FastAPI

from agent_bus.messages import Event

app = FastAPI()


@app.get("/")
async def root() -> dict[str, bool]:
    return {"ok": True}


@app.post("/events")
async def post(event: Event) -> dict[str, bool]:  # noqa: ARG001 - it is validated, that is all
    return {"ok": True}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--redis-url", help="not used; every peer takes it")
    options = parser.parse_args()
    # As the coordinator is served, see `api/serving.py`.
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=options.port,
        loop="auto",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
    )


if __name__ == "__main__":
    main()
