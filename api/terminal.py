"""What is written to standard output while several processes share it."""

import json
import logging
import os
import sys
import time
from collections.abc import Callable

from agent_bus.log_lines import LineFormatter, chosen_format, redacted, timestamp

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


def show_json(name: str, line: str) -> None:
    """Writes one line of a process's output as JSON that names the process, whatever the line is."""
    process = {"process": name}
    if line.startswith('{"process":'):
        # From a supervisor of its own.
        say(line)
    elif line.startswith('{"time":') and line.endswith("}"):
        say(json.dumps(process, ensure_ascii=False)[:-1] + ", " + line[1:])
    elif line.strip():
        # Written past its log: by the interpreter, or by a program that is none of ours.
        fields = {"time": timestamp(time.time()), "level": "INFO", "logger": name, "message": redacted(line)}
        say(json.dumps(process | fields, ensure_ascii=False))


def writer() -> Callable[[str, str], None]:
    """What shows a process's lines in the format of this process's own log. Raises InvalidFormat."""
    return show if chosen_format() == "text" else show_json


class TerminalHandler(logging.Handler):
    """This process's own log among the others' output."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._as = name
        self._show = writer()
        self.setFormatter(LineFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the record, each line of a traceback under the name."""
        for line in self.format(record).split("\n"):
            self._show(self._as, line)
