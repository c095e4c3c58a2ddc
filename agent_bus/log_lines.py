"""How the lines of a log read, for people or for programs, and what work they belong to.

A line says of which request, session and command it tells, where that is known, and no secret: what looks like a token,
a ticket or a URL's password is left out, wherever it came from.
"""

import json
import logging
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, TextIO

from agent_bus import tracing

FORMAT_VARIABLE = "AGENT_ORCHESTRATOR_LOG_FORMAT"
Format = Literal["text", "json"]

request_id: ContextVar[bytes] = ContextVar("request_id", default=b"")
"""The request that is being answered, by the name in its headers; set for each, since that is cheaper than `about`."""
_NOTHING: Mapping[str, str] = {}
_subject: ContextVar[Mapping[str, str]] = ContextVar("log_subject", default=_NOTHING)

# What a URL's password looks like: up to the last @, for one that was not quoted may contain anything.
_SECRETS = tuple(
    (re.compile(pattern, re.IGNORECASE), shown)
    for pattern, shown in (
        (r"\b([a-z][a-z0-9+.-]*://[^\s/:@'\"]*:)[^\s'\"]*@", r"\1***@"),
        (r"\b((?:bearer\s+)+)[^\s'\",;]+", r"\1***"),
        (r"\b((?:ticket|\w*password|access_token)=)[^\s&'\",;]+", r"\1***"),
        (r"\baot_[\w-]{8,}", "aot_***"),
    )
)


class InvalidFormat(ValueError):
    """The variable names no format; the message says which there are."""


def redacted(text: str) -> str:
    """The text without what looks like a secret."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """What is logged within the block is about this, such as a `session_id`, beside what it was about before."""
    token = _subject.set({**_subject.get(), **fields})
    try:
        yield
    finally:
        _subject.reset(token)


def subject() -> dict[str, str]:
    """What is logged at this moment is about this."""
    known = {"request_id": request_id.get().decode(), "trace_id": tracing.trace_id()}
    return {name: value for name, value in known.items() if value} | dict(_subject.get())


def chosen_format(environ: Mapping[str, str] = os.environ, stream: TextIO | None = None) -> Format:
    """The format that the environment names; else text where the stream, by default standard error, is a terminal.

    Raises InvalidFormat.
    """
    named = environ.get(FORMAT_VARIABLE, "")
    if named in ("text", "json"):
        return "text" if named == "text" else "json"
    if named:
        raise InvalidFormat(f"{FORMAT_VARIABLE}: {named!r} is neither text nor json")
    stream = sys.stderr if stream is None else stream
    # There is none in a process that was started without.
    return "text" if stream is not None and stream.isatty() else "json"


def formatter(chosen: Format) -> logging.Formatter:
    """What writes lines in a format."""
    return LineFormatter() if chosen == "text" else JsonFormatter()


class LineFormatter(logging.Formatter):
    """For people: time in UTC, level, where from, message; a line break in a message does not begin a new line."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line, and a traceback on lines of its own."""
        return redacted(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """The line without a traceback."""
        return super().formatMessage(record).replace("\r", "\\r").replace("\n", "\\n")


class JsonFormatter(logging.Formatter):
    """For programs: one object a line, with the traceback in it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields = {
            "time": timestamp(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(record.getMessage()),
            **subject(),
        }
        if record.exc_info:
            fields["exception"] = redacted(self.formatException(record.exc_info))
        if record.stack_info:
            fields["stack"] = redacted(self.formatStack(record.stack_info))
        return json.dumps(fields, ensure_ascii=False)


def timestamp(seconds: float) -> str:
    """A moment, in seconds since 1970, as log lines have it."""
    whole, part = divmod(int(seconds * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{part:03d}Z"
