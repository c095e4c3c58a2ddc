"""How the log reads: one line an event, in UTC, plain text."""

import logging
import time


class LineFormatter(logging.Formatter):
    """Time, level, where from, message; a line break in a message does not begin a new line."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """The line without a traceback, which follows on lines of its own."""
        return super().formatMessage(record).replace("\r", "\\r").replace("\n", "\\n")


def configure(handler: logging.Handler | None = None) -> None:
    """Sends this process's log to the handler, or to standard error."""
    handler = handler or logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Its start and end are told by us; what it has to complain about still comes through.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # What clients send wrong is told to the client.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
