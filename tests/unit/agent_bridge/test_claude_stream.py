"""One task reads, whoever iterates; and whether the program is at work."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from claude_agent_sdk import Message, ResultMessage, SystemMessage

from agent_bridge.claude_stream import MAX_BACKLOG, Stream, Turns
from agent_bus.tasks import end
from tests.unit.live import eventually


def note(n: int) -> SystemMessage:
    return SystemMessage("note", {"n": n})


class Source:
    """What the SDK gives: messages, errors, an end."""

    def __init__(self) -> None:
        self.items: asyncio.Queue[Message | Exception | None] = asyncio.Queue()
        self.heard: list[Message] = []

    def say(self, *items: Message | Exception | None) -> None:
        for item in items:
            self.items.put_nowait(item)

    async def read(self) -> AsyncIterator[Message]:
        while (item := await self.items.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    async def hear(self, message: Message) -> bool:
        self.heard.append(message)
        return message != note(-1)

    def stream(self) -> Stream:
        return Stream(self.read, self.hear)


async def test_messages_are_heard_without_anybody_iterating_and_kept_in_order() -> None:
    source = Source()
    stream = source.stream()
    source.say(note(1), note(-1), note(2), None)
    await stream.task
    assert source.heard == [note(1), note(-1), note(2)]
    assert [await stream.next() for _ in range(4)] == [note(1), note(2), None, None]


async def test_who_waits_is_woken_by_a_message_and_by_the_end() -> None:
    source = Source()
    stream = source.stream()
    waiting = [asyncio.create_task(stream.next()) for _ in range(2)]
    await asyncio.sleep(0)
    source.say(note(1), None)
    assert sorted([await task for task in waiting], key=repr) == [None, note(1)]


async def test_an_error_comes_in_its_place_and_the_reading_goes_on() -> None:
    source = Source()
    stream = source.stream()
    error = ValueError("unreadable")
    source.say(note(1), error, note(2), None)
    await stream.task
    assert [await stream.next() for _ in range(4)] == [note(1), error, note(2), None]
    assert stream.failure is None


async def test_an_error_at_the_end_is_what_it_failed_with() -> None:
    source = Source()
    stream = source.stream()
    error = ValueError("dead")
    source.say(note(1), error, None)
    await stream.task
    assert stream.failure is error


async def test_a_reader_that_falls_behind_holds_the_program_up_until_it_takes_or_is_waited_for_no_more() -> None:
    source = Source()
    stream = source.stream()
    total = MAX_BACKLOG + 3
    source.say(*map(note, range(total)), None)
    await eventually(lambda: len(source.heard) == MAX_BACKLOG, "a full backlog")
    assert await stream.next() == note(0)
    await eventually(lambda: len(source.heard) == MAX_BACKLOG + 1, "one more")
    stream.hurry()
    await stream.task
    assert len(source.heard) == total
    assert [await stream.next() for _ in range(total)] == [*map(note, range(1, total)), None]


@pytest.mark.parametrize("started", [True, False])
async def test_closing_ends_the_stream_and_keeps_what_was_read(started: bool) -> None:
    source = Source()
    stream = source.stream()
    waiting = asyncio.create_task(stream.next())
    if started:
        source.say(note(1), note(2))
        assert await waiting == note(1)
        await eventually(lambda: len(source.heard) == 2, "the reading")
    await stream.close()
    if not started:
        assert await waiting is None
    else:
        assert await stream.next() == note(2)
    assert await stream.next() is None


async def test_errors_while_closing_are_nobodys_concern() -> None:
    source = Source()
    stream = source.stream()
    stream.closing = True
    source.say(ValueError("not connected"))
    await stream.task
    assert (await stream.next(), stream.failure) == (None, None)


INIT = SystemMessage("init", {})
RESULT = ResultMessage("success", 1, 1, False, 1, "c")


def state(name: str) -> SystemMessage:
    return SystemMessage("session_state_changed", {"state": name})


PROMPT = "prompt"


@pytest.mark.parametrize(
    ("steps", "rests"),
    [
        ([], True),
        ([PROMPT], False),
        ([PROMPT, RESULT], True),
        ([INIT], False),
        ([PROMPT, state("running"), INIT, RESULT], False),
        ([PROMPT, state("running"), INIT, RESULT, state("idle")], True),
        ([PROMPT, RESULT, PROMPT, state("idle")], False),
        ([state("requires_action")], False),
        ([PROMPT, state("running"), "over"], True),
    ],
    ids=repr,
)  # fmt: skip
async def test_a_program_rests_between_a_result_and_the_next_prompt_if_it_does_not_say_that_it_works(
    steps: list[Any], rests: bool
) -> None:
    turns = Turns()
    special: dict[str, Callable[[], None]] = {PROMPT: turns.prompted, "over": turns.over}
    for step in steps:
        if isinstance(step, str):
            special[step]()
        else:
            turns.heard(step)
    resting = asyncio.create_task(turns.at_rest())
    for _ in range(3):
        await asyncio.sleep(0)
    assert resting.done() is rests
    await end([resting])


def test_only_the_state_says_nothing_else() -> None:
    turns = Turns()
    assert [turns.heard(message) for message in (INIT, RESULT, note(1), state("idle"))] == [False, False, False, True]
