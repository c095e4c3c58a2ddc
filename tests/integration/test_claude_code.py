"""The real Claude Code, seen and stopped by its hooks: over HTTP alone, and with the watcher that they start."""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from agent_bridge.claude_settings import http_hooks
from tests.browser import Browser, Message, about
from tests.claude_code import ClaudeCode, interrupt, say
from tests.model_api import (
    CACHE_READ_TOKENS,
    CACHE_WRITE_TOKENS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    ModelApi,
    Say,
    Use,
    bash,
)
from tests.processes import DEADLINE_SECONDS, RedisServer, Server, wait_until

Clients = tuple[httpx.AsyncClient, httpx.AsyncClient]
Browsers = tuple[Browser, Browser]
Processes = list["subprocess.Popen[bytes]"]


class Sleeper:
    """A sleep by whose unusual length a test knows its own processes among all, wherever they have gone."""

    def __init__(self) -> None:
        self.command = f"sleep {random.randrange(100_000, 10_000_000)}"
        # The program refuses to do nothing but sleep in the foreground.
        self.tool = bash(f"echo begun; {self.command}")

    def __call__(self) -> list[psutil.Process]:
        """The sleeps, and the shells that run them."""
        return [
            process
            for process in psutil.process_iter(["cmdline", "status"])
            if self.command in " ".join(process.info["cmdline"] or ())
            and process.info["status"] != psutil.STATUS_ZOMBIE
        ]


@pytest.fixture
def sleepers() -> Iterator[Sleeper]:
    sleepers = Sleeper()
    yield sleepers
    for process in sleepers():
        process.kill()


@pytest.fixture
def model_api() -> Iterator[ModelApi]:
    with ModelApi({"": [[Say("Done.")]]}) as api:
        yield api
        assert api.failures == []


@pytest.fixture
def claude(tmp_path: Path, model_api: ModelApi) -> ClaudeCode:
    return ClaudeCode(tmp_path, model_api.url)


@pytest.fixture
def programs() -> Iterator[Processes]:
    """Programs that are ended with the test."""
    started: Processes = []
    yield started
    for program in started:
        program.kill()
        program.wait()


@pytest.fixture
def by_http(claude: ClaudeCode, replicas: tuple[Server, Server]) -> ClaudeCode:
    """Claude Code with HTTP hooks alone, as somebody pastes them."""
    hooks = {name: groups for name, groups in http_hooks(replicas[0].url, "unused").items() if name != "SessionStart"}
    claude.write_settings({"hooks": {name: [{"hooks": handlers}] for name, handlers in hooks.items()}})
    return claude


def agent_bridge(claude: ClaudeCode, *arguments: str) -> str:
    """Runs the command in the project, as a person would; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "agent_bridge.cli", *arguments], cwd=claude.project, env=claude.environment(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def watched(claude: ClaudeCode, replicas: tuple[Server, Server], redis_server: RedisServer) -> ClaudeCode:
    """Claude Code with what `agent-bridge install` writes."""
    options = ("--scope", "project", "--api-url", replicas[0].url, "--redis-url", redis_server.url)
    agent_bridge(claude, "install", "claude-code", *options)
    return claude


async def the_session(client: httpx.AsyncClient, claude: ClaudeCode, **expected: object) -> dict[str, Any]:
    """The session of the test's project, when it is as expected."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            answer = await client.get("/sessions", params={"project_dir": str(claude.project)})
            for session in answer.json()["sessions"]:
                if all(session[name] == value for name, value in expected.items()):
                    return dict(session)
            await asyncio.sleep(0.02)


async def events_until(
    client: httpx.AsyncClient, session_id: str, wanted: Callable[[Sequence[Message]], bool]
) -> list[Message]:
    """The session's events, when they are as wanted."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            events: list[Message] = (await client.get(f"/events/{session_id}")).json()["events"]
            if wanted(events):
                return events
            await asyncio.sleep(0.02)


def usage_of(answers: int) -> dict[str, int]:
    """What a session's usage is after so many answers."""
    each = {
        "input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS,
        "cache_read_tokens": CACHE_READ_TOKENS, "cache_write_tokens": CACHE_WRITE_TOKENS,
    }  # fmt: skip
    return {name: answers * tokens for name, tokens in each.items()}


def kinds(events: Sequence[Message]) -> list[str]:
    return [event["event_type"] for event in events]


def has(kind: str) -> Callable[[Sequence[Message]], bool]:
    return lambda events: kind in kinds(events)


def texts(events: Sequence[Message], role: str) -> list[str]:
    return [event["content"][0]["text"] for event in events if event["role"] == role]


async def ended(program: "subprocess.Popen[bytes]") -> int:
    return await asyncio.to_thread(program.wait, DEADLINE_SECONDS)


async def is_confirmed(browser: Browser, session_id: str) -> Message:
    told = await browser.until(
        lambda message: (
            about(message) == session_id
            and message["type"] == "session_updated"
            and (message["session"]["status"], message["session"]["stop_confirmed"]) == ("stopped", True)
        )
    )
    return told[0]


async def test_installed_by_the_command_a_session_shows_prompt_tools_answer_and_tokens_and_uninstalling_leaves_no_trace(
    claude: ClaudeCode,
    replicas: tuple[Server, Server],
    redis_server: RedisServer,
    http: Clients,
    model_api: ModelApi,
    programs: Processes,
) -> None:
    settings = claude.project / ".claude" / "settings.json"
    own = b'{"hooks":[{"type":"command","command":"true"}]}'
    before = b'{"permissions":\n\t{"allow" : ["Bash"]}, "hooks": {"Stop": [' + own + b"]}}"
    settings.write_bytes(before)
    options = ("--scope", "project", "--api-url", replicas[0].url, "--redis-url", redis_server.url)
    agent_bridge(claude, "install", "claude-code", *options)
    model_api.scripts[""] = [[Say("Let me look."), bash("echo found; echo lost >&2")], [bash("exit 3")], [Say("Done.")]]
    programs.append(claude.start("look for it", environment={"AGENT_ORCHESTRATOR_SESSION_NAME": "The search"}))
    assert await ended(programs[0]) == 0

    session = await the_session(http[1], claude, status="finished", presence="none", usage=usage_of(3))
    assert (session["session_name"], session["agent_name"]) == ("The search", "claude-code")
    assert session["cost_usd"] > 0
    events = await events_until(http[1], session["session_id"], lambda events: events[-1]["exit_code"] is not None)
    assert texts(events, "user") == ["look for it"]
    assert sorted(texts(events, "assistant")) == ["Done.", "Let me look."]
    tools = [event for event in events if event["event_type"] in ("pre_tool", "post_tool")]
    assert kinds(tools) == ["pre_tool", "post_tool"] * 2
    assert [event["tool_use_id"] for event in tools[::2]] == [event["tool_use_id"] for event in tools[1::2]]
    assert tools[1]["tool_output"]["stdout"].split() == ["found", "lost"]
    assert tools[3]["error"] == "Exit code 3"
    assert events[-1]["event_type"] == "session_stop"
    assert events[-1]["exit_code"] == 0
    assert {event["model"] for event in events if event["event_type"] == "usage"} == {model_api.requests[0]["model"]}

    agent_bridge(claude, "uninstall", "claude-code", "--scope", "project")
    assert settings.read_bytes() == before
    assert [path.name for path in settings.parent.iterdir()] == ["settings.json"]


async def test_a_stop_in_the_middle_of_a_long_tool_leaves_no_process_and_is_told_on_every_replica(
    watched: ClaudeCode, http: Clients, browsers: Browsers, model_api: ModelApi, programs: Processes, sleepers: Sleeper
) -> None:
    model_api.scripts[""] = [[sleepers.tool], [Say("never said")]]
    programs.append(watched.start("wait"))
    session = await the_session(http[0], watched, presence="connected")
    await events_until(http[0], session["session_id"], has("pre_tool"))
    wait_until(sleepers, "the tool to be at work")

    answer = await http[1].post(f"/sessions/{session['session_id']}/stop")
    assert answer.status_code == 200
    assert (answer.json()["success"], answer.json()["status"]) == (True, "stopped")
    for browser in browsers:
        await is_confirmed(browser, session["session_id"])
    assert sleepers() == []
    assert programs[0].wait(DEADLINE_SECONDS) is not None
    (closing,) = [
        event
        for event in await events_until(http[0], session["session_id"], has("session_stop"))
        if event["event_type"] == "session_stop"
    ]
    assert (closing["reason"], closing["survivors"], closing["signals"][0]) == ("stopped", [], "SIGINT")
    assert isinstance(closing["exit_code"], int)
    assert len(model_api.requests) == 1


async def test_a_stop_ends_what_the_agent_left_running_in_the_background(
    watched: ClaudeCode, http: Clients, browsers: Browsers, model_api: ModelApi, programs: Processes, sleepers: Sleeper
) -> None:
    detached = f"(setsid {sleepers.command} >/dev/null 2>&1 &) ; echo detached"
    model_api.scripts[""] = [[bash(sleepers.command, background=True), bash(detached)], [sleepers.tool]]
    programs.append(watched.start("leave things behind"))
    session = await the_session(http[0], watched, presence="connected")
    await events_until(http[0], session["session_id"], lambda events: kinds(events).count("pre_tool") == 3)
    wait_until(lambda: len([p for p in sleepers() if p.name() == "sleep"]) == 3, "three sleeps")
    await http[0].post(f"/sessions/{session['session_id']}/stop")
    await is_confirmed(browsers[1], session["session_id"])
    assert sleepers() == []


async def test_a_stop_between_turns_ends_a_program_that_waits_for_its_next_prompt(
    watched: ClaudeCode, http: Clients, browsers: Browsers, programs: Processes
) -> None:
    programs.append(watched.converse())
    say(programs[0], "hello")
    session = await the_session(http[0], watched, status="finished", presence="connected")
    session_id = session["session_id"]
    answer = (await http[0].post(f"/sessions/{session_id}/stop")).json()
    # Nothing is going that could be stopped, and the program waits on.
    assert (answer["success"], answer["status"]) == (True, "finished")
    assert programs[0].poll() is None
    say(programs[0], "and again")
    await events_until(http[0], session_id, lambda events: texts(events, "assistant") == ["Done.", "Done."])
    assert kinds(await events_until(http[0], session_id, has("session_stop"))).count("session_start") == 2


async def test_a_turn_that_a_person_interrupts_has_ended_though_no_hook_says_so(
    watched: ClaudeCode, http: Clients, model_api: ModelApi, programs: Processes
) -> None:
    model_api.scripts[""] = [[Say("word ", endless=True)]]
    programs.append(watched.converse())
    say(programs[0], "talk")
    await the_session(http[0], watched, status="running", presence="connected", session_name="talk")
    wait_until(lambda: model_api.requests, "the model to answer")
    interrupt(programs[0])
    session = await the_session(http[0], watched, status="finished", presence="connected")
    events = await events_until(http[0], session["session_id"], has("turn_interrupted"))
    assert kinds(events).count("session_stop") == 0


async def test_the_second_turns_stop_reaches_the_watcher_too(
    watched: ClaudeCode, http: Clients, browsers: Browsers, model_api: ModelApi, programs: Processes, sleepers: Sleeper
) -> None:
    model_api.scripts[""] = [[Say("Hello.")], [sleepers.tool]]
    programs.append(watched.converse())
    say(programs[0], "hello")
    session_id = (await the_session(http[0], watched, status="finished", presence="connected"))["session_id"]
    say(programs[0], "wait")
    await events_until(http[0], session_id, has("pre_tool"))
    wait_until(sleepers, "the tool to be at work")
    assert (await http[1].post(f"/sessions/{session_id}/stop")).json()["status"] == "stopped"
    await is_confirmed(browsers[0], session_id)
    assert sleepers() == []


async def test_a_stop_during_an_answer_ends_it(
    watched: ClaudeCode, http: Clients, browsers: Browsers, model_api: ModelApi, programs: Processes
) -> None:
    model_api.scripts[""] = [[Say("word ", endless=True)]]
    programs.append(watched.start("talk"))
    session = await the_session(http[0], watched, presence="connected")
    wait_until(lambda: model_api.requests, "the model to answer")
    await http[1].post(f"/sessions/{session['session_id']}/stop")
    await is_confirmed(browsers[0], session["session_id"])
    assert programs[0].wait(DEADLINE_SECONDS) is not None


async def test_a_stopped_session_that_is_resumed_runs_again_and_is_not_stopped_by_the_old_stop(
    watched: ClaudeCode, http: Clients, browsers: Browsers, model_api: ModelApi, programs: Processes, sleepers: Sleeper
) -> None:
    model_api.scripts[""] = [[sleepers.tool], [Say("Resumed.")]]
    programs.append(watched.start("wait"))
    session_id = (await the_session(http[0], watched, presence="connected"))["session_id"]
    await events_until(http[0], session_id, has("pre_tool"))
    await http[0].post(f"/sessions/{session_id}/stop")
    await is_confirmed(browsers[0], session_id)

    programs.append(watched.start("go on", "--resume", session_id))
    assert await ended(programs[1]) == 0
    # Each answer is counted once, though the transcript is one file.
    session = await the_session(http[0], watched, status="finished", presence="none", usage=usage_of(2))
    assert (session["session_id"], session["stop_confirmed"]) == (session_id, None)
    events = await events_until(http[0], session_id, lambda events: texts(events, "user") == ["wait", "go on"])
    assert "Resumed." in texts(events, "assistant")


async def test_a_killed_program_has_finished_with_what_killed_it(
    watched: ClaudeCode, http: Clients, model_api: ModelApi, programs: Processes, sleepers: Sleeper
) -> None:
    model_api.scripts[""] = [[sleepers.tool]]
    programs.append(watched.start("wait"))
    session_id = (await the_session(http[0], watched, presence="connected"))["session_id"]
    await events_until(http[0], session_id, has("pre_tool"))
    programs[0].kill()
    programs[0].wait()
    await the_session(http[0], watched, status="finished", presence="none")
    closing = (await events_until(http[0], session_id, has("session_stop")))[-1]
    assert closing["reason"] == "the program was killed by SIGKILL"


async def test_subagents_are_told_by_their_ids_and_their_tokens_count(
    watched: ClaudeCode, http: Clients, model_api: ModelApi, programs: Processes
) -> None:
    task = {"description": "look", "prompt": "the-subagents-task", "subagent_type": "general-purpose"}
    model_api.scripts = {
        "the-subagents-task": [[Say("Looking."), bash("echo seen")], [Say("Seen.")]],
        "": [[Use("Agent", task)], [Say("Done.")]],
    }
    programs.append(watched.start("look with help"))
    assert await ended(programs[0]) == 0
    answers = usage_of(len(model_api.requests))
    session = await the_session(http[0], watched, status="finished", presence="none", usage=answers)
    events = await events_until(http[0], session["session_id"], has("subagent_stop"))
    (start,) = [event for event in events if event["event_type"] == "subagent_start"]
    inside = [event for event in events if event.get("agent_id") == start["agent_id"]]
    assert {"subagent_start", "subagent_stop", "pre_tool", "post_tool", "usage"} <= set(kinds(inside))


async def test_by_http_alone_a_stop_takes_effect_after_the_tool_and_is_confirmed_when_the_program_has_obeyed(
    by_http: ClaudeCode, http: Clients, browsers: Browsers, model_api: ModelApi, programs: Processes, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    model_api.scripts[""] = [[bash(f"until [ -e {go} ]; do sleep 0.02; done")], [Say("never said")]]
    programs.append(by_http.start("wait"))
    session = await the_session(http[0], by_http, presence="hooks")
    session_id = session["session_id"]
    await events_until(http[0], session_id, has("pre_tool"))
    answer = (await http[1].post(f"/sessions/{session_id}/stop")).json()
    assert (answer["success"], answer["status"]) == (True, "stopped")
    assert "no agent was connected" in answer["message"]
    assert (await http[0].get(f"/sessions/{session_id}")).json()["stop_confirmed"] is False
    go.touch()
    await is_confirmed(browsers[1], session_id)
    result = json.loads((await asyncio.to_thread(programs[0].communicate))[0])
    assert result["terminal_reason"] == "hook_stopped"
    assert len(model_api.requests) == 1
    events = await events_until(http[0], session_id, has("session_end"))
    assert [event["tool_output"]["stdout"] for event in events if event["event_type"] == "post_tool"] == [""]


async def test_by_http_alone_a_tool_that_was_about_to_be_used_after_a_stop_is_not_used(
    by_http: ClaudeCode, http: Clients, browsers: Browsers, model_api: ModelApi, programs: Processes, tmp_path: Path
) -> None:
    settings = by_http.project / ".claude" / "settings.json"
    asked = json.loads(settings.read_text())
    only = {name: asked["hooks"][name] for name in ("UserPromptSubmit", "PreToolUse", "SessionEnd")}
    settings.write_text(json.dumps({"hooks": only}))
    go, never = tmp_path / "go", tmp_path / "never"
    model_api.scripts[""] = [[bash(f"until [ -e {go} ]; do sleep 0.02; done"), bash(f"touch {never}")], [Say("no")]]
    programs.append(by_http.start("wait"))
    session_id = (await the_session(http[0], by_http, presence="hooks"))["session_id"]
    await events_until(http[0], session_id, has("pre_tool"))
    await http[0].post(f"/sessions/{session_id}/stop")
    go.touch()
    assert await ended(programs[0]) == 0
    await is_confirmed(browsers[0], session_id)
    assert not never.exists()
    assert len(model_api.requests) == 1


async def test_a_prompt_after_a_stop_is_a_new_run_of_a_program_that_stayed(
    by_http: ClaudeCode, http: Clients, browsers: Browsers, model_api: ModelApi, programs: Processes, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    model_api.scripts[""] = [[bash(f"until [ -e {go} ]; do sleep 0.02; done")], [bash("echo more")], [Say("Back.")]]
    programs.append(by_http.converse())
    say(programs[0], "wait")
    session_id = (await the_session(http[0], by_http, presence="hooks"))["session_id"]
    await events_until(http[0], session_id, has("pre_tool"))
    await http[0].post(f"/sessions/{session_id}/stop")
    go.touch()
    await is_confirmed(browsers[0], session_id)
    say(programs[0], "go on")
    events = await events_until(http[0], session_id, lambda events: "Back." in texts(events, "assistant"))
    assert kinds(events).count("session_start") == 2
    assert (await the_session(http[0], by_http, status="finished"))["stop_confirmed"] is None


async def test_with_the_coordinator_away_the_agent_goes_on(claude: ClaudeCode, programs: Processes) -> None:
    hooks = http_hooks("http://127.0.0.1:9", "false")
    claude.write_settings({"hooks": {name: [{"hooks": handlers}] for name, handlers in hooks.items()}})
    programs.append(claude.start("hello"))
    out, _ = await asyncio.to_thread(programs[0].communicate)
    assert json.loads(out)["result"] == "Done."


async def test_a_program_that_a_bridge_reports_on_is_not_reported_by_its_hooks_too(
    by_http: ClaudeCode, http: Clients, programs: Processes
) -> None:
    programs.append(by_http.start("hello", environment={"AGENT_BRIDGE_SESSION": "another"}))
    assert await ended(programs[0]) == 0
    answer = await http[0].get("/sessions", params={"project_dir": str(by_http.project)})
    assert answer.json()["sessions"] == []
