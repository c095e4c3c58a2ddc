"""Moves a process's wall clock by as many seconds as a file says, at any time. Python imports this module by itself.

In force where this folder is in PYTHONPATH and FAULTS_CLOCK_FILE names the file; none, or an empty one, moves nothing.
As when a machine was asleep, or its clock is set: what goes by `time.monotonic` is not moved.
"""

import os
import time

_file = os.environ["FAULTS_CLOCK_FILE"]
_seconds, _nanoseconds = time.time, time.time_ns


def _moved_by() -> float:
    try:
        with open(_file, encoding="ascii") as file:  # noqa: PTH123 - before anything else is imported
            return float(file.read() or 0)
    except FileNotFoundError:
        return 0.0


time.time = lambda: _seconds() + _moved_by()
time.time_ns = lambda: _nanoseconds() + round(_moved_by() * 1_000_000_000)
