"""Putting into words what JSON can't say: cycles, objects, NaN, lone surrogates, numbers without end."""

import json
import math
from collections.abc import Mapping

# Deeper than any tool's output, and less than what readers of JSON refuse.
MAX_DEPTH = 100
# What shares its parts may be unrolled into exponentially many; an event has no use for more.
MAX_NODES = 200_000
# More digits are not converted by Python itself (see sys.set_int_max_str_digits).
MAX_INTEGER_BITS = 4096
ELLIPSIS = "…"


def readable(text: str) -> str:
    """The text with what is not UTF-8 (in a file's name, say) replaced."""
    return text.encode("utf-8", "replace").decode()


def as_plain_json(value: object) -> bytes:
    """Any value as JSON. Raises nothing, whatever the value's own methods do."""
    return json.dumps(_Plain().of(value, MAX_DEPTH), ensure_ascii=False).encode()


def _shown(value: object) -> str:
    try:
        return readable(repr(value))
    except Exception:  # noqa: BLE001 - whatever an agent's objects do when they are shown
        return f"<{type(value).__name__}>"


class _Plain:
    """One conversion: counts what it has made, and knows which containers it is inside of."""

    def __init__(self) -> None:
        self._nodes = 0
        self._inside: set[int] = set()

    def of(self, value: object, depth: int) -> object:
        self._nodes += 1
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return readable(value)
        if isinstance(value, int):
            return int(value) if value.bit_length() <= MAX_INTEGER_BITS else hex(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else _shown(value)
        if not isinstance(value, Mapping | list | tuple | set | frozenset):
            return _shown(value)
        if depth == 0 or self._nodes > MAX_NODES or id(value) in self._inside:
            return ELLIPSIS
        self._inside.add(id(value))
        try:
            if isinstance(value, Mapping):
                return {self._key(key): self.of(item, depth - 1) for key, item in value.items()}
            return [self.of(item, depth - 1) for item in value]
        except Exception:  # noqa: BLE001 - a container of the agent's own that fails when it is read
            return _shown(value)
        finally:
            self._inside.discard(id(value))

    @staticmethod
    def _key(key: object) -> str:
        if isinstance(key, str):
            return readable(key)
        if isinstance(key, int) and key.bit_length() > MAX_INTEGER_BITS:
            return hex(key)
        return _shown(key)
