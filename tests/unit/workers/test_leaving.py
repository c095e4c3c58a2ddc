import threading

import pytest

from workers.leaving import end_in_time


def test_a_process_that_is_told_to_stop_ends_though_it_waits(caplog: pytest.LogCaptureFixture) -> None:
    stop, codes = threading.Event(), []
    thread = end_in_time(stop, 0.0, codes.append)
    assert not codes
    stop.set()
    thread.join(20)
    assert codes == [0]
    assert "did not let the worker sign off" in caplog.text
