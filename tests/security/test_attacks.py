"""Every attack on one running system, and whether what docs/security.md promises is what is attacked."""

import re
from collections.abc import Iterator

import pytest

from tests.processes import REPOSITORY
from tests.security.__main__ import run
from tests.security.attacks import Tries
from tests.security.catalogue import ATTACKS
from tests.security.system import System
from tests.security.table import table


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system; whatever the attacks did with it, no secret may be in what it wrote."""
    with System(tmp_path_factory.mktemp("attacked")) as system:
        yield system
    assert list(system.leaks()) == []


@pytest.mark.parametrize("name", ATTACKS)
def test_is_refused(name: str, system: System) -> None:
    tries = run(ATTACKS[name], system)
    assert tries.good, f"python -m tests.security --only {name}\n{tries.explain()}"


def test_what_is_promised_is_attacked_and_what_is_attacked_is_promised() -> None:
    text = (REPOSITORY / "docs" / "security.md").read_text("utf-8")
    named = re.findall(r"\*([a-z0-9]+(?:-[a-z0-9]+)+)\*", text)
    assert sorted(set(named)) == sorted(ATTACKS), "name each attack of tests/security, as *name*, beside its promise"


def test_tests_that_are_named_exist() -> None:
    text = (REPOSITORY / "docs" / "security.md").read_text("utf-8")
    there = "\n".join(path.read_text("utf-8") for path in (REPOSITORY / "tests").rglob("test_*.py"))
    missing = [name for name in re.findall(r"`(test_\w+)`", text) if f"def {name}" not in there]
    assert not missing, f"docs/security.md names {missing}, which are no tests"
    lost = [path for path in re.findall(r"`(tests/[\w/]+\.py)`", text) if not (REPOSITORY / path).is_file()]
    assert not lost, f"docs/security.md names {lost}, which are no files"


def test_an_attack_holds_only_if_something_was_tried_and_a_control_worked() -> None:
    tries = Tries()
    assert not tries.good
    tries.refuse("a", 403, 403)
    assert not tries.good
    tries.control("b", works=True)
    assert tries.good
    for spoil in (lambda: tries.refuse("c", 200, 403), lambda: tries.control("d", works=False),
                  lambda: tries.harmless("e", "so", held=False)):  # fmt: skip
        spoil()
        assert not tries.good
        tries.through.clear()
    assert tries.good


def test_what_got_through_stands_out_in_the_table() -> None:
    attack = next(iter(ATTACKS.values()))
    tries = Tries()
    tries.control("who may", works=True)
    tries.refuse("first", 401, 401)
    tries.refuse("second", 200, 401)
    told = table({attack.name: (attack, tries)})
    assert "!! second: 200, not 401" in told
    assert "NO" in told
