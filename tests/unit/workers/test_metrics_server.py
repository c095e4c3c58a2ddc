import os
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.metrics import read_metrics
from workers.metrics import Pulse, WorkerMetrics
from workers.metrics_server import serve


@pytest.fixture
def pulse() -> Pulse:
    return Pulse(threading.Event(), lambda: None)


@pytest.fixture
def port(pulse: Pulse) -> Iterator[int]:
    server = serve("127.0.0.1", 0, WorkerMetrics(), pulse)
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_each_path_has_its_answer(port: int, pulse: Pulse) -> None:
    url = f"http://127.0.0.1:{port}"
    assert read_metrics(url).value("process_open_fds") > 0
    assert httpx.get(f"{url}/health").json()["status"] == "healthy"
    assert httpx.get(f"{url}/ready").status_code == 503
    pulse.beat()
    assert httpx.get(f"{url}/ready").json()["status"] == "ready"
    assert "detail" in httpx.get(f"{url}/").json()


def test_a_client_that_says_nothing_holds_nobody_up(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)):
        assert httpx.get(f"http://127.0.0.1:{port}/health", timeout=30).status_code == 200


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_jobs_process_does_not_keep_the_port() -> None:
    """The race: the worker is killed, its job lives on, and the next worker finds the port taken."""
    server = serve("127.0.0.1", 0, WorkerMetrics(), Pulse(threading.Event(), lambda: None))
    descriptor = server.socket.fileno()
    child = os.fork()
    if child == 0:
        try:
            os.fstat(descriptor)
        except OSError:
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    server.shutdown()
    server.server_close()
    assert os.waitstatus_to_exitcode(status) == 0
