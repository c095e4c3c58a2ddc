"""The obvious server in one file: FastAPI, a plain `def` route, and SQLite at its defaults with a commit per event.

The connection is shared by the route's threads, one at a time; that is quicker than threads that wait for the file.
"""

import argparse
import sqlite3
import threading
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from agent_bus.messages import Event


def create_app(data: Path) -> FastAPI:
    database = sqlite3.connect(data / "events.sqlite3", check_same_thread=False)
    database.execute(
        "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, session_id TEXT NOT NULL, event TEXT NOT NULL)"
    )
    lock = threading.Lock()
    app = FastAPI()

    @app.get("/")
    async def root() -> dict[str, bool]:
        return {"ok": True}

    @app.post("/events")
    def post(event: Event) -> dict[str, bool]:
        row = (event.session_id, event.model_dump_json(exclude_none=True))
        with lock, database:
            database.execute("INSERT INTO events (session_id, event) VALUES (?, ?)", row)
        return {"ok": True}

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--redis-url", help="not used; every peer takes it")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="where the database lies")
    options = parser.parse_args()
    uvicorn.run(create_app(options.data), host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
