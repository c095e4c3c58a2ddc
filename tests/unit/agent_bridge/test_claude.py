"""The client of the Claude Agent SDK with a program that a test plays: what is reported, and what a stop does."""

import asyncio
import itertools
import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    CLIConnectionError,
    HookMatcher,
    Message,
    ProcessError,
    ResultMessage,
    SystemMessage,
    Transport,
)

from agent_bridge import SessionStopped
from agent_bridge.claude import BridgedClaudeClient
from agent_bridge.claude_reports import STOPPED, UNANSWERED
from agent_bridge.claude_stream import MAX_BACKLOG
from agent_bridge.process_tree import Escalation, ProcessTree, TreeEnded
from agent_bus.bus import Bus
from agent_bus.connection import connect
from agent_bus.events import Events
from agent_bus.keys import Keys
from agent_bus.sessions import Sessions
from agent_bus.tasks import end
from tests.processes import DEADLINE_SECONDS, RedisServer
from tests.unit.agent_bus.conftest import Driver
from tests.unit.live import eventually

Json = dict[str, Any]

QUICK = {"interrupt_seconds": 0.05, "exit_seconds": 0.05, "terminate_seconds": 5.0, "kill_seconds": 5.0}


class Program(Transport):
    """Claude Code's side of the pipe: answers what the SDK asks and says what the test has it say."""

    def __init__(self, *, silent: tuple[str, ...] = (), on_interrupt: tuple[Json, ...] = (), pid: int | None = None):
        """silent: kinds of requests that are not answered. on_interrupt: what is said after an interrupt."""
        self.silent = silent
        self.on_interrupt = on_interrupt
        self.usage: Json | None = None
        self.sent: list[Json] = []
        self.closes = True
        self.closed = asyncio.Event()
        self.hook_ids: dict[str, list[str]] = {}
        self._ids = itertools.count()
        self._answers: dict[str, asyncio.Future[Json]] = {}
        self._said: asyncio.Queue[Json | Exception | None] = asyncio.Queue()
        if pid is not None:
            self._process = SimpleNamespace(pid=pid)

    async def connect(self) -> None:
        self.closed.clear()
        self._said = asyncio.Queue()

    async def write(self, data: str) -> None:
        if self.closed.is_set():
            raise CLIConnectionError("not ready for writing")
        message = json.loads(data)
        self.sent.append(message)
        if message["type"] == "control_response":
            response = message["response"]
            self._answers.pop(response["request_id"]).set_result(response.get("response", response))
        elif message["type"] == "control_request":
            self._answer(message["request_id"], message["request"])

    def _answer(self, request_id: str, request: Json) -> None:
        subtype = request["subtype"]
        if subtype == "initialize":
            hooks = request["hooks"] or {}
            self.hook_ids = {
                event: [id_ for matcher in matchers for id_ in matcher["hookCallbackIds"]]
                for event, matchers in hooks.items()
            }
        if subtype in self.silent:
            return
        response = {"subtype": "success", "request_id": request_id, "response": {}}
        if subtype == "get_usage":
            response |= (
                {"response": {"session": {"model_usage": self.usage}}}
                if self.usage is not None
                else {"subtype": "error", "error": "unknown"}
            )
        self.say({"type": "control_response", "response": response})
        if subtype == "interrupt":
            self.say(*self.on_interrupt)

    def say(self, *messages: Json) -> None:
        for message in messages:
            self._said.put_nowait(message)

    def exit(self, error: Exception | None = None) -> None:
        """Ends, well or not."""
        self._said.put_nowait(error)

    async def read_messages(self) -> AsyncIterator[Json]:
        while (message := await self._said.get()) is not None:
            if isinstance(message, Exception):
                raise message
            yield message

    async def hook(self, event: str, **fields: Any) -> list[Json]:
        """Calls an event's hooks and returns their answers."""
        answers = []
        for callback_id in self.hook_ids[event]:
            request_id = f"h{next(self._ids)}"
            answers.append(self._answers.setdefault(request_id, asyncio.get_running_loop().create_future()))
            given = {"session_id": "c", "hook_event_name": event, **fields}
            request = {"subtype": "hook_callback", "callback_id": callback_id, "input": given}
            self.say({"type": "control_request", "request_id": request_id, "request": request})
        return list(await asyncio.wait_for(asyncio.gather(*answers), DEADLINE_SECONDS))

    async def close(self) -> None:
        if not self.closes:
            await asyncio.Event().wait()
        self.closed.set()
        self.exit()

    def is_ready(self) -> bool:
        return not self.closed.is_set()

    async def end_input(self) -> None:
        pass

    @property
    def asked(self) -> list[str]:
        return [message["request"]["subtype"] for message in self.sent if message["type"] == "control_request"]

    @property
    def prompts(self) -> list[Any]:
        return [message["message"]["content"] for message in self.sent if message["type"] == "user"]


def text(words: str) -> Json:
    return assistant({"type": "text", "text": words})


def assistant(*blocks: Json, parent: str | None = None) -> Json:
    return {"type": "assistant", "message": {"content": list(blocks), "model": "m"}, "parent_tool_use_id": parent}


def use(tool_use_id: str) -> Json:
    return {"type": "tool_use", "id": tool_use_id, "name": "Bash", "input": {"command": "ls"}}


def tool_result(tool_use_id: str, content: str, *, is_error: bool = False) -> Json:
    block = {"type": "tool_result", "tool_use_id": tool_use_id, "content": content, "is_error": is_error}
    return {"type": "user", "message": {"content": [block]}, "parent_tool_use_id": None}


def result(tokens: int | None = None, **more: Any) -> Json:
    body = {
        "type": "result", "subtype": "success", "duration_ms": 5, "duration_api_ms": 4, "is_error": False,
        "num_turns": 1, "session_id": "c", "terminal_reason": "completed",
    }  # fmt: skip
    return body | ({"modelUsage": sums(tokens)} if tokens is not None else {}) | more


def sums(tokens: int) -> Json:
    names = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    return {"m": dict.fromkeys(names, tokens) | {"costUSD": tokens / 1000}}


def state(name: str) -> Json:
    return {"type": "system", "subtype": "session_state_changed", "state": name}


ABORTED = (
    text("half a"),
    result(1, subtype="error_during_execution", is_error=True, terminal_reason="aborted_streaming"),
)
CALL = {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "t1"}


class Watch:
    """What people would see of one session, and their Stop."""

    def __init__(self, bus: Bus, url: str) -> None:
        self.bus, self.sessions, self.events, self.url = bus, Sessions(bus), Events(bus), url

    def client(self, program: Transport, options: ClaudeAgentOptions | None = None, **more: Any) -> BridgedClaudeClient:
        return BridgedClaudeClient(options, program, redis_url=self.url, **({"session_id": "s"} | QUICK | more))

    async def told(self) -> list[Json]:
        page = await self.events.page("s", limit=500)
        return [json.loads(event) for event in page.events] if page is not None else []

    async def kinds(self) -> list[str]:
        return [event["event_type"] for event in await self.told()]

    async def session(self) -> Json:
        found = await self.sessions.get("s")
        assert found is not None
        session: Json = json.loads(found)
        return session

    async def stop(self, client: BridgedClaudeClient | None = None) -> None:
        """Presses Stop, and waits until the client has heard of it."""
        assert (await self.sessions.request_stop("s", "c")).outcome == "sent"
        if client is not None:
            await asyncio.wait_for(client.bridge.wait_for_stop(), DEADLINE_SECONDS)

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not await condition():
                await asyncio.sleep(0.01)

    async def until_told(self, *kinds: str) -> list[Json]:
        """Waits until the events are of these types, and returns them."""

        async def are() -> bool:
            return await self.kinds() == list(kinds)

        try:
            await self.until(are)
        except TimeoutError:
            raise AssertionError(f"told {await self.kinds()}, not {kinds}") from None
        return await self.told()

    async def until_status(self, status: str) -> Json:
        async def has() -> bool:
            return bool((await self.session())["status"] == status)

        await self.until(has)
        return await self.session()


@pytest.fixture
def watch(real_bus: Bus, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setenv("AGENT_ORCHESTRATOR_NAMESPACE", real_bus.keys.namespace)
    return Watch(real_bus, redis_server.url)


@contextmanager
def child(program: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process in the place of the program's."""
    arguments = [sys.executable, "-c", program]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, stdin=pipe, stdout=pipe, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


async def collect(messages: AsyncIterator[Message], into: list[Message]) -> None:
    # One by one: what came before an error counts.
    async for message in messages:
        into.append(message)  # noqa: PERF401


# What is reported.


async def test_prompts_texts_tools_usage_and_results_are_told_in_their_order(watch: Watch) -> None:
    program = Program()
    async with watch.client(program) as client:
        await client.query("list it")
        program.say(
            assistant({"type": "thinking", "thinking": "hm", "signature": "x"}), text("so"), assistant(use("t1"))
        )
        await program.hook("PreToolUse", **CALL)
        await program.hook("PostToolUse", **CALL, tool_response={"stdout": "a"}, duration_ms=3)
        program.say(tool_result("t1", "a"), text("done"), result(7))
        kinds = [type(message).__name__ async for message in client.receive_response()]
    assert kinds == ["AssistantMessage"] * 3 + ["UserMessage", "AssistantMessage", "ResultMessage"]
    told = await watch.told()
    assert [(event["event_type"], event["role"], event["content"]) for event in told] == [
        ("session_start", None, None),
        ("message", "user", [{"type": "text", "text": "list it"}]),
        ("message", "assistant", [{"type": "thinking", "thinking": "hm"}]),
        ("message", "assistant", [{"type": "text", "text": "so"}]),
        ("pre_tool", None, None),
        ("post_tool", None, None),
        ("message", "assistant", [{"type": "text", "text": "done"}]),
        ("usage", None, None),
        ("result", None, None),
        ("session_stop", None, None),
    ]
    assert {**told[5]}.items() >= {**CALL, "tool_output": {"stdout": "a"}, "error": None, "duration_ms": 3}.items()
    assert (told[7]["input_tokens"], told[7]["cost_usd"]) == (7, 0.007)
    assert (told[8]["subtype"], told[8]["terminal_reason"]) == ("success", "completed")
    assert (told[9]["exit_code"], told[9]["reason"]) == (0, None)


async def test_nothing_waits_for_somebody_to_iterate(watch: Watch) -> None:
    program = Program()
    async with watch.client(program) as client:
        await client.query("go")
        program.say(*[text(str(n)) for n in range(300)])
        await program.hook("PreToolUse", **CALL)
        program.say(result())
        kinds = ["session_start", *["message"] * 301, "pre_tool", "result"]
        await watch.until_told(*kinds)
        assert len([message async for message in client.receive_response()]) == 301


async def test_prompts_are_told_as_they_are_sent_whichever_way(watch: Watch) -> None:
    async def prompts(*contents: Any) -> AsyncIterator[Json]:
        yield {"type": "keep_alive"}
        for content in contents:
            yield {"type": "user", "message": {"role": "user", "content": content}}

    program = Program()
    client = watch.client(program)
    await client.connect(prompts("a"))
    await eventually(lambda: program.prompts == ["a"], "the first prompt")
    await client.query("b")
    blocks = [{"type": "text", "text": "c"}]
    await client.query(prompts(blocks, "d"))
    await client.disconnect()
    await client.connect("e")
    await client.disconnect()
    assert program.prompts == ["a", "b", blocks, "d", "e"]
    told = [event["content"][0]["text"] for event in await watch.told() if event["event_type"] == "message"]
    assert told == ["a", "b", "c", "d", "e"]


async def test_usage_adds_up_to_what_the_program_counts(watch: Watch) -> None:
    program = Program()
    program.usage = sums(60)
    async with watch.client(program) as client:
        await client.query("go")
        program.say(text("a"), result(10), text("b"), result(30), text("of a subagent, after the result"))
        await watch.until_told(
            "session_start", *["message"] * 2, "usage", "result", "message", "usage", "result", "message"
        )
    counts = [event["output_tokens"] for event in await watch.told() if event["event_type"] == "usage"]
    assert counts == [10, 20, 30]


@pytest.mark.parametrize("options", [{"resume": "c"}, {"continue_conversation": True}], ids=["resume", "continue"])
async def test_a_resumed_conversation_does_not_count_what_it_had_used_before(
    watch: Watch, options: dict[str, Any]
) -> None:
    program = Program()
    program.usage = sums(50)
    async with watch.client(program, ClaudeAgentOptions(**options)) as client:
        await client.query("go")
        program.say(text("a"), result(57))
        assert [message async for message in client.receive_response()]
    assert [event["output_tokens"] for event in await watch.told() if event["event_type"] == "usage"] == [7]


async def test_the_users_options_and_hooks_stay_in_effect_and_as_they_were(watch: Watch) -> None:
    called = []

    async def own(hook: Any, tool_use_id: str | None, context: Any) -> Any:
        called.append(hook["hook_event_name"])
        return {"systemMessage": "own"}

    hooks: Any = {"PreToolUse": [HookMatcher("Bash", [own])], "Stop": [HookMatcher(hooks=[own])]}
    options = ClaudeAgentOptions(model="m", env={"A": "b"}, hooks=hooks, cwd="/somewhere")
    program = Program()
    async with watch.client(program, options) as client:
        assert (await program.hook("PreToolUse", **CALL)) == [{"systemMessage": "own"}, {}]
        assert (await program.hook("Stop")) == [{"systemMessage": "own"}]
        assert client.options.model == "m"
        assert client.options.env == {
            "A": "b", "AGENT_BRIDGE_SESSION": "s", "CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS": "1",
        }  # fmt: skip
    assert called == ["PreToolUse", "Stop"]
    assert (options.env, options.hooks) == ({"A": "b"}, hooks)
    assert {event: len(matchers) for event, matchers in hooks.items()} == {"PreToolUse": 1, "Stop": 1}
    session = await watch.session()
    assert (session["project_dir"], session["agent_name"]) == ("/somewhere", "claude-agent-sdk")


@pytest.mark.parametrize("wanted", [True, False])
async def test_what_the_program_says_of_its_state_is_for_who_asked_for_it(watch: Watch, wanted: bool) -> None:
    options = ClaudeAgentOptions(env={"CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS": "1"} if wanted else {})
    program = Program()
    async with watch.client(program, options) as client:
        await client.query("go")
        program.say(state("running"), text("a"), result())
        messages = [message async for message in client.receive_response()]
    assert any(isinstance(message, SystemMessage) for message in messages) is wanted


async def test_a_project_is_the_working_directory_unless_something_says_otherwise(watch: Watch, tmp_path: Path) -> None:
    async with watch.client(Program()):
        assert (await watch.session())["project_dir"] == str(Path.cwd())
    options = ClaudeAgentOptions(cwd="/a")
    async with watch.client(Program(), options, session_id="t", project_dir=tmp_path, agent_name="x"):
        session = json.loads(await watch.sessions.get("t") or b"{}")
    assert (session["project_dir"], session["agent_name"]) == (str(tmp_path), "x")


# What a stop does.


async def test_a_stop_in_an_answer_interrupts_it_hands_out_the_rest_and_then_raises(watch: Watch) -> None:
    program = Program(on_interrupt=ABORTED)
    messages: list[Message] = []
    async with watch.client(program, interrupt_seconds=DEADLINE_SECONDS) as client:
        await client.query("go")
        program.say(text("a"))
        reading = asyncio.create_task(collect(client.receive_response(), messages))
        await eventually(lambda: messages, "the first message")
        await watch.stop()
        with pytest.raises(SessionStopped) as stopped:
            await reading
        assert stopped.value.command.command_id == "c"
        # Who is told so may rely on it.
        assert program.closed.is_set()
        session = await watch.session()
        assert (session["status"], session["stop_confirmed"]) == ("stopped", True)
    assert [type(message) for message in messages] == [AssistantMessage, AssistantMessage, ResultMessage]
    assert program.asked == ["initialize", "interrupt"]
    told = await watch.until_told("session_start", *["message"] * 3, "usage", "result", "session_stop")
    last = told[-1]
    assert (last["reason"], last["terminal_reason"], last["survivors"]) == ("stopped", "aborted_streaming", [])


@pytest.mark.parametrize("reads", [True, False], ids=["who reads all messages", "who is busy elsewhere"])
async def test_a_stop_between_turns_is_confirmed_whatever_the_user_does(watch: Watch, reads: bool) -> None:
    program = Program()
    messages: list[Message] = []
    async with watch.client(program) as client:
        await client.query("go")
        program.say(text("a"), result())
        reading = asyncio.create_task(collect(client.receive_messages(), messages)) if reads else None
        await watch.until_told("session_start", "message", "message", "result")
        await watch.stop()
        assert (await watch.until_status("stopped"))["stop_confirmed"] is True
        if reading is not None:
            with pytest.raises(SessionStopped):
                await reading
        with pytest.raises(SessionStopped):
            await client.query("more")
        with pytest.raises(SessionStopped):
            await collect(client.receive_messages(), messages)
    assert program.prompts == ["go"]
    assert len(messages) == 2


async def test_a_stop_does_not_wait_for_messages_that_nobody_takes(watch: Watch) -> None:
    program = Program(on_interrupt=ABORTED)
    async with watch.client(program, interrupt_seconds=DEADLINE_SECONDS) as client:
        await client.query("go")
        program.say(*[text("a")] * (MAX_BACKLOG + 300))
        await watch.stop()
        await watch.until_status("stopped")
        messages: list[Message] = []
        with pytest.raises(SessionStopped):
            await collect(client.receive_response(), messages)
    assert len(messages) == MAX_BACKLOG + 302


async def test_a_stop_reads_on_until_the_program_says_that_it_is_idle(watch: Watch) -> None:
    program = Program(on_interrupt=(result(terminal_reason="aborted_streaming"), state("running")))
    async with watch.client(program, interrupt_seconds=DEADLINE_SECONDS) as client:
        await client.query("go")
        program.say(state("running"))
        await watch.stop()
        await eventually(lambda: "interrupt" in program.asked, "the interrupt")
        # A prompt that was waiting takes its turn, and its hook sends it away.
        (answer,) = await program.hook("UserPromptSubmit", prompt="waiting")
        assert answer == {"continue": False, "stopReason": STOPPED, "decision": "block", "reason": STOPPED}
        assert not program.closed.is_set()
        program.say(result(terminal_reason=None), state("idle"))
        await watch.until_status("stopped")
    assert (await watch.told())[-1]["terminal_reason"] == "aborted_streaming"


@pytest.mark.parametrize("silent", [("interrupt", "get_usage"), ("get_usage",)], ids=["no answer", "no result"])
async def test_a_program_that_does_not_heed_the_interrupt_is_disconnected_all_the_same(
    watch: Watch, silent: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    program = Program(silent=silent)
    async with watch.client(program) as client:
        await client.query("go")
        await watch.stop()
        assert (await watch.until_status("stopped"))["stop_confirmed"] is True
    assert program.closed.is_set()
    assert "does not heed the interrupt" in caplog.text


async def test_after_a_stop_no_tool_begins_and_the_turn_ends(watch: Watch) -> None:
    program = Program(silent=("interrupt",))
    async with watch.client(program, interrupt_seconds=DEADLINE_SECONDS) as client:
        await client.query("go")
        program.say(assistant(use("t1")))
        await watch.stop()
        await eventually(lambda: "interrupt" in program.asked, "the interrupt")
        (answer,) = await program.hook("PreToolUse", **CALL)
        assert answer["continue"] is False
        assert answer["hookSpecificOutput"]["permissionDecision"] == "deny"
        assert answer["hookSpecificOutput"]["permissionDecisionReason"] == STOPPED
        (answer,) = await program.hook("PostToolUse", **CALL | {"tool_use_id": "t0"}, tool_response="late")
        assert answer == {"continue": False, "stopReason": STOPPED}
        program.exit()
        await watch.until_status("stopped")
    told = await watch.told()
    assert [event["event_type"] for event in told[2:5]] == ["pre_tool", "post_tool", "post_tool"]
    assert told[3]["error"] == STOPPED


async def test_a_call_that_the_stop_cut_off_is_told_as_ended(watch: Watch) -> None:
    program = Program()
    async with watch.client(program) as client:
        await client.query("go")
        program.say(assistant(use("t1")))
        await program.hook("PreToolUse", **CALL)
        await watch.stop()
        await watch.until_status("stopped")
    told = await watch.until_told("session_start", "message", "pre_tool", "post_tool", "session_stop")
    assert told[3]["error"] == UNANSWERED


async def test_a_stop_cuts_off_prompts_that_are_still_being_made(watch: Watch) -> None:
    async def prompts() -> AsyncIterator[Json]:
        yield {"type": "user", "message": {"content": "a"}}
        await asyncio.Event().wait()

    program = Program(on_interrupt=(result(),))
    async with watch.client(program) as client:
        sending = asyncio.create_task(client.query(prompts()))
        await eventually(lambda: program.prompts == ["a"], "the first prompt")
        await watch.stop()
        with pytest.raises(SessionStopped):
            await sending


async def test_after_a_stop_no_prompt_of_the_connections_stream_is_sent(watch: Watch) -> None:
    go_on, asked = asyncio.Event(), asyncio.Event()

    async def prompts() -> AsyncIterator[Json]:
        yield {"type": "user", "message": {"content": "a"}}
        await go_on.wait()
        asked.set()
        yield {"type": "user", "message": {"content": "b"}}

    program = Program(silent=("interrupt",))
    client = watch.client(program, interrupt_seconds=DEADLINE_SECONDS)
    await client.connect(prompts())
    await eventually(lambda: program.prompts == ["a"], "the first prompt")
    await watch.stop(client)
    go_on.set()
    await asked.wait()
    program.exit()
    await watch.until_status("stopped")
    await client.disconnect()
    assert program.prompts == ["a"]
    assert await watch.kinds() == ["session_start", "message", "session_stop"]


async def test_what_a_transport_could_not_close_leaves_the_stop_unconfirmed(watch: Watch) -> None:
    program = Program()
    program.closes = False
    async with watch.client(program, lease_seconds=0.3) as client:
        reading = asyncio.create_task(collect(client.receive_messages(), []))
        await watch.stop(client)
        with pytest.raises(SessionStopped):
            await asyncio.wait_for(reading, DEADLINE_SECONDS)
        assert (await watch.told())[-1]["event_type"] == "stop_incomplete"
        await watch.until(lambda: _lapsed(watch))
    session = await watch.session()
    assert (session["status"], session["stop_confirmed"]) == ("stopped", False)


async def _lapsed(watch: Watch) -> bool:
    return bool(await watch.sessions.lapse_leases())


async def test_work_that_the_user_runs_under_the_bridge_does_not_confirm_the_stop_of_the_program(watch: Watch) -> None:
    program = Program(silent=("interrupt",))
    async with watch.client(program, interrupt_seconds=DEADLINE_SECONDS) as client:
        await client.query("go")
        working = asyncio.create_task(client.bridge.run(asyncio.Event().wait()))
        await asyncio.sleep(0)
        await watch.stop(client)
        with pytest.raises(SessionStopped):
            await working
        program.exit()
        await watch.until_status("stopped")
    # What only the client says, and with its confirmation.
    assert (await watch.told())[-1]["survivors"] == []


STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)
PATIENT = "import sys; print('ready', flush=True); sys.stdin.read()"
PARENT = (
    "import subprocess, time; subprocess.Popen(['sleep', '600'], start_new_session=True); "
    "print('ready', flush=True); time.sleep(600)"
)


async def test_a_stop_ends_what_is_left_of_the_programs_processes_before_it_is_confirmed(watch: Watch) -> None:
    with child(STUBBORN) as process:
        program = Program(pid=process.pid)
        program.closes = False
        async with watch.client(program, terminate_seconds=0.05) as client:
            await watch.stop(client)
            with pytest.raises(SessionStopped):
                await client.query("more")
            assert process.poll() is not None
            assert (await watch.session())["stop_confirmed"] is True


async def test_a_program_has_ended_of_its_disconnection_before_others_are_looked_for(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = []
    end_tree = ProcessTree.end

    async def noting(tree: ProcessTree, escalation: Escalation) -> TreeEnded:
        codes.append(process.poll())
        return await end_tree(tree, escalation)

    class Graceful(Program):
        async def close(self) -> None:
            assert process.stdin is not None
            process.stdin.close()
            await asyncio.to_thread(process.wait)
            await super().close()

    monkeypatch.setattr(ProcessTree, "end", noting)
    with child(PATIENT) as process:
        async with watch.client(Graceful(pid=process.pid), exit_seconds=DEADLINE_SECONDS) as client:
            await watch.stop(client)
            with pytest.raises(SessionStopped):
                await client.query("more")
    assert codes == [0]


async def test_what_can_not_be_ended_is_named_and_leaves_the_stop_unconfirmed(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with child(STUBBORN) as process:
        monkeypatch.setattr("agent_bridge.process_tree.deliver", lambda *_: False)
        monkeypatch.setattr(ProcessTree, "_kill_group", lambda *_: False)
        async with watch.client(Program(pid=process.pid), terminate_seconds=0, kill_seconds=0.05) as client:
            await watch.stop(client)
            with pytest.raises(SessionStopped):
                await client.query("more")
    told = (await watch.told())[-1]
    assert told["event_type"] == "stop_incomplete"
    assert [survivor["pid"] for survivor in told["survivors"]] == [process.pid]


async def test_code_that_blocks_the_loop_keeps_neither_the_processes_nor_the_confirmation(
    watch: Watch, redis_server: RedisServer
) -> None:
    with child(PARENT) as process, ThreadPoolExecutor(1) as elsewhere:
        assert process.stdout is not None
        async with watch.client(Program(pid=process.pid), terminate_seconds=0) as client:
            stopping = elsewhere.submit(stop_and_wait, redis_server.url, watch.bus.keys)
            # Nothing else runs on this loop until the session counts as stopped.
            assert stopping.result(DEADLINE_SECONDS)["stop_confirmed"] is True
            # All of them held the other end.
            assert process.stdout.read() == b""
            with pytest.raises(SessionStopped):
                await client.query("more")
    assert await watch.kinds() == ["session_start", "session_stop"]


def stop_and_wait(url: str, keys: Keys) -> Json:
    """Presses Stop and waits for the confirmation, on a loop of its own."""

    async def press() -> Json:
        redis = connect(url, name="test")
        sessions = Sessions(Bus(redis, keys))
        try:
            assert (await sessions.request_stop("s", "c")).outcome == "sent"
            async with asyncio.timeout(DEADLINE_SECONDS):
                while (session := json.loads(await sessions.get("s") or b"{}"))["status"] != "stopped":
                    await asyncio.sleep(0.01)
        finally:
            await redis.aclose()
        return dict(session)

    return asyncio.run(press())


async def test_a_stop_that_was_given_before_keeps_it_from_connecting(watch: Watch) -> None:
    await Driver(watch.bus).post("session_start")
    assert (await watch.sessions.request_stop("s", "c")).outcome == "unattended"
    program = Program()
    with pytest.raises(SessionStopped):
        async with watch.client(program):
            pass
    assert program.sent == []
    assert (await watch.until_status("stopped"))["stop_confirmed"] is True


async def test_a_stop_while_it_connects_ends_that(watch: Watch) -> None:
    program = Program(silent=("initialize",))
    client = watch.client(program)
    connecting = asyncio.create_task(client.connect())
    await eventually(lambda: program.asked, "the program to be asked")
    await watch.stop()
    with pytest.raises(SessionStopped):
        await connecting
    assert program.closed.is_set()
    assert (await watch.session())["stop_confirmed"] is True


@pytest.mark.parametrize("same", [True, False], ids=["the same client", "another client"])
async def test_a_session_that_was_stopped_can_be_started_again(watch: Watch, same: bool) -> None:
    program = Program()
    client = watch.client(program)
    with pytest.raises(SessionStopped):
        async with client:
            await watch.stop()
            await watch.until_status("stopped")
            await client.query("more")
    again = client if same else watch.client(program)
    async with again:
        await again.query("go on")
        program.say(text("a"), result())
        assert len([message async for message in again.receive_response()]) == 2
        assert (await watch.session())["status"] == "running"
    assert (await watch.session())["status"] == "finished"


# How else it ends.


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize(("code", "told", "reason"), [(-9, 137, "killed by SIGKILL"), (3, 3, "exited")])
async def test_a_program_that_dies_ends_the_session_at_once_with_its_exit_code(
    watch: Watch, code: int, told: int, reason: str, reads: bool
) -> None:
    program = Program()
    async with watch.client(program) as client:
        await client.query("go")
        program.say(text("a"))
        program.exit(ProcessError("failed", exit_code=code))
        await watch.until_status("finished")
        if reads:
            messages: list[Message] = []
            with pytest.raises(ProcessError):
                await collect(client.receive_response(), messages)
            assert len(messages) == 1
        with pytest.raises(CLIConnectionError):
            await client.query("more")
    last = (await watch.told())[-1]
    assert (last["event_type"], last["exit_code"], last["reason"]) == ("session_stop", told, f"Claude Code {reason}")


async def test_a_program_that_ends_well_ends_the_iteration_and_leaves_the_word_to_the_users_code(watch: Watch) -> None:
    program = Program()
    with pytest.raises(ZeroDivisionError):
        async with watch.client(program) as client:
            await client.query("go")
            program.say(text("a"))
            program.exit()
            assert len([message async for message in client.receive_messages()]) == 1
            assert (await watch.session())["status"] == "running"
            1 / 0  # noqa: B018
    last = (await watch.told())[-1]
    assert (last["exit_code"], last["reason"]) == (1, "ZeroDivisionError: division by zero")


async def test_a_message_that_can_not_be_read_is_raised_and_the_next_can_be_read(watch: Watch) -> None:
    program = Program()
    async with watch.client(program) as client:
        await client.query("go")
        program.say({"type": "assistant", "message": {}}, text("a"), result())
        with pytest.raises(Exception, match="Missing required field"):
            await collect(client.receive_response(), [])
        assert len([message async for message in client.receive_response()]) == 2
    assert (await watch.told())[-1]["exit_code"] == 0


async def test_failing_to_connect_is_raised_and_told(watch: Watch) -> None:
    class Absent(Program):
        async def connect(self) -> None:
            raise CLIConnectionError("no program")

    with pytest.raises(CLIConnectionError):
        async with watch.client(Absent()):
            pass
    last = (await watch.told())[-1]
    assert (last["exit_code"], last["reason"]) == (1, "CLIConnectionError: no program")


async def test_who_is_cancelled_disconnects_and_tells_so(watch: Watch) -> None:
    program, entered = Program(), asyncio.Event()

    async def work() -> None:
        async with watch.client(program) as client:
            entered.set()
            await collect(client.receive_messages(), [])

    working = asyncio.create_task(work())
    await entered.wait()
    await end([working])
    assert working.cancelled()
    assert program.closed.is_set()
    assert (await watch.told())[-1]["reason"] == "CancelledError"


async def test_a_connection_that_is_cancelled_ends_and_tells_so(watch: Watch) -> None:
    program = Program(silent=("initialize",))
    connecting = asyncio.create_task(watch.client(program).connect())
    await eventually(lambda: program.asked, "the program to be asked")
    await end([connecting])
    assert program.closed.is_set()
    assert (await watch.told())[-1]["reason"] == "CancelledError"


async def test_processes_that_the_program_leaves_behind_are_left_alone_and_named(watch: Watch) -> None:
    with child(PARENT) as process:
        async with watch.client(Program(pid=process.pid)):
            pass
        left = (await watch.told())[-1]["left_running"]
        assert (len(left), left[0]["pid"], left[1]["name"]) == (2, process.pid, "sleep")
        for one in left:
            os.kill(one["pid"], 9)


async def test_who_disconnects_is_not_connected_until_connecting_again(watch: Watch) -> None:
    client = watch.client(Program())
    for call in (lambda: client.query("a"), lambda: collect(client.receive_response(), [])):
        with pytest.raises(CLIConnectionError, match="Not connected"):
            await call()
    await client.disconnect()
    await client.connect()
    reading = asyncio.create_task(collect(client.receive_messages(), []))
    await asyncio.sleep(0)
    await client.disconnect()
    await reading
    with pytest.raises(CLIConnectionError, match="Not connected"):
        await client.query("a")
    assert await watch.kinds() == ["session_start", "session_stop"]


def test_without_the_sdk_the_import_says_what_to_install() -> None:
    program = "import sys; sys.modules['claude_agent_sdk'] = None; import agent_bridge; import agent_bridge.claude"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ImportError: " in done.stderr
    assert "pip install 'agent-orchestrator[claude]'" in done.stderr.splitlines()[-1]


@pytest.fixture(autouse=True)
def _hear_the_bridge(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "agent_bridge")
