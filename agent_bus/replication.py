"""How many replicas must have received a write before it counts as kept; see `agent_bus.bus` for how that is known.

Standard library only: the bridge reads this inside other people's programs.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

MIN_REPLICAS_VARIABLE = "AGENT_ORCHESTRATOR_MIN_REPLICAS"
TIMEOUT_VARIABLE = "AGENT_ORCHESTRATOR_REPLICATION_TIMEOUT_MS"
MOST_REPLICAS = 100
TIMEOUT_MS = 1000
# Below what a connection waits for an answer (`agent_bus.connection.TIMEOUT_SECONDS`), which this is a part of.
LONGEST_TIMEOUT_MS = 4000


@dataclass(frozen=True, slots=True)
class Replication:
    """`replicas` have received a write within `timeout_ms`, or it is refused. 0: nobody is asked, at no cost."""

    replicas: int = 0
    timeout_ms: int = TIMEOUT_MS

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """As the environment says, for processes without settings. Raises ValueError saying what is wrong."""
        return cls(
            _number(environ, MIN_REPLICAS_VARIABLE, 0, 0, MOST_REPLICAS),
            _number(environ, TIMEOUT_VARIABLE, TIMEOUT_MS, 1, LONGEST_TIMEOUT_MS),
        )


NOBODY = Replication()
"""Redis' own answer is enough."""


def _number(environ: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environ.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise ValueError(f"{name} must be a whole number from {least} to {most}, not {text[:40]!r}")
    return int(text)
