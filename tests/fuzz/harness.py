"""What a harness is: a parser, what holds of it for any input, and inputs to begin with."""

from collections.abc import Callable
from dataclasses import dataclass

Check = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Harness:
    """One parser under attack.

    invariant: what holds for every input, for people. seeds: inputs to begin with, most of them good. words: what
    inputs are made of, put in by the fuzzer. check: raises for an input for which the invariant does not hold.
    """

    name: str
    invariant: str
    check: Check
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()


Harnesses = dict[str, Harness]


def into(
    group: Harnesses, name: str, invariant: str, *, seeds: tuple[bytes, ...], words: tuple[bytes, ...] = ()
) -> Callable[[Check], Check]:
    """A decorator that makes a check a harness of its group."""

    def put(check: Check) -> Check:
        assert name not in group, f"two harnesses are called {name}"
        group[name] = Harness(name, invariant, check, seeds, words)
        return check

    return put


def text_of(data: bytes) -> str:
    """Any bytes as a text, which is the text itself where they are UTF-8."""
    return data.decode("utf-8", "replace")
