"""The rules that the tree keeps. Each failure says how to mend it."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from agent_bus.keys import DEFAULT_NAMESPACE

REPOSITORY = Path(__file__).resolve().parent.parent

# Whom a package may import, beside itself.
MAY_IMPORT = {
    "agent_bus": frozenset[str](),
    "api": frozenset({"agent_bus"}),
    "workers": frozenset({"agent_bus"}),
    "agent_bridge": frozenset({"agent_bus"}),
}
WEB_FRAMEWORKS = frozenset({"fastapi", "starlette", "uvicorn"})
WITHOUT_WEB_FRAMEWORK = ("agent_bridge", "agent_bus")
# What a stranger's process must not pay for at import.
HEAVY = ("redis", "pydantic", "pydantic_settings", "fastapi", "starlette", "uvicorn", "rq", "obstore")

MAX_LINES = 500
DRAWERS = frozenset({"util", "utils", "helper", "helpers", "manager", "managers", "common"})

# Commands whose name means Redis wherever it is called, and whose first argument is a key or a channel.
KEYED_COMMANDS = frozenset({
    "hget", "hset", "hmget", "hgetall", "hvals", "hdel", "hexists", "incr", "mget", "setex", "xadd", "xlen", "xrange",
    "xrevrange", "xread", "xtrim", "zadd", "zcard", "zrange", "zrem", "zscore", "sadd", "srem", "smembers", "sismember",
    "lpush", "rpush", "llen", "lrange", "publish", "psubscribe",
})  # fmt: skip
# EVALSHA is not among them: what it is called with comes from agent_bus, and the bridge pipelines it.
SCRIPT_COMMANDS = frozenset({"EVAL", "SCRIPT LOAD"})

MODULES = sorted(path for package in MAY_IMPORT for path in (REPOSITORY / package).rglob("*.py"))
SCRIPTS = sorted((REPOSITORY / "agent_bus" / "scripts").glob("*.lua"))
UNIT_TESTS = sorted((REPOSITORY / "tests" / "unit").glob("*/**/test_*.py"))


def relative(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def package_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).parts[0]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), relative(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the top-level package of everything that a module imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module.split(".")[0]


def code_and_comments(script: Path) -> tuple[str, str]:
    lines = [line.partition("--") for line in script.read_text("utf-8").splitlines()]
    return "\n".join(code for code, _, _ in lines), "\n".join(comment for _, _, comment in lines)


def included(script: Path) -> list[Path]:
    first = script.read_text("utf-8").partition("\n")[0]
    names = first.removeprefix("-- include:").split() if first.startswith("-- include:") else []
    return [script.with_name(f"{name}.lua") for name in names]


def arguments_in(text: str) -> set[str]:
    """KEYS[n] and ARGV[n] as text; a comment may write `KEYS[n…]` for n and all that follow."""
    return {f"{table}[{place}]" for table, place in re.findall(r"\b(KEYS|ARGV)\[(\d+)…?\]", text)}


def test_there_is_something_to_check() -> None:
    assert MODULES
    assert SCRIPTS
    assert UNIT_TESTS


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_imports_point_one_way(path: Path) -> None:
    package = package_of(path)
    foreign = MAY_IMPORT.keys() - MAY_IMPORT[package] - {package} | {"tests", "bench"}
    wrong = [f"{relative(path)}:{line} imports {name}" for line, name in imports(path) if name in foreign]
    allowed = " and ".join(sorted({package, *MAY_IMPORT[package]}))
    assert not wrong, f"{wrong}: {package} may import {allowed} only; move what both need to agent_bus, or pass it in"


@pytest.mark.parametrize("path", [path for path in MODULES if package_of(path) in WITHOUT_WEB_FRAMEWORK], ids=relative)
def test_what_agents_import_knows_no_web_framework(path: Path) -> None:
    wrong = [f"{relative(path)}:{line} imports {name}" for line, name in imports(path) if name in WEB_FRAMEWORKS]
    assert not wrong, f"{wrong}: this runs inside other people's programs; what serves HTTP belongs to api"


@pytest.mark.parametrize("package", ["agent_bridge", "agent_bus"])
def test_importing_the_package_loads_nothing_heavy(package: str) -> None:
    program = f"import sys, {package}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert not done.stdout.split(), (
        f"import {package} loads {done.stdout.strip()}: import it where it is first used, or offer the name through "
        "the package's __getattr__"
    )


def string_start(node: ast.expr) -> str | None:
    """What a text in the code begins with; a placeholder for the namespace is written as the namespace itself."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        start = ""
        for part in node.values[:2]:
            if isinstance(part, ast.Constant):
                start += str(part.value)
            elif isinstance(part, ast.FormattedValue) and re.search(
                "namespace", ast.unparse(part.value), re.IGNORECASE
            ):
                start += DEFAULT_NAMESPACE
            else:
                break
        return start
    return None


@pytest.mark.parametrize("path", [path for path in MODULES if package_of(path) != "agent_bus"], ids=relative)
def test_redis_keys_are_spelt_in_agent_bus_only(path: Path) -> None:
    wrong = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.expr) and (string_start(node) or "").startswith(f"{DEFAULT_NAMESPACE}:"):
            wrong.append(f"{relative(path)}:{node.lineno} spells a key")
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        command, first = node.func.attr, string_start(node.args[0])
        if command in KEYED_COMMANDS and first is not None:
            wrong.append(f"{relative(path)}:{node.lineno} calls {command} with a key of its own")
        if command == "execute_command" and first in SCRIPT_COMMANDS:
            wrong.append(f"{relative(path)}:{node.lineno} brings a script of its own")
    assert not wrong, f"{wrong}: name keys in agent_bus/keys.py, put the access into a repository in agent_bus"


def test_lua_lies_in_one_folder() -> None:
    found = {path for package in MAY_IMPORT for path in (REPOSITORY / package).rglob("*.lua")}
    stray = sorted(map(relative, found - set(SCRIPTS)))
    assert not stray, f"{stray}: move scripts to agent_bus/scripts, one a file"


@pytest.mark.parametrize("path", [*MODULES, *SCRIPTS], ids=relative)
def test_modules_have_one_subject(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= MAX_LINES, (
        f"{relative(path)} has {lines} lines: split it by subject until each has {MAX_LINES} at most"
    )
    drawers = DRAWERS.intersection(
        word for part in path.relative_to(REPOSITORY).parts for word in re.split(r"[_.]", part)
    )
    assert not drawers, f"{relative(path)}: {drawers} is a drawer; name the file after what it is about"


@pytest.mark.parametrize("path", UNIT_TESTS, ids=relative)
def test_unit_tests_mirror_a_module(path: Path) -> None:
    place = path.relative_to(REPOSITORY / "tests" / "unit")
    mirrored = REPOSITORY / place.parent / place.stem.removeprefix("test_").removesuffix("_stateful")
    candidates = [
        mirrored.with_name(f"{mirrored.name}.py"),
        mirrored / "__init__.py",
        mirrored.with_name(f"{mirrored.name}.lua"),
    ]
    assert any(candidate.is_file() for candidate in candidates), (
        f"{relative(path)} tests no module: there is no {relative(candidates[0])}; rename or move it along with what "
        "it tests, or to tests/integration if it tests parts together"
    )


@pytest.mark.parametrize("path", SCRIPTS, ids=relative)
def test_scripts_say_what_they_do_and_take(path: Path) -> None:
    text = path.read_text("utf-8")
    prose = [line for line in text.splitlines()[:3] if re.match(r"--\s+(?!include:)\S", line)]
    assert prose, f"{relative(path)}: begin with comments that say what the script does"
    # What has no includes is included itself, always after the prelude.
    parts = [path, *(included(path) or [path.with_name("bus.lua")])]
    missing = [relative(part) for part in parts if not part.is_file()]
    assert not missing, f"{relative(path)} includes {missing}, which do not exist: correct its first line"
    used = arguments_in(code_and_comments(path)[0])
    described: set[str] = set().union(*(arguments_in(code_and_comments(part)[1]) for part in parts))
    unexplained = sorted(used - described)
    assert not unexplained, (
        f"{relative(path)}: describe {', '.join(unexplained)} in the comments on top, with their units"
    )
