"""What is written to standard output while several processes share it."""

import logging
import os
import sys

from api.logs import LineFormatter

# As wide as the longest of the usual names, so that what they write stands in one column.
NAME_WIDTH = 11


def say(text: str) -> None:
    """Writes a line at once. A terminal that was closed, or a pipe nobody reads, ends the writing and nothing else."""
    try:
        print(text, flush=True)  # noqa: T201 - this is what the program is run for
    except OSError:
        # The interpreter would try the same text once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def show(name: str, line: str) -> None:
    """Writes one line of a process's output under its name."""
    say(f"{name:<{NAME_WIDTH}} | {line}")


class TerminalHandler(logging.Handler):
    """This process's own log among the others' output."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._as = name
        self.setFormatter(LineFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record, each line of a traceback under the name."""
        for line in self.format(record).splitlines():
            show(self._as, line)
