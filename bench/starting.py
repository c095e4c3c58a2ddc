"""From the command to a system that answers."""

import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bench.rows import Effort, Incorrect, Row, value_row
from tests.processes import REPOSITORY, free_port

PATIENCE_SECONDS = 30.0


def _up(folder: Path) -> float:
    """Seconds until both servers of a fresh project are healthy."""
    folder.mkdir()
    port, documents_port = free_port(), free_port()
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "up", "--project-dir", str(folder), "--port", str(port),
         "--documents-port", str(documents_port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=REPOSITORY,
    )  # fmt: skip
    try:
        for each in (port, documents_port):
            while not _healthy(each):
                if process.poll() is not None or time.perf_counter() > began + PATIENCE_SECONDS:
                    raise Incorrect("`agent-orchestrator up` did not come up")
                time.sleep(0.01)
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    return False


def starting(effort: Effort, folder: Path) -> Iterator[Row]:
    """How long `up` takes."""
    yield value_row(
        "up_to_healthy",
        "agent-orchestrator up, until both servers are healthy",
        [_up(folder / f"project-{number}") for number in range(max(3, effort.runs))],
        target=2.0,
        better="lower",
        unit="s",
    )
