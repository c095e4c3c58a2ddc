"""Damage to an input, blindly: what finds the near misses where no fuzzer is installed."""

import random

from tests.fuzz.harness import Harness

LONGEST = 4096


def damaged(data: bytes, harness: Harness, rng: random.Random) -> bytes:
    """The input with one to three changes, drawn from the generator."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0:
                data = data[:at] + data[at + rng.randint(1, 8) :]
            case 1:
                data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
            case 2 if harness.words:
                data = data[:at] + rng.choice(harness.words) + data[at:]
            case 3:
                other = rng.choice(harness.seeds)
                data = data[:at] + other[rng.randrange(len(other) + 1) :]
            case 4:
                data = data[:at] + data[at : at + 16] * rng.randint(2, 8) + data[at:]
            case _:
                data = (
                    data[:at]
                    + rng.choice((b"\0", b"\xff", b"\n", b"\r\n", b'"', b"\\", b" ", b"-1", b"\xed\xa0\x80"))
                    + data[at:]
                )
    return data[:LONGEST]
