"""Finding sessions: pages without gap or repeat, exact totals, whatever is asked for."""

from typing import Any

import orjson
import pytest

from agent_bus.bus import Bus
from agent_bus.messages import Session
from agent_bus.sessions import Cursor, Sessions
from api.coordinator import finding
from api.coordinator.finding import Filter, Found, find_sessions
from tests.unit.agent_bus.conftest import Driver


def session(**fields: Any) -> Session:
    known = {"session_id": "id-1", "session_name": "Nightly Review", "status": "running", "created_at": "t",
             "modified_at": "t", "project_dir": "/Work/Straße", "agent_name": "reviewer"}  # fmt: skip
    return Session.model_validate(known | fields)


@pytest.mark.parametrize("q", ["nightly", "REVIEW", "id-1", "/work/", "STRASSE", "viewer", "y r", ""])
def test_words_are_found_in_any_text_and_case(q: str) -> None:
    assert Filter(q=q).matches(session())


@pytest.mark.parametrize(
    "wanted",
    [Filter(q="weekly"), Filter(q="running"), Filter(status="stopped"), Filter(agent_name="review"),
     Filter(project_dir="/work"), Filter(status="running", q="x"), Filter(agent_name="reviewer", status="finished")],
)  # fmt: skip
def test_all_that_is_asked_for_must_hold(wanted: Filter) -> None:
    assert not wanted.matches(session())


def test_what_a_session_lacks_matches_no_filter_on_it() -> None:
    bare = session(project_dir=None, agent_name=None)
    assert Filter().matches(bare)
    assert not Filter(agent_name="").matches(bare)
    assert not Filter(project_dir="").matches(bare)


def test_one_index_answers_at_most_one_question() -> None:
    assert Filter().one_index
    assert Filter(status="running").one_index
    assert Filter(agent_name="a").one_index
    assert not Filter(status="running", agent_name="a").one_index
    assert not Filter(q="").one_index
    assert not Filter(project_dir="/").one_index


@pytest.fixture
async def sessions(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> Sessions:
    """Twenty sessions, s19 the newest: agents a and b by turns, every third finished, pages of four while scanning."""
    driver = Driver(bus)
    for n in range(20):
        await driver.post(
            "session_start", f"s{n}", timestamp=f"2026-01-24T10:00:{n:02}+00:00", project_dir=f"/p{n % 5}",
            agent_name="ab"[n % 2],
        )  # fmt: skip
        if n % 3 == 0:
            await driver.post("session_stop", f"s{n}")
    monkeypatch.setattr(finding, "MAX_PAGE", 4)
    return driver.sessions


def ids(found: Found) -> list[str]:
    return [orjson.loads(text)["session_id"] for text in found.sessions]


async def walk(sessions: Sessions, wanted: Filter, limit: int) -> tuple[list[str], set[int]]:
    seen: list[str] = []
    totals: set[int] = set()
    after: Cursor | None = None
    while True:
        found = await find_sessions(sessions, wanted, limit=limit, after=after)
        assert len(found.sessions) <= limit
        seen += ids(found)
        totals.add(found.total)
        if found.next is None:
            return seen, totals
        assert found.sessions
        after = found.next


QUESTIONS = [
    (Filter(), range(20)),
    (Filter(status="running"), [n for n in range(20) if n % 3]),
    (Filter(agent_name="b"), range(1, 20, 2)),
    (Filter(status="finished", agent_name="a"), [0, 6, 12, 18]),
    (Filter(project_dir="/p2"), [2, 7, 12, 17]),
    (Filter(q="S1"), [1, *range(10, 20)]),
    (Filter(q="/p3", status="running", agent_name="b"), [13]),
    (Filter(q="nothing"), []),
]


@pytest.mark.parametrize("limit", [1, 3, 4, 5, 100])
@pytest.mark.parametrize(("wanted", "numbers"), QUESTIONS)
async def test_pages_together_are_all_matches_newest_first_with_an_exact_total(
    sessions: Sessions, wanted: Filter, numbers: list[int], limit: int
) -> None:
    seen, totals = await walk(sessions, wanted, limit)
    assert seen == [f"s{n}" for n in sorted(numbers, reverse=True)]
    assert totals == {len(numbers)}


@pytest.mark.parametrize("wanted", [Filter(), Filter(q="s"), Filter(status="running"), Filter(project_dir="/p0")])
async def test_a_cursor_whose_session_is_gone_goes_on_where_it_was(sessions: Sessions, wanted: Filter) -> None:
    whole = ids(await find_sessions(sessions, wanted, limit=100))
    first = await find_sessions(sessions, wanted, limit=2)
    assert first.next is not None
    await sessions.delete(first.next.session_id)
    rest = await find_sessions(sessions, wanted, limit=100, after=first.next)
    assert ids(first) + ids(rest) == whole


@pytest.mark.parametrize("wanted", [Filter(), Filter(q="t")])
async def test_a_cursor_whose_session_is_gone_does_not_pass_over_others_of_the_same_moment(
    bus: Bus, wanted: Filter
) -> None:
    driver = Driver(bus)
    for n in range(4):
        await driver.post("session_start", f"t{n}", timestamp="2026-01-24T10:00:00+00:00")
    first = await find_sessions(driver.sessions, wanted, limit=2)
    assert first.next is not None
    await driver.sessions.delete(first.next.session_id)
    rest = await find_sessions(driver.sessions, wanted, limit=100, after=first.next)
    assert ids(first) + ids(rest) == ["t3", "t2", "t1", "t0"]
