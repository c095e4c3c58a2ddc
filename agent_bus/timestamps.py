"""Times as the contract writes them: ISO 8601 in UTC with an offset."""

import re
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Sorted-set scores are doubles, exact up to 2^53 µs: the year 2255.
_LAST = datetime(2254, 1, 1, tzinfo=UTC)
_AS_AGREED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00", re.ASCII)
_EXAMPLE = "2026-01-24T10:00:00.123456+00:00"


def now() -> str:
    """This machine's clock."""
    return now_and_microseconds()[0]


def now_and_microseconds() -> tuple[str, int]:
    """This machine's clock in the agreed form, and as microseconds since 1970."""
    moment = time.time_ns() // 1000
    seconds, rest = divmod(moment, 1_000_000)
    return f"{_second(seconds)}.{rest:06d}+00:00", moment


def as_agreed(seconds: float) -> str:
    """A moment, in seconds since 1970, in the agreed form."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat(timespec="microseconds")


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def microseconds(text: str) -> int:
    """Microseconds from 1970 to a time in the agreed form."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def normalise(text: str) -> tuple[str, int]:
    """Any ISO 8601 date and time as (the agreed form, microseconds since 1970).

    What has that form already stays as it was sent, digit by digit; another offset is converted; a time without offset
    is taken as UTC. Raises ValueError for anything else.
    """
    try:
        moment = datetime.fromisoformat(text)
        utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text[:40]!r} is not a time such as {_EXAMPLE}") from error
    if len(text) <= len("2026-01-24"):
        raise ValueError(f"{text!r} has no time of day; write it as in {_EXAMPLE}")
    if not _EPOCH <= utc < _LAST:
        raise ValueError(f"{text[:40]!r} is out of range: times go from 1970 to 2253")
    agreed = text if _AS_AGREED.fullmatch(text) else utc.isoformat(timespec="microseconds")
    return agreed, (utc - _EPOCH) // timedelta(microseconds=1)
