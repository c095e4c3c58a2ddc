"""The bridged client of the Claude Agent SDK with the real Claude Code: people see it live, and Stop ends all of it."""

import asyncio
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.browser import Browser, Message, is_status
from tests.claude_program import STOPPED
from tests.model_api import (
    CACHE_READ_TOKENS,
    CACHE_WRITE_TOKENS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    ModelApi,
    Say,
    Turn,
    Use,
    bash,
)
from tests.processes import DEADLINE_SECONDS, Process, RedisServer, wait_until

Clients = tuple[httpx.AsyncClient, httpx.AsyncClient]
Browsers = tuple[Browser, Browser]

# Prompts, which tell the model's scripts apart.
FIRST, AGAIN, SUBAGENT = "the first program's prompt", "the second program's prompt", "a subagent's prompt"
# The message and the text begin with an event each; then come the words.
SOME_WORDS = 6
# The program refuses a command that only sleeps, unless it is one for the background.
LONG = "echo started; sleep 600"


class Agents:
    """Programs that use the client for one session, one after the other, and the model they talk to."""

    def __init__(self, session_id: str, redis_url: str, folder: Path, api: ModelApi) -> None:
        self.session_id, self._redis_url, self._folder, self.api = session_id, redis_url, folder, api
        self._logs = itertools.count()

    def start(self, mode: str, *prompts: str) -> Process:
        return Process(
            ["-m", "tests.claude_program", mode, self.session_id, str(self._folder), self.api.url, *prompts],
            {"REDIS_URL": self._redis_url},
            self._folder / f"agent-{next(self._logs)}.log",
        )

    def processes(self) -> list[str]:
        """Everything on this machine that came of the program, by what it is inherited by: wherever it has gone."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("AGENT_BRIDGE_SESSION") == self.session_id:
                    found.append(" ".join(process.cmdline()))
            except (psutil.Error, OSError):
                continue
        return found

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The requests for an answer, less those that the program makes for itself."""
        return [request for request in self.api.requests if request.get("tools")]

    def running(self, command: str) -> bool:
        return any(command == line for line in self.processes())


@contextmanager
def agents(
    session_id: str,
    redis_url: str,
    folder: Path,
    *,
    first: list[Turn],
    again: list[Turn] | None = None,
    subagent: list[Turn] | None = None,
) -> Iterator[Agents]:
    """What the model does in the first program, in the one after that, and for a subagent."""
    with ModelApi({FIRST: first, AGAIN: again or [[Say("hello again")]], SUBAGENT: subagent or []}) as api:
        yield Agents(session_id, redis_url, folder, api)
    assert api.failures == []


async def until(condition: Callable[[], Any], what: str, agent: Process) -> None:
    def met() -> bool:
        assert agent.popen.poll() is None or condition(), f"the agent ended and wrote:\n{agent.output}"
        return bool(condition())

    try:
        await asyncio.to_thread(wait_until, met, what)
    except AssertionError as error:
        raise AssertionError(f"{error}; the agent wrote:\n{agent.output}") from error


async def wait_for_session(client: httpx.AsyncClient, session_id: str, **expected: object) -> Message:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            session: Message = (await client.get(f"/sessions/{session_id}")).json()
            if all(session.get(name) == value for name, value in expected.items()):
                return session
            await asyncio.sleep(0.02)


async def stop_and_see(agents: Agents, http: Clients, browsers: Browsers) -> Message:
    """Presses Stop; checks that it was real when it was confirmed, and that it is confirmed. Returns the last event."""
    assert agents.processes()
    answer = await http[1].post(f"/sessions/{agents.session_id}/stop")
    assert answer.status_code in (200, 202), answer.text
    (update,) = await browsers[0].until(is_status(agents.session_id, "stopped"))
    assert agents.processes() == []
    assert update["session"]["stop_confirmed"] is True
    session = await wait_for_session(http[0], agents.session_id, status="stopped")
    assert session["stop_confirmed"] is True
    last: Message = (await http[0].get(f"/events/{agents.session_id}")).json()["events"][-1]
    assert (last["event_type"], last["reason"], last["survivors"]) == ("session_stop", "stopped", [])
    return last


async def see_it_start_again(agents: Agents, http: Clients) -> None:
    with agents.start("leave", AGAIN) as agent:
        await wait_for_session(http[0], agents.session_id, status="running", presence="connected")
        assert await asyncio.to_thread(agent.popen.wait, DEADLINE_SECONDS) == 0, agent.output
    session = await wait_for_session(http[1], agents.session_id, status="finished")
    assert session["stop_confirmed"] is None
    assert agents.processes() == []


async def test_a_stop_while_it_answers_cuts_the_answer_off_ends_the_program_and_tells_the_code_that_reads(
    http: Clients, browsers: Browsers, session_id: str, redis_server: RedisServer, workspace: Path
) -> None:
    with agents(session_id, redis_server.url, workspace, first=[[Say("word ", endless=True)]]) as started:
        with started.start("leave", FIRST) as agent:
            await until(lambda: agent.output.count("StreamEvent") >= SOME_WORDS, "the answer to begin", agent)
            last = await stop_and_see(started, http, browsers)
            assert last["terminal_reason"] == "aborted_streaming"
            assert await asyncio.to_thread(agent.popen.wait, DEADLINE_SECONDS) == STOPPED
        # What had been said is not lost, and the result comes before the end.
        assert "AssistantMessage" in agent.output
        assert agent.output.split()[-2:] == ["ResultMessage", "SessionStopped"]
        events = (await http[0].get(f"/events/{session_id}")).json()["events"]
        assert [event["event_type"] for event in events] == [
            "session_start", "message", "message", "usage", "result", "session_stop",
        ]  # fmt: skip
        assert events[2]["content"][0]["text"].startswith("word word")
        assert events[3]["output_tokens"] > 0
        await see_it_start_again(started, http)


async def test_a_stop_in_a_command_ends_the_command_and_tells_that_it_was_interrupted(
    http: Clients, browsers: Browsers, session_id: str, redis_server: RedisServer, workspace: Path
) -> None:
    with agents(session_id, redis_server.url, workspace, first=[[bash(LONG)]]) as started:
        with started.start("leave", FIRST) as agent:
            await until(lambda: started.running("sleep 600"), "the command", agent)
            last = await stop_and_see(started, http, browsers)
            assert last["terminal_reason"] == "aborted_tools"
            assert await asyncio.to_thread(agent.popen.wait, DEADLINE_SECONDS) == STOPPED
        events = (await http[0].get(f"/events/{session_id}")).json()["events"]
        tools = [event for event in events if event["event_type"] in ("pre_tool", "post_tool")]
        assert [(event["event_type"], event["tool_input"]["command"]) for event in tools] == [
            ("pre_tool", LONG), ("post_tool", LONG),
        ]  # fmt: skip
        assert tools[0]["tool_use_id"] == tools[1]["tool_use_id"]
        assert tools[1]["error"]
        await see_it_start_again(started, http)


@pytest.mark.parametrize("goes_on", [True, False], ids=["while it answers", "after its answer"])
async def test_a_stop_ends_commands_in_the_background(
    http: Clients, browsers: Browsers, session_id: str, redis_server: RedisServer, workspace: Path, goes_on: bool
) -> None:
    script: list[Turn] = [[bash("sleep 600", background=True)], [Say("word ", endless=goes_on)]]
    with agents(session_id, redis_server.url, workspace, first=script) as started:
        with started.start("stay", FIRST) as agent:
            await until(lambda: started.running("sleep 600"), "the command", agent)
            if goes_on:
                await until(lambda: len(started.asked) > 1, "the answer to begin", agent)
            else:
                await until(lambda: "stay" in agent.output, "the end of the answer", agent)
            await stop_and_see(started, http, browsers)
        await see_it_start_again(started, http)


async def test_a_stop_between_turns_ends_a_program_whose_user_hears_nothing_of_it(
    http: Clients, browsers: Browsers, session_id: str, redis_server: RedisServer, workspace: Path
) -> None:
    with agents(session_id, redis_server.url, workspace, first=[[Say("done")]]) as started:
        with started.start("stay", FIRST) as agent:
            await until(lambda: "stay" in agent.output, "the end of the answer", agent)
            await stop_and_see(started, http, browsers)
            assert agent.popen.poll() is None
        await see_it_start_again(started, http)


@pytest.mark.parametrize("command", ["setsid sleep 600 &> /dev/null & echo", "(nohup sleep 600 &> /dev/null &); echo"])
async def test_a_stop_ends_what_a_command_left_behind_as_nobodys_child(
    http: Clients, browsers: Browsers, session_id: str, redis_server: RedisServer, workspace: Path, command: str
) -> None:
    script: list[Turn] = [[bash(command)], [Say("done")]]
    with (
        agents(session_id, redis_server.url, workspace, first=script) as started,
        started.start("stay", FIRST) as agent,
    ):
        await until(lambda: "stay" in agent.output and started.running("sleep 600"), "the command", agent)
        await stop_and_see(started, http, browsers)


async def test_a_stop_ends_a_subagent_that_works_in_the_background_between_turns(
    http: Clients, browsers: Browsers, session_id: str, redis_server: RedisServer, workspace: Path
) -> None:
    task = Use("Task", {"description": "sub", "prompt": SUBAGENT, "subagent_type": "general-purpose"})
    with agents(
        session_id, redis_server.url, workspace, first=[[task], [Say("done")]], subagent=[[bash(LONG)]]
    ) as started:
        with started.start("stay", FIRST) as agent:
            await until(lambda: "stay" in agent.output and started.running("sleep 600"), "its command", agent)
            await stop_and_see(started, http, browsers)
        events = (await http[0].get(f"/events/{session_id}")).json()["events"]
        (start,) = [event for event in events if event["event_type"] == "subagent_start"]
        (outer, inner) = [event for event in events if event["event_type"] == "pre_tool"]
        assert start["agent_id"] == inner["agent_id"]
        assert start["parent_tool_use_id"] == inner["parent_tool_use_id"] == outer["tool_use_id"]
        # Its answers came after the turn's result; they are counted all the same.
        assert sum(event["output_tokens"] for event in events if event["event_type"] == "usage") == 3 * OUTPUT_TOKENS


async def test_a_prompt_that_waits_for_its_turn_when_the_stop_comes_gets_none(
    http: Clients, browsers: Browsers, session_id: str, redis_server: RedisServer, workspace: Path
) -> None:
    script: list[Turn] = [[Say("word ", endless=True)]]
    with agents(session_id, redis_server.url, workspace, first=script) as started:
        with started.start("hurry", FIRST, "wait for it") as agent:
            await until(lambda: agent.output.count("StreamEvent") >= SOME_WORDS, "the answer to begin", agent)
            await stop_and_see(started, http, browsers)
        assert len(started.asked) == 1


async def test_a_stop_is_confirmed_although_the_users_code_blocks_the_event_loop(
    http: Clients, browsers: Browsers, session_id: str, redis_server: RedisServer, workspace: Path
) -> None:
    script: list[Turn] = [[bash("sleep 600", background=True)], [Say("done")]]
    with (
        agents(session_id, redis_server.url, workspace, first=script) as started,
        started.start("block", FIRST) as agent,
    ):
        await until(lambda: "block" in agent.output and started.running("sleep 600"), "the command", agent)
        await stop_and_see(started, http, browsers)
        assert agent.popen.poll() is None
        agent.kill()


async def test_browsers_see_prompts_texts_tools_and_results_in_order_and_usage_adds_up(
    http: Clients, browsers: Browsers, session_id: str, redis_server: RedisServer, workspace: Path
) -> None:
    script: list[Turn] = [
        [Say("let me look"), bash("echo one; exit 3"), Use("NoSuchTool"), bash("echo two")],
        [Say("done")],
        [Say("still here")],
    ]
    with agents(session_id, redis_server.url, workspace, first=script) as started:
        with started.start("leave", FIRST, "and then") as agent:
            assert await asyncio.to_thread(agent.popen.wait, DEADLINE_SECONDS) == 0, agent.output
        assert len(started.asked) == 3
    await browsers[1].until(is_status(session_id, "finished"))
    told = [m["data"] for m in browsers[1].of(session_id) if m["type"] == "event"]
    words = [
        (event["role"], event["content"][0]["text"])
        if event["event_type"] == "message"
        else (event["event_type"], event["tool_name"])
        for event in told
        if event["event_type"] not in ("pre_tool", "post_tool") or event["tool_name"] == "Bash"
    ]
    assert words == [
        ("session_start", None), ("user", FIRST), ("assistant", "let me look"),
        ("pre_tool", "Bash"), ("post_tool", "Bash"), ("pre_tool", "Bash"), ("post_tool", "Bash"),
        ("assistant", "done"), ("usage", None), ("result", None),
        ("user", "and then"), ("assistant", "still here"), ("usage", None), ("result", None), ("session_stop", None),
    ]  # fmt: skip
    tools = [event for event in told if event["event_type"] in ("pre_tool", "post_tool")]
    # Each call begins and ends once, also the one for which the program calls no hooks.
    calls = sorted((event["tool_use_id"], event["event_type"]) for event in tools)
    assert len(set(calls)) == len(calls) == 6
    # In the order in which they were made, which is not that in which they ended.
    ends = [event for event in tools if event["event_type"] == "post_tool"]
    failed, missing, worked = sorted(ends, key=lambda event: int(event["tool_use_id"].removeprefix("toolu_")))
    assert "Exit code 3" in failed["error"]
    assert "No such tool" in missing["error"]
    assert (worked["error"], worked["tool_output"]["stdout"]) == (None, "two")
    assert worked["duration_ms"] >= 0
    usage = [event for event in told if event["event_type"] == "usage"]
    figures = {
        "input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS, "cache_read_tokens": CACHE_READ_TOKENS,
        "cache_write_tokens": CACHE_WRITE_TOKENS,
    }  # fmt: skip
    for name, each in figures.items():
        assert sum(event[name] for event in usage) == 3 * each
    assert [event["output_tokens"] for event in usage] == [2 * OUTPUT_TOKENS, OUTPUT_TOKENS]
    assert all(event["cost_usd"] > 0 and event["model"] for event in usage)


async def test_a_conversation_that_another_program_goes_on_with_is_counted_once(
    http: Clients, session_id: str, redis_server: RedisServer, workspace: Path
) -> None:
    with agents(session_id, redis_server.url, workspace, first=[[Say("one")], [Say("two")]]) as started:
        for mode, prompt in (("leave", FIRST), ("continue", "go on")):
            with started.start(mode, prompt) as agent:
                assert await asyncio.to_thread(agent.popen.wait, DEADLINE_SECONDS) == 0, agent.output
    events = (await http[0].get(f"/events/{session_id}")).json()["events"]
    texts = [event["content"][0]["text"] for event in events if event["role"] == "assistant"]
    assert texts == ["one", "two"]
    assert [event["output_tokens"] for event in events if event["event_type"] == "usage"] == [OUTPUT_TOKENS] * 2


async def test_a_program_that_dies_ends_the_session_with_how_it_died(
    http: Clients, session_id: str, redis_server: RedisServer, workspace: Path
) -> None:
    with (
        agents(session_id, redis_server.url, workspace, first=[[Say("done")]]) as started,
        started.start("stay", FIRST) as agent,
    ):
        await until(lambda: "stay" in agent.output, "the end of the answer", agent)
        (pid,) = [process.pid for process in psutil.Process(agent.popen.pid).children()]
        os.kill(pid, signal.SIGKILL)
        await wait_for_session(http[0], session_id, status="finished")
        assert agent.popen.poll() is None
    last = (await http[0].get(f"/events/{session_id}")).json()["events"][-1]
    assert (last["exit_code"], last["reason"]) == (137, "Claude Code killed by SIGKILL")
