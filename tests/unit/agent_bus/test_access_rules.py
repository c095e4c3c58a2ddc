"""The users' rules, as text; `tests/integration/test_redis_access.py` has them enforced."""

import hashlib
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from importlib.resources import files

import pytest

from agent_bus.access_rules import Grant, User, acl_file, grants, new_passwords, together
from agent_bus.jobs import TAGS, queue_key
from agent_bus.keys import Keys
from agent_bus.scripts import script

KEYS = Keys()
PASSWORDS = new_passwords()

RESTORING = ("begin_restoration", "restore_document", "restore_session", "end_restoration")
SCRIPTS: dict[User, tuple[str, ...]] = {
    User.BRIDGE: ("attach", "append_events", "acknowledge_stop", "state_contract"),
    User.WORKER: (
        *("count_tags", "materialise_tags", "renew_tags", "repair_documents", "repair_tag", "end_lost_run"),
        *("archive_history", "due"),
    ),
    User.API: (
        *("read_session", "list_sessions", "patch_session", "delete_session", "request_stop", "append_events"),
        *("report_hook", "note_halt", "confirm_halt", "lapse_leases", "renew_epoch", "take_ticket"),
        *("claim_upload", "release_upload", "create_document", "patch_document", "delete_document"),
        *("read_documents", "list_documents", "read_tags", "count_tags"),
        *("create_blueprint", "patch_blueprint", "delete_blueprint", "due", "state_contract", "report_halt"),
        *(*RESTORING, "renew_tags", "repair_documents", "repair_tag", "materialise_tags"),
    ),
}
ALL_A_BRIDGE_HAS = {
    *("client|setname", "evalsha", "script|load", "time", "wait", "publish", "subscribe"),
    *("get", "mget", "set", "incr", "expire"),
    *("hdel", "hgetall", "hincrby", "hset", "xadd", "xlen", "zadd", "zrem"),
}
NO_BRIDGE_S = [
    KEYS.document("x"), KEYS.documents, KEYS.filenames, KEYS.tag("x"), KEYS.tags, KEYS.tags_version,
    KEYS.tags_aggregate, KEYS.blueprints, KEYS.deleted_blueprints, KEYS.ticket("x"), KEYS.halted, KEYS.due("x"),
    queue_key(KEYS, TAGS), "rq:job:x", "rq:workers", "rq:queues", "foreign",
]  # fmt: skip


def called_by(names: Iterable[str]) -> set[str]:
    """What scripts call, by their text."""
    return {called.lower() for name in names for called in re.findall(r"redis\.p?call\('(\w+)'", script(name).text)}


def matched(patterns: Iterable[str], key: str) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)


@pytest.mark.parametrize("user", User)
def test_each_user_may_do_what_its_scripts_call(user: User) -> None:
    missing = called_by(SCRIPTS[user]) - set(together(grants(user, KEYS)).commands)
    assert not missing, f"{user} runs scripts that call {missing}: add them to its rules, if it is to have them"


def test_each_script_is_somebody_s() -> None:
    parts = {path.name.removesuffix(".lua") for path in files("agent_bus.scripts").iterdir() if path.name[0] != "_"}
    included = {name for text in map(_first_line, parts) for name in text.removeprefix("-- include:").split()}
    listed = {name for names in SCRIPTS.values() for name in names}
    assert parts - included <= listed <= parts


def _first_line(name: str) -> str:
    line = (files("agent_bus.scripts") / f"{name}.lua").read_text("utf-8").partition("\n")[0]
    return line if line.startswith("-- include:") else ""


def test_a_bridge_has_these_commands_and_no_others() -> None:
    assert set(together(grants(User.BRIDGE, KEYS)).commands) == ALL_A_BRIDGE_HAS
    # What is not called by its scripts it calls itself.
    own = ALL_A_BRIDGE_HAS - called_by(SCRIPTS[User.BRIDGE])
    assert own == {"client|setname", "evalsha", "script|load", "wait", "mget", "subscribe"}


@pytest.mark.parametrize("key", NO_BRIDGE_S)
def test_no_key_of_others_is_a_bridge_s(key: str) -> None:
    assert not matched(together(grants(User.BRIDGE, KEYS)).keys, key)


@pytest.mark.parametrize("user", User)
def test_another_namespace_is_nobody_s(user: User) -> None:
    mine, theirs = together(grants(user, Keys("a"))), together(grants(user, Keys("a-b")))
    ours = [pattern for pattern in theirs.keys + theirs.channels if pattern.startswith("a-b:")]
    assert ours
    assert not [pattern for pattern in ours if matched(mine.keys + mine.channels, pattern.replace("*", "x"))]


@pytest.mark.parametrize("user", User)
def test_commands_are_named_one_by_one(user: User) -> None:
    for grant in grants(user, KEYS):
        assert all(re.fullmatch(r"[a-z]+(\|[a-z]+)?", command) for command in grant.commands)
        assert "*" not in grant.keys + grant.channels


@pytest.mark.parametrize("version", [(6, 2), (7, 0), (8,)])
def test_the_file_has_hashes_and_each_user_once(version: tuple[int, ...]) -> None:
    lines = acl_file(KEYS, PASSWORDS, version).splitlines()
    assert [line.split()[1] for line in lines] == ["api", "worker", "bridge", "default"]
    for user, line in zip(User, lines, strict=False):
        assert f" #{hashlib.sha256(PASSWORDS[user].encode()).hexdigest()} " in line
        assert PASSWORDS[user] not in line
        assert " nopass" not in line
        assert "+@" not in line
    assert lines[-1] == "user default on nopass resetkeys resetchannels -@all +ping"


def test_selectors_are_for_servers_that_know_them() -> None:
    assert "(" not in acl_file(KEYS, PASSWORDS, (6, 2, 14))
    newer = acl_file(KEYS, PASSWORDS, (7,)).splitlines()[2]
    assert f"(~{KEYS.sessions} +zadd)" in newer
    # The general part can touch all of its keys by scripts alone.
    general = newer.partition(" (")[0]
    assert re.findall(r"\+(\S+)", general) == ["client|setname", "evalsha", "script|load", "time", "wait"]


def test_another_database_has_to_be_selected() -> None:
    assert "+select" not in acl_file(KEYS, PASSWORDS, (6, 2))
    assert all("+select" in line for line in acl_file(KEYS, PASSWORDS, (7,), database=3).splitlines())


def test_a_private_redis_may_take_whoever_reaches_it_for_a_bridge() -> None:
    *_, bridge, default = acl_file(KEYS, PASSWORDS, (6, 2), open_to_bridges=True).splitlines()
    assert (
        default.partition(" nopass ")[2] == bridge.partition(" resetkeys")[1].strip() + bridge.partition("resetkeys")[2]
    )


def test_passwords_are_drawn_anew_and_go_into_urls_as_they_are() -> None:
    first, second = new_passwords(), new_passwords()
    drawn = {*first.values(), *second.values()}
    assert len(drawn) == 6
    assert all(re.fullmatch(r"[\w-]{43}", password, re.ASCII) for password in drawn)


def test_grants_together_give_what_each_gives() -> None:
    one, other = Grant(("get",), ("a",)), Grant(("set", "get"), ("b",), ("c",))
    assert together([one, other]) == Grant(("get", "set"), ("a", "b"), ("c",))
    assert str(one) == "resetkeys resetchannels -@all ~a +get"
