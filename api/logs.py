"""Where the log of a process goes, and which of it is kept."""

import logging

from agent_bus.log_lines import chosen_format, formatter


def configure(handler: logging.Handler | None = None) -> None:
    """Sends this process's log to the handler, or to standard error.

    As text where standard error is a terminal, as JSON elsewhere, unless the environment says which. Raises
    InvalidFormat when it says neither.
    """
    handler = handler or logging.StreamHandler()
    handler.setFormatter(formatter(chosen_format()))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Its start and end are told by us; what it has to complain about still comes through.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # What clients send wrong is told to the client.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
