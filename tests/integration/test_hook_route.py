"""`POST /hooks/claude-code` as any HTTP client sees it: Claude Code's own JSON in, its own answers out."""

import asyncio
import json

import httpx
import pytest

from tests.browser import Browser, about
from tests.processes import DEADLINE_SECONDS

Clients = tuple[httpx.AsyncClient, httpx.AsyncClient]
Browsers = tuple[Browser, Browser]
ROUTE = "/hooks/claude-code"


def body(session_id: str, name: str, prompt_id: str = "p1", **fields: object) -> dict[str, object]:
    head = {"session_id": session_id, "transcript_path": "/t.jsonl", "cwd": "/src/app", "prompt_id": prompt_id}
    return {**head, "hook_event_name": name, **fields}


async def hook(client: httpx.AsyncClient, session_id: str, name: str, **fields: object) -> dict[str, object]:
    response = await client.post(ROUTE, json=body(session_id, name, **fields))
    assert response.status_code == 200, response.text
    answer: dict[str, object] = response.json()
    return answer


async def test_a_turn_is_told_to_every_browser_as_a_run(http: Clients, browsers: Browsers, session_id: str) -> None:
    tool = {"tool_name": "Read", "tool_input": {"file_path": "/a"}, "tool_use_id": "t1"}
    assert await hook(http[0], session_id, "UserPromptSubmit", prompt="do it") == {}
    assert await hook(http[1], session_id, "PreToolUse", **tool) == {}
    assert await hook(http[0], session_id, "PostToolUse", **tool, tool_response="text", duration_ms=3) == {}
    assert await hook(http[1], session_id, "Stop", last_assistant_message="Done.") == {}
    for browser in browsers:
        await browser.until(lambda m: about(m) == session_id and m.get("session", {}).get("status") == "finished")
        told = [m["data"]["event_type"] for m in browser.of(session_id) if m["type"] == "event"]
        assert told == ["session_start", "message", "pre_tool", "post_tool", "message", "session_stop"]
    session = (await http[0].get(f"/sessions/{session_id}")).json()
    assert (session["project_dir"], session["agent_name"], session["presence"]) == ("/src/app", "claude-code", "none")


async def test_a_stop_denies_the_next_tool_is_confirmed_when_quiet_and_a_new_prompt_runs_again(
    http: Clients, browsers: Browsers, session_id: str
) -> None:
    await hook(http[0], session_id, "UserPromptSubmit", prompt="do it")
    assert (await http[1].post(f"/sessions/{session_id}/stop")).json()["status"] == "stopped"
    answer = await hook(http[0], session_id, "PreToolUse", tool_name="Bash", tool_input={}, tool_use_id="t1")
    assert answer["continue"] is False
    assert answer["hookSpecificOutput"]["permissionDecision"] == "deny"  # type: ignore[index]
    assert (await http[0].get(f"/sessions/{session_id}")).json()["stop_confirmed"] is False
    assert (await hook(http[0], session_id, "UserPromptSubmit", prompt="queued"))["continue"] is False
    await browsers[1].until(lambda m: about(m) == session_id and m.get("session", {}).get("stop_confirmed") is True)
    assert await hook(http[0], session_id, "UserPromptSubmit", prompt="go on", prompt_id="p2") == {}
    assert (await http[1].get(f"/sessions/{session_id}")).json()["status"] == "running"


async def test_the_headers_name_the_session_whatever_they_are_encoded_in(http: Clients, session_id: str) -> None:
    for name, encoding in (("Prüfung", "latin-1"), ("日本", "utf-8")):
        headers = [(b"x-session-name", name.encode(encoding)), (b"x-agent-name", b"reviewer")]
        content = json.dumps(body(f"{session_id}-{encoding}", "UserPromptSubmit", prompt="x"))
        assert (await http[0].post(ROUTE, content=content, headers=headers)).status_code == 200
        session = (await http[0].get(f"/sessions/{session_id}-{encoding}")).json()
        assert (session["session_name"], session["agent_name"]) == (name, "reviewer")


async def test_the_hooks_of_a_program_that_a_bridge_reports_on_say_nothing(http: Clients, session_id: str) -> None:
    content = json.dumps(body(session_id, "UserPromptSubmit", prompt="x"))
    answer = await http[0].post(ROUTE, content=content, headers={"X-Bridged-Session": "s"})
    assert (answer.status_code, answer.json()) == (200, {})
    assert (await http[0].get(f"/sessions/{session_id}")).status_code == 404


async def test_a_result_larger_than_an_event_is_cut_and_not_lost(http: Clients, session_id: str) -> None:
    await hook(http[0], session_id, "PostToolUse", tool_name="Read", tool_input={}, tool_response="x" * 3_000_000)
    (event,) = [
        event
        for event in (await http[0].get(f"/events/{session_id}")).json()["events"]
        if event["event_type"] == "post_tool"
    ]
    assert event["tool_output"]["truncated"] is True


@pytest.mark.parametrize("content", [b"nonsense", b"{}", b"[]", b""])
async def test_what_is_no_hook_is_refused_with_what_is_wrong(http: Clients, content: bytes) -> None:
    answer = await http[0].post(ROUTE, content=content)
    assert answer.status_code == 422
    assert answer.json()["detail"]


async def test_a_page_of_another_origin_may_not_pretend_to_be_a_hook(http: Clients, session_id: str) -> None:
    content = json.dumps(body(session_id, "UserPromptSubmit", prompt="x"))
    answer = await http[0].post(ROUTE, content=content, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert (await http[0].get(f"/sessions/{session_id}")).status_code == 404


async def test_hooks_that_come_at_once_are_all_kept(http: Clients, session_id: str) -> None:
    await hook(http[0], session_id, "UserPromptSubmit", prompt="do it")
    tools = [f"t{number}" for number in range(50)]
    fields = {"tool_name": "Read", "tool_input": {}}
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(
            *(hook(http[n % 2], session_id, "PreToolUse", tool_use_id=t, **fields) for n, t in enumerate(tools))
        )
    events = (await http[0].get(f"/events/{session_id}")).json()["events"]
    assert sorted(event["tool_use_id"] for event in events if event["event_type"] == "pre_tool") == sorted(tools)
