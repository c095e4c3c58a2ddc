"""The outline: a line for each event, a search that reads what a person reads, and pages of bounded work."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_bus import events, outline
from agent_bus.bus import Bus
from agent_bus.event_encoding import encode_event
from agent_bus.events import Events
from agent_bus.messages import Event
from agent_bus.outline import Outline, Search, outlined, read_outline
from tests.unit.agent_bus.conftest import Driver, record

AT = "2026-01-24T10:00:00+00:00"
HEAD = {"id": 7, "event_type": "message", "session_id": "id-1", "session_name": "Nightly review", "timestamp": AT}
BARE = {"id": 7, "timestamp": AT, "event_type": "message", "tool_name": None, "tool_use_id": None, "agent_id": None,
        "error": False}  # fmt: skip

Encode = Callable[[dict[str, Any]], bytes]


def spaced(event: dict[str, Any]) -> bytes:
    """As the bridge writes what orjson refuses."""
    return json.dumps(event, ensure_ascii=False).encode()


ENCODERS: list[Encode] = [orjson.dumps, spaced]


def line(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(outlined(7, orjson.dumps(HEAD | fields)))
    return found


def test_a_line_says_what_happened_and_to_which_tool() -> None:
    said = {"tool_name": "Bash", "tool_use_id": "toolu_1", "agent_id": "a1"}
    assert line(**said, tool_output={"stdout": "x"}) == BARE | said


def test_what_is_absent_or_no_text_is_null() -> None:
    assert line() == BARE
    assert line(tool_name=None, tool_use_id=["toolu_1"], agent_id=3) == BARE


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"error": "no such file"}, True),
        ({"error": ""}, True),
        ({"error": None}, False),
        ({"error": {"code": 1}}, True),
        ({"event_type": "session_stop", "exit_code": 1}, True),
        ({"event_type": "session_stop", "exit_code": -9}, True),
        ({"event_type": "session_stop", "exit_code": 0}, False),
        ({"event_type": "session_stop", "exit_code": None}, False),
        ({"event_type": "session_stop"}, False),
        ({"event_type": "post_tool", "exit_code": 1}, False),
    ],
)
def test_an_error_is_what_an_event_says_or_how_a_session_ended(fields: dict[str, Any], error: bool) -> None:
    assert line(**fields)["error"] is error


def test_a_number_beyond_a_double_is_passed_over() -> None:
    event = Event.model_validate_json(orjson.dumps(HEAD | {"id": None})[:-1] + b',"n":' + b"9" * 400 + b"}")
    stored = b'{"id":7,' + encode_event(event).json_tail.replace(b'"id":null,', b"")
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(stored)
    assert orjson.loads(outlined(7, stored)) == BARE
    assert Search("message").finds(stored)


SAID = {
    "tool_input": {"command": 'echo "Grüße"\n\tcat C:\\new\\', "deep": [[{"way": ["Down Under"]}]]},
    "tool_output": "\x1b[31mred\x1b[0m 漢字 Ωmega and/or 😀",
    "content": [{"type": "text", "text": "Straße"}, {"type": "text", "text": ""}],
    "numbers": [12345, 1.5, True, None],
    'odd "name": here': '": "',
}


@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize(
    "q",
    ['echo "gr', "GRÜSSE", '"\n\tCAT', "c:\\new\\", "\\", "down under", "\x1b[31mRED", "漢字", "ωMEGA", "and/or", "😀",
     "STRASSE", "straße", "text", '": "', "MESSAGE", "2026-01-24", " "],
)  # fmt: skip
def test_a_search_finds_what_a_person_reads_in_any_case(q: str, encode: Encode) -> None:
    assert Search(q).finds(encode(HEAD | SAID))


@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize(
    "q",
    ["event_type", "tool_input", "command", "way", "odd", "12345", "true", "null", "{", '","', '\\"gr', "\\n\\t",
     "\\u001b", "u001b", "ncat", "\\\\new", "redd", "under\x1b", "weekly", "😁"],
)  # fmt: skip
def test_a_search_finds_neither_names_of_fields_nor_how_json_is_written(q: str, encode: Encode) -> None:
    assert not Search(q).finds(encode(HEAD | SAID))


@pytest.mark.parametrize("q", ["nightly", "REVIEW", "id-1"])
def test_what_all_events_of_a_session_repeat_is_found_only_where_it_is_said_besides(q: str) -> None:
    assert not Search(q).finds(orjson.dumps(HEAD))
    assert not Search(q).finds(orjson.dumps(HEAD | {"session_name": "id-1", "session_id": "Nightly review"}))
    assert Search(q).finds(orjson.dumps(HEAD | {"text": "Nightly review"} | {"of": "id-1"}))
    assert Search(q).finds(orjson.dumps(HEAD | {"text": "the nightly review of id-1"}))


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


CHARACTERS = st.sampled_from(list("aAnu0\\\"':,{}[] /\n\t\x1b\x7fßıİſK漢😀"))
TEXTS = st.text(CHARACTERS, max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 99) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(value=VALUES, q=st.text(CHARACTERS, min_size=1, max_size=3), encode=st.sampled_from(ENCODERS))
def test_a_search_agrees_with_a_walk_over_all_texts(value: Any, q: str, encode: Encode) -> None:
    head = dict.fromkeys(("event_type", "timestamp", "session_id", "session_name"), "-")
    expected = any(q.casefold() in text.casefold() for text in texts(value))
    assert Search(q).finds(encode(head | {"value": value})) is expected


def marks(page: Outline | None) -> list[int]:
    assert page is not None
    return [int(orjson.loads(event)["tool_name"]) for event in page.events]


async def fill(driver: Driver, *sizes: int) -> None:
    await driver.append([record("pre_tool", tool_name=str(n), x="y" * size) for n, size in enumerate(sizes)])


async def test_a_session_never_heard_of_has_no_outline(bus: Bus) -> None:
    assert await read_outline(Events(bus), "s", limit=10) is None


async def test_a_session_without_events_has_an_empty_one(bus: Bus, driver: Driver) -> None:
    await fill(driver, 1)
    await bus.redis.delete(bus.keys.history("s"))
    assert await read_outline(Events(bus), "s", limit=10) == Outline([], None, 0)


@pytest.mark.parametrize("limit", [1, 3, 7, 16, 64, 99, 100, 101])
async def test_pages_lead_back_to_the_oldest_and_forward_to_the_newest(bus: Bus, driver: Driver, limit: int) -> None:
    await fill(driver, *[1] * 100)
    events = Events(bus)
    back: list[int] = []
    page = await read_outline(events, "s", limit=limit)
    while page is not None:
        assert page.scanned == len(page.events) == min(limit, 100 - len(back))
        back = marks(page) + back
        page = await read_outline(events, "s", limit=limit, before=page.next) if page.next is not None else None
    assert back == list(range(100))
    forward: list[int] = []
    page = await read_outline(events, "s", limit=limit, after=0)
    while page is not None:
        assert page.scanned == min(limit, 100 - len(forward))
        forward += marks(page)
        page = await read_outline(events, "s", limit=limit, after=page.next) if page.next is not None else None
    assert forward == back


async def test_a_page_and_its_edge_are_those_of_the_events_themselves(bus: Bus, driver: Driver) -> None:
    await fill(driver, *[1] * 30)
    events = Events(bus)
    whole = await events.page("s", limit=100)
    assert whole is not None
    ids = [orjson.loads(event)["id"] for event in whole.events]
    for ends in ({}, {"before": ids[20]}, {"after": ids[4]}, {"after": ids[4], "before": ids[20]}):
        page = await events.page("s", limit=10, **ends)
        found = await read_outline(events, "s", limit=10, **ends)
        assert page is not None
        assert found is not None
        assert [orjson.loads(event)["id"] for event in found.events] == [orjson.loads(e)["id"] for e in page.events]
        assert found.next == (page.last_id if "after" in ends else page.first_id)


async def test_a_search_goes_on_over_pages_without_a_match(bus: Bus, driver: Driver) -> None:
    await driver.append([record("pre_tool", tool_name=str(n), x="needle" if n == 2 else "hay") for n in range(10)])
    pages: list[tuple[list[int], int, bool]] = []
    before = None
    while not pages or before is not None:
        page = await read_outline(Events(bus), "s", limit=4, before=before, search=Search("NEEDLE"))
        assert page is not None
        before = page.next
        pages.append((marks(page), page.scanned, before is not None))
    assert pages == [([], 4, True), ([2], 4, True), ([], 2, False)]


async def test_a_page_ends_early_where_events_are_large(
    bus: Bus, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outline, "MAX_PAGE_BYTES", 10_000)
    monkeypatch.setattr(events, "CHUNK_BYTES", 4_000)
    await fill(driver, *[1000] * 60)
    seen: list[int] = []
    pages, before = 0, None
    while not pages or before is not None:
        page = await read_outline(Events(bus), "s", limit=50, before=before)
        assert page is not None
        assert page.scanned <= 16
        seen, before, pages = marks(page) + seen, page.next, pages + 1
    assert seen == list(range(60))


class Given(Events):
    """Events that are there without waiting, and how many were asked for each time."""

    def __init__(self, bus: Bus, *sizes: int) -> None:
        super().__init__(bus)
        self.stored = [(n, orjson.dumps(HEAD | {"x": "y" * size})) for n, size in enumerate(sizes, 1)]
        self.counts: list[int] = []

    async def read(
        self, session_id: str, *, count: int, before: int | None = None, after: int | None = None
    ) -> list[tuple[int, bytes]] | None:
        assert (session_id, before) == ("s", None)
        self.counts.append(count)
        return [entry for entry in self.stored if entry[0] > (after or 0)][:count]


async def test_round_trips_grow_over_small_events_and_shrink_over_large_ones(bus: Bus) -> None:
    small, large = [10] * 150, [400_000] * 10
    events = Given(bus, *small, *large, *small)
    assert await read_outline(events, "s", limit=1000, after=0) is not None
    assert events.counts[:3] == [16, 64, 64]
    # The large ones begin in the fourth; from then on two of them fill a megabyte, until they are over.
    assert events.counts[3] == 64
    assert set(events.counts[4:]) <= {2, 8, 32, 64}
    assert events.counts[4] == 2


async def test_the_loop_gets_turns_within_a_round_trip(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outline, "TURN_BYTES", 1000)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    relaying = asyncio.create_task(others())
    await asyncio.sleep(0)
    assert await read_outline(Given(bus, *[990] * 16), "s", limit=100, after=0) is not None
    relaying.cancel()
    assert turns >= 16
