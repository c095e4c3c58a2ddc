import json
import random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agent_bridge.claude_settings import (
    EVENTS,
    START_EVENT,
    Hooks,
    InvalidSettings,
    command_hooks,
    found,
    http_hooks,
    install,
    uninstall,
)
from agent_bus.coordinator_address import HOOK_HEADERS

PROGRAM = "/opt/a place/bin/agent-bridge"
WATCH = f"'{PROGRAM}' watch claude-code"
HTTP = http_hooks("http://localhost:8765", WATCH)
ELSEWHERE = http_hooks("https://elsewhere.example/below", f"{WATCH} --redis-url redis://elsewhere:6379/0")
COMMANDS = command_hooks(f"'{PROGRAM}' hook", WATCH)
OWN = {"matcher": "Bash", "hooks": [{"type": "command", "command": "echo own"}]}

# Other tests that run beside these may keep them waiting.
unhurried = settings(deadline=None)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)
groups = st.just(OWN) | st.just({"hooks": [{"type": "http", "url": "http://own/hooks"}]}) | values
own_hooks = st.dictionaries(st.sampled_from([START_EVENT, *EVENTS, "Setup"]), st.lists(groups, max_size=3), max_size=4)
documents = st.builds(
    lambda first, hooks, last: {**first, **({} if hooks is None else {"hooks": hooks}), **last},
    st.dictionaries(st.text().filter("hooks".__ne__), values, max_size=3),
    st.none() | own_hooks,
    st.dictionaries(st.text().filter("hooks".__ne__), values, max_size=3),
)
some_hooks = st.sampled_from([HTTP, ELSEWHERE, COMMANDS])
layouts = st.builds(
    lambda ascii_only, indent, separators, ending, newline, mark: (
        lambda value: (
            mark
            + json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators).replace("\n", newline)
            + ending.replace("\n", newline)
        )
    ),
    st.booleans(),
    st.sampled_from([None, 0, 2, 4, "\t"]),
    st.sampled_from([None, (",", ":"), (", ", ": ")]),
    st.sampled_from(["", "\n", "\n\n", "  "]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\ufeff"]),
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Settings as any program may have written them down."""
    return str(draw(layouts)(draw(documents)))


@st.composite
def untidy_texts(draw: st.DrawFn) -> str:
    """Settings as no program writes them: whitespace of any kind wherever JSON allows it."""
    chance = draw(st.randoms(use_true_random=False))
    return _untidy(draw(documents), chance)


def _untidy(value: Any, chance: random.Random) -> str:
    def space() -> str:
        return "".join(chance.choices([" ", "\t", "\n", "\r\n"], k=chance.choice([0, 0, 1, 2])))

    match value:
        case dict():
            inside = ",".join(
                f"{space()}{json.dumps(k)}{space()}:{space()}{_untidy(v, chance)}{space()}" for k, v in value.items()
            )
            text = f"{{{inside or space()}}}"
        case list():
            text = f"[{','.join(f'{space()}{_untidy(it, chance)}{space()}' for it in value) or space()}]"
        case _:
            text = json.dumps(value)
    return text


def data(text: str) -> dict[str, Any]:
    loaded = json.loads(text.removeprefix("\ufeff"))
    assert isinstance(loaded, dict)
    return loaded


def merged(before: dict[str, Any], hooks: Hooks) -> dict[str, Any]:
    """What install should come to, by way of data rather than of text."""
    own = before.get("hooks", {})
    events = {**own, **{event: [*own.get(event, []), {"hooks": list(hooks[event])}] for event in hooks}}
    return {**before, "hooks": events}


@unhurried
@given(texts() | untidy_texts(), some_hooks)
def test_installing_adds_the_hooks_behind_what_is_there(text: str, hooks: Hooks) -> None:
    after = install(text, hooks)
    expected = merged(data(text), hooks)
    assert data(after) == expected
    assert list(data(after)) == list(expected)
    assert list(data(after)["hooks"]) == list(expected["hooks"])
    assert found(after) == hooks


@unhurried
@given(texts() | untidy_texts(), some_hooks)
def test_what_is_not_ours_stays_byte_for_byte(text: str, hooks: Hooks) -> None:
    after = install(text, hooks)
    rest = iter(after)
    kept = text.translate(dict.fromkeys(map(ord, " \t\r\n"))) if _has_empty_places(data(text)) else text
    assert all(character in rest for character in kept), "install did more than insert"


def _has_empty_places(before: dict[str, Any]) -> bool:
    """Whether there is something empty for our hooks to go into: the whitespace between its brackets is not kept."""
    own = before.get("hooks", before)
    return not own or any(not event for event in own.values())


@unhurried
@given(texts() | untidy_texts(), some_hooks)
def test_uninstalling_gives_back_every_byte(text: str, hooks: Hooks) -> None:
    assert uninstall(install(text, hooks), text) == text


@unhurried
@given(texts() | untidy_texts(), some_hooks, some_hooks)
def test_only_the_last_install_counts(text: str, first: Hooks, second: Hooks) -> None:
    once = install(text, second)
    assert install(once, second) == once
    twice = install(install(text, first), second)
    assert twice == once
    assert uninstall(twice, text) == text


@unhurried
@given(documents, layouts, some_hooks)
def test_an_edited_file_loses_our_hooks_and_nothing_else(before: dict[str, Any], layout: Any, hooks: Hooks) -> None:
    assume(before)
    text = str(layout(before))

    def edited(text: str) -> str:
        return text.replace("{", '{"a new one": 1.50,', 1)

    assert uninstall(edited(install(text, hooks)), text) == edited(text)


@unhurried
@given(documents, layouts, layouts, some_hooks)
def test_a_file_that_another_program_wrote_anew_keeps_its_layout(
    before: dict[str, Any], layout: Any, other: Any, hooks: Hooks
) -> None:
    text = str(layout(before))
    after = str(other(data(install(text, hooks))))
    assume(after != install(text, hooks))
    # Only between brackets that were empty in between is it not known what the other would have written.
    assert data(uninstall(after, text) or "") == before


@pytest.mark.parametrize("hooks", [HTTP, COMMANDS])
@pytest.mark.parametrize("text", ["", "\n", " \r\n", "\ufeff"])
def test_an_empty_file_is_an_empty_object(text: str, hooks: Hooks) -> None:
    after = install(text, hooks)
    assert data(after) == {"hooks": {event: [{"hooks": list(handlers)}] for event, handlers in hooks.items()}}
    assert after.endswith("\n")
    assert uninstall(after, text) == text
    assert found(text) == {}


def test_a_file_that_install_made_is_gone_afterwards_unless_something_else_is_in_it() -> None:
    made = install("", HTTP)
    assert uninstall(made, None) is None
    assert uninstall(made.replace("{", '{"own": 1,', 1), None) == '{"own": 1\n}\n'


def test_settings_without_our_hooks_are_left_alone() -> None:
    for text in ("{}\n", "", '{"hooks": 5}', json.dumps({"hooks": {"Stop": [OWN]}})):
        assert uninstall(text, None) == text
        assert uninstall(text, "{}") == text


def test_the_files_own_layout_is_kept_to() -> None:
    text = '{\r\n\t"a" : 1.0,\r\n\t"hooks": {\r\n\t\t"Stop": []\r\n\t}\r\n}'
    hooks: Hooks = {"Stop": [{"type": "command", "command": "agent-bridge hook"}]}
    assert install(text, hooks) == (
        '{\r\n\t"a" : 1.0,\r\n\t"hooks": {\r\n\t\t"Stop": [\r\n\t\t\t{\r\n\t\t\t\t"hooks": [\r\n\t\t\t\t\t{\r\n'
        '\t\t\t\t\t\t"type": "command",\r\n\t\t\t\t\t\t"command": "agent-bridge hook"\r\n'
        "\t\t\t\t\t}\r\n\t\t\t\t]\r\n\t\t\t}\r\n\t\t]\r\n\t}\r\n}"
    )
    assert install('{"a":1,"b":2}', hooks) == (
        '{"a":1,"b":2,"hooks":{"Stop":[{"hooks":[{"type":"command","command":"agent-bridge hook"}]}]}}'
    )
    assert install('{"a": 1}', hooks).startswith('{"a": 1, "hooks": {"Stop": [{"hooks": [{"type": ')


def test_of_equal_keys_the_last_gets_the_hooks() -> None:
    text = '{"hooks": 5, "hooks": {"Stop": 6, "St\\u006fp": []}}'
    after = install(text, {"Stop": HTTP["Stop"]})
    assert after.startswith('{"hooks": 5, "hooks": {"Stop": 6, "St\\u006fp": [{"hooks"')
    assert uninstall(after, text) == text
    assert uninstall(f" {after}", text) == f" {text}"


def test_numbers_that_python_could_not_write_again_stay() -> None:
    text = f'{{"a": {"9" * 5000}, "b": 1e999, "c": -0.10, "d": 1E+2}}'
    assert install(text, HTTP).startswith(text[:-1])


def test_a_group_with_someone_elses_hook_loses_ours_only() -> None:
    own = {"type": "command", "command": "echo own"}
    ours = COMMANDS["Stop"][0]
    text = json.dumps({"hooks": {"Stop": [{"hooks": [own, ours, own, ours]}, {"hooks": [ours], "matcher": "x"}, OWN]}})
    assert uninstall(text, None) == json.dumps({"hooks": {"Stop": [{"hooks": [own, own]}, OWN]}})
    assert data(install(text, {"Stop": HTTP["Stop"]})) == {
        "hooks": {"Stop": [{"hooks": [own, own]}, OWN, {"hooks": list(HTTP["Stop"])}]}
    }


def test_hooks_that_are_as_they_should_be_are_not_moved() -> None:
    text = json.dumps({"hooks": {"Stop": [{"matcher": "x", "hooks": list(HTTP["Stop"])}, OWN]}})
    assert install(text, {"Stop": HTTP["Stop"]}) == text


def test_hooks_for_events_that_are_no_longer_ours_go() -> None:
    text = json.dumps({"hooks": {"Setup": [{"hooks": list(HTTP["Stop"])}]}})
    assert data(install(text, {"Stop": HTTP["Stop"]})) == {"hooks": {"Stop": [{"hooks": list(HTTP["Stop"])}]}}


@pytest.mark.parametrize(
    "handler",
    [
        {"type": "http", "url": "http://localhost:8765/hooks/claude-code"},
        {"type": "http", "url": "https://elsewhere.example/hooks/claude-code?a=b"},
        {"type": "http", "url": "https://proxy.example/below/hooks/claude-code", "headers": dict(HOOK_HEADERS)},
        {"type": "command", "command": "agent-bridge hook"},
        {"type": "command", "command": "'/a place/agent-bridge' hook --api-url http://a:1"},
        {"type": "command", "command": "/b/agent-bridge watch claude-code --project-dir /c"},
        {"type": "command", "command": "'C:\\b\\agent-bridge.EXE' hook"},
    ],
)
def test_our_hooks_are_known_whatever_their_options(handler: dict[str, Any]) -> None:
    assert found(json.dumps({"hooks": {"Stop": [{"hooks": [handler]}]}})) == {"Stop": [handler]}


@pytest.mark.parametrize(
    "handler",
    [
        {"type": "http", "url": "http://localhost:8765/hooks/claude-code/more"},
        {"type": "http", "url": "http://localhost:8765/own/hooks/claude-code"},
        {"type": "http", "url": "http://[/hooks/claude-code"},
        {"type": "http", "url": 5},
        {"type": "http"},
        {"type": "prompt", "prompt": "agent-bridge hook"},
        {"type": "command", "command": "agent-bridge run -- true"},
        {"type": "command", "command": "agent-bridge watch something-else"},
        {"type": "command", "command": "my-agent-bridge hook"},
        {"type": "command", "command": "echo agent-bridge hook"},
        {"type": "command", "command": "agent-bridge 'hook"},
        {"type": "command", "command": ""},
        "agent-bridge hook",
        None,
    ],
)
def test_hooks_of_others_are_not_taken_for_ours(handler: Any) -> None:
    for groups in ([{"hooks": [handler]}], [handler], {"hooks": handler}, handler, [{"hooks": handler}]):
        assert found(json.dumps({"hooks": {"Stop": groups}})) == {}


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("[]", 1, 1, "must be an object"),
        ("\ufeff 5", 1, 2, "must be an object"),
        ('{\n  "a": 1,\n}', 3, 1, "not JSON"),
        ('{\n  // why\n  "a": 1}', 2, 3, "not JSON"),
        ('{"a": 1', 1, 8, "not JSON"),
        ("{}\n{}", 2, 1, "follows"),
        ('{"NaN": "\\"NaN",\r\n "a": NaN}', 2, 7, "NaN"),
        ('{"a": -Infinity}', 1, 7, "-Infinity"),
        ('{"a": "\t"}', 1, 8, "not JSON"),
        ('{"hooks": []}', 1, 11, '"hooks" must be an object'),
        ('{"hooks": null}', 1, 11, '"hooks" must be an object'),
        ('{"hooks": {\n"Stop": {}}}', 2, 9, '"Stop" must be a list'),
        (f'{{"a": {"[" * 100_000}{"]" * 100_000}}}', 1, 1, "deep"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(InvalidSettings, match=reason) as caught:
        install(text, HTTP)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert str(caught.value).startswith(f"line {line} column {column}: ")


def test_http_hooks_send_the_token_only_if_told_to_and_name_it_only() -> None:
    plain, with_token = http_hooks("http://a:1", WATCH), http_hooks("http://a:1", WATCH, token=True)
    assert "Authorization" not in plain["Stop"][0]["headers"]
    handler = with_token["Stop"][0]
    assert handler["headers"]["Authorization"] == "Bearer $AGENT_ORCHESTRATOR_TOKEN"
    assert set(handler["allowedEnvVars"]) == {*plain["Stop"][0]["allowedEnvVars"], "AGENT_ORCHESTRATOR_TOKEN"}
    before = '{"model": "opus"}\n'
    installed = install(before, with_token)
    assert found(installed) == {event: list(handlers) for event, handlers in with_token.items()}
    assert install(installed, plain) == install(before, plain)
    assert uninstall(installed, before) == before


def test_http_hooks_say_whose_session_it_is() -> None:
    handler = http_hooks("http://a:1", WATCH)["PreToolUse"][0]
    assert handler["url"] == "http://a:1/hooks/claude-code"
    assert handler["headers"] == {header: f"${variable}" for header, variable in HOOK_HEADERS.items()}
    assert handler["allowedEnvVars"] == list(HOOK_HEADERS.values())


def test_the_start_of_a_session_is_told_by_command_only() -> None:
    assert [handler["type"] for handler in HTTP[START_EVENT]] == ["command"]
    assert [handler["command"] for handler in COMMANDS[START_EVENT]] == [WATCH, f"'{PROGRAM}' hook"]
    assert HTTP.keys() == COMMANDS.keys() == {START_EVENT, *EVENTS}
