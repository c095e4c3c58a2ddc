"""Times: whatever ISO 8601 says comes out in the agreed form, as the same moment."""

import re
from datetime import UTC, datetime, timedelta, timezone
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_bus.timestamps import microseconds, normalise, now, now_and_microseconds

AGREED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1970, 1, 2), datetime(2253, 12, 30), timezones=offsets)  # noqa: DTZ001 - given one


def test_the_clock_speaks_the_agreed_form() -> None:
    text = now()
    assert AGREED.fullmatch(text)
    assert normalise(text) == (text, microseconds(text))


def test_the_clock_says_the_same_moment_in_both_forms_and_does_not_stand_still() -> None:
    begun = datetime.now(UTC)
    said = [now_and_microseconds() for _ in range(1000)]
    assert all(microseconds(text) == moment for text, moment in said)
    assert [moment for _, moment in said] == sorted(moment for _, moment in said)
    assert begun - timedelta(milliseconds=1) <= datetime.fromisoformat(said[-1][0]) <= datetime.now(UTC)


@given(nanoseconds=st.integers(0, 2**62))
def test_the_clock_reads_every_moment_right(nanoseconds: int) -> None:
    with patch("time.time_ns", return_value=nanoseconds):
        text, moment = now_and_microseconds()
    assert moment == nanoseconds // 1000 == microseconds(text)


@given(moment=moments)
def test_any_offset_becomes_utc_and_stays_the_same_moment(moment: datetime) -> None:
    text, score = normalise(moment.isoformat())
    assert AGREED.fullmatch(text)
    assert datetime.fromisoformat(text) == moment
    assert score == microseconds(text) == (moment - EPOCH) // timedelta(microseconds=1)


@given(moment=moments)
def test_a_time_without_offset_is_utc(moment: datetime) -> None:
    naive = moment.astimezone(UTC).replace(tzinfo=None)
    assert datetime.fromisoformat(normalise(naive.isoformat())[0]) == moment


@given(text=st.one_of(st.text(), st.from_regex(r"\d{4}-?\d\d-?\d\d.{0,20}"), st.from_regex(r"\d{4}-?W\d\d.{0,14}")))
def test_whatever_is_sent_it_is_a_time_or_a_value_error(text: str) -> None:
    try:
        agreed, score = normalise(text)
    except ValueError:
        return
    assert AGREED.fullmatch(agreed)
    assert score == microseconds(agreed)
    assert 0 <= score < 2**53


@pytest.mark.parametrize(
    "text",
    ["2026-01-24T10:00:00+00:00", "2026-01-24T10:00:00.5+00:00", "2026-01-24T10:00:00.000100+00:00"],
)
def test_the_agreed_form_stays_digit_by_digit(text: str) -> None:
    assert normalise(text)[0] == text


@pytest.mark.parametrize(
    ("sent", "agreed"),
    [
        ("2026-01-24T10:00:00Z", "2026-01-24T10:00:00.000000+00:00"),
        ("2026-01-24 10:00", "2026-01-24T10:00:00.000000+00:00"),
        ("2026-01-24T10:00:00.1234567+00:00", "2026-01-24T10:00:00.123456+00:00"),
        ("2026-01-24T10:00:00-00:00", "2026-01-24T10:00:00.000000+00:00"),
        ("2026-01-24T00:30:00+05:30", "2026-01-23T19:00:00.000000+00:00"),
        ("2026-W04-6T10:00:00", "2026-01-24T10:00:00.000000+00:00"),
        ("20260124T100000Z", "2026-01-24T10:00:00.000000+00:00"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000+00:00"),
        ("2253-12-31T23:59:59.999999Z", "2253-12-31T23:59:59.999999+00:00"),
    ],
)
def test_other_forms_are_converted(sent: str, agreed: str) -> None:
    assert normalise(sent)[0] == agreed


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "1769248800", "2026-01-24", "20260124", "2026-W04-6", "10:00:00", "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z", "2026-01-24T24:00:00Z", "2026-01-24T10:00:60Z", "2026-01-24T10:00:00+24:00",
        "2026-01-24T10:00:00+00:00\n", "2026-01-24T", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00",
        "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59.999999Z", "2254-01-01T00:00:00Z",
        "٢٠٢٦-01-24T10:00:00Z", "\ud8002026-01-24T10:00:00Z", "x" * 10_000,
    ],
)  # fmt: skip
def test_what_is_no_moment_within_range_is_refused_in_few_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|range") as refusal:
        normalise(text)
    assert len(str(refusal.value)) < 200
