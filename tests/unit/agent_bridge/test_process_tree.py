import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agent_bridge.process_table import ProcessIdentity, ProcessRow, identify, look_up, read_table
from agent_bridge.process_tree import (
    Escalation,
    ProcessTree,
    Stage,
    adopt_orphans,
    deliver,
    end_tree,
    members,
)
from tests.processes import DEADLINE_SECONDS, wait_until

SECONDS = 20.0
# Long enough to be noticed where it should not be waited for, short enough where it must.
SHORT = 0.3
# Every program ends by itself some day, should a test fail to end it.
LIFETIME = 120

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans to us")


def row(pid: int, parent: int, *, session: int = 900, started: float = 0) -> ProcessRow:
    return ProcessRow(ProcessIdentity(pid, started or pid), parent, pid, session, f"p{pid}")


def pids(rows: Sequence[ProcessRow]) -> list[int]:
    return [item.pid for item in rows]


class TestEscalation:
    def test_each_stage_lasts_its_time_from_when_it_was_first_due(self) -> None:
        escalation = Escalation.gentle(5, 3, 2)
        moments = [100, 104.9, 105, 107.9, 108, 109.9, 110]
        assert [escalation.due(now) for now in moments] == [
            signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGTERM, signal.SIGKILL, signal.SIGKILL, None,
        ]  # fmt: skip
        assert escalation.due(200) is None

    def test_no_stage_is_passed_over_by_one_who_looks_late(self) -> None:
        escalation = Escalation.gentle(1, 1, 1)
        assert [escalation.due(now) for now in (0, 50, 100, 150)] == [
            signal.SIGINT, signal.SIGTERM, signal.SIGKILL, None,
        ]  # fmt: skip

    def test_stages_of_no_length_are_left_out_but_sigkill_is_sent_once(self) -> None:
        escalation = Escalation.gentle(0, 0, 0)
        assert [escalation.due(0), escalation.due(0)] == [signal.SIGKILL, None]

    def test_hurry_goes_on_to_the_next_stage_and_never_past_the_last(self) -> None:
        escalation = Escalation.gentle(60, 60, 60)
        seen = [escalation.due(0)]
        for now in (1, 2, 3, 4):
            escalation.hurry()
            seen.append(escalation.due(now))
        assert seen == [signal.SIGINT, signal.SIGTERM, *[signal.SIGKILL] * 3]

    def test_two_hurries_between_looks_are_one(self) -> None:
        escalation = Escalation.gentle(60, 60, 60)
        escalation.due(0)
        escalation.hurry()
        escalation.hurry()
        assert [escalation.due(1), escalation.due(1)] == [signal.SIGTERM, signal.SIGTERM]


class TestMembers:
    def test_all_descendants_of_the_known_belong_parents_first(self) -> None:
        table = {item.pid: item for item in (row(9, 8), row(8, 7), row(7, 1), row(5, 1))}
        assert pids(members(table, known={ProcessIdentity(7, 7)})) == [7, 8, 9]

    def test_a_known_orphan_and_what_it_started_belong(self) -> None:
        table = {item.pid: item for item in (row(7, 1), row(8, 1), row(9, 8))}
        assert set(pids(members(table, known={ProcessIdentity(7, 7), ProcessIdentity(8, 8)}))) == {7, 8, 9}

    def test_another_process_with_a_known_number_does_not_belong(self) -> None:
        table = {7: row(7, 1, started=1234)}
        assert members(table, known={ProcessIdentity(7, 7)}) == []

    def test_the_adopters_children_belong_except_outsiders_and_theirs(self) -> None:
        table = {item.pid: item for item in (row(7, 3), row(8, 3), row(9, 8), row(10, 7), row(11, 4))}
        found = members(table, known=(), adopter=3, outsiders={ProcessIdentity(8, 8)})
        assert pids(found) == [7, 10]

    def test_whoever_is_in_a_session_of_the_tree_belongs(self) -> None:
        table = {item.pid: item for item in (row(7, 1, session=7), row(8, 1, session=7), row(9, 1, session=9))}
        assert set(pids(members(table, known=(), sessions={7}))) == {7, 8}

    def test_the_calling_process_never_belongs(self) -> None:
        me = os.getpid()
        table = {item.pid: item for item in (row(me, 7), row(7, 1))}
        assert pids(members(table, known={ProcessIdentity(7, 7)}, sessions={900})) == [7]

    def test_parents_come_first_even_if_all_are_known(self) -> None:
        table = {item.pid: item for item in (row(7, 9), row(9, 8), row(8, 1))}
        assert pids(members(table, known={item.identity for item in table.values()})) == [8, 9, 7]


class TestDeliver:
    def test_a_process_with_the_same_number_and_another_start_is_not_hit(self) -> None:
        with subprocess.Popen(["sleep", str(LIFETIME)]) as child:
            try:
                found = identify(child.pid)
                assert found is not None
                assert not deliver(ProcessIdentity(child.pid, found.started + 1), signal.SIGKILL)
                assert child.poll() is None
                assert deliver(found, signal.SIGKILL)
                assert child.wait(SECONDS) == -signal.SIGKILL
                assert not deliver(found, signal.SIGKILL)
            finally:
                child.kill()

    def test_it_works_where_there_are_no_pidfds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
        with subprocess.Popen(["sleep", str(LIFETIME)]) as child:
            try:
                found = identify(child.pid)
                assert found is not None
                assert not deliver(ProcessIdentity(child.pid, found.started + 1), signal.SIGKILL)
                assert deliver(found, signal.SIGKILL)
                assert child.wait(SECONDS) == -signal.SIGKILL
            finally:
                child.kill()


NOTE = """
import os, pathlib, signal, subprocess, sys, time
def note(what):
    # Complete from the first moment it is seen.
    stat = pathlib.Path(f"/proc/{os.getpid()}/stat")
    started = stat.read_bytes().rpartition(b")")[2].split()[19].decode() if stat.exists() else "0"
    path = pathlib.Path(sys.argv[1]) / f"{what}-{os.getpid()}-{started}"
    path.touch()
def rest():
    deadline = time.monotonic() + LIFETIME
    while time.monotonic() < deadline:
        time.sleep(1)
    os._exit(0)
""".replace("LIFETIME", str(LIFETIME))


class Nest:
    """Nasty programs in a folder where each process leaves a note of itself; in the end nobody is left alive."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, program: str) -> ProcessIdentity:
        child = subprocess.Popen([sys.executable, "-c", NOTE + program, str(self.folder)], start_new_session=True)
        self.started.append(child)
        found = identify(child.pid)
        assert found is not None
        return found

    def noted(self, what: str = "") -> list[ProcessIdentity]:
        names = [path.name.split("-") for path in self.folder.iterdir()]
        return [ProcessIdentity(int(pid), float(started)) for kind, pid, started in names if what in ("", kind)]

    def await_notes(self, what: str, count: int = 1) -> list[ProcessIdentity]:
        return wait_until(lambda: len(self.noted(what)) >= count and self.noted(what), f"{count} × {what}")

    def alive(self) -> list[ProcessIdentity]:
        found = [(one, look_up(one.pid)) for one in self.noted()]
        return [one for one, now in found if now is not None and now.identity == one and not now.dead]

    def clean(self) -> None:
        for child in self.started:
            child.kill()
        deadline = time.monotonic() + SECONDS
        while self.alive() and time.monotonic() < deadline:
            for one in self.alive():
                deliver(one, signal.SIGKILL)
        for child in self.started:
            child.wait(SECONDS)


@pytest.fixture
def nest(tmp_path: Path) -> Iterator[Nest]:
    folder = tmp_path / "notes"
    folder.mkdir()
    found = Nest(folder)
    yield found
    found.clean()


@pytest.fixture
def adopting() -> Iterator[None]:
    assert adopt_orphans()
    yield
    adopt_orphans(False)
    # What came to us meanwhile and ended, so that it is not left a zombie.
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            os.waitpid(ended.si_pid, 0)


Program = Callable[[ProcessIdentity], ProcessTree]


@pytest.fixture
def adopted_tree(adopting: None) -> Program:
    me = os.getpid()
    outsiders = [one.identity for one in members(read_table(), known=(), adopter=me)]
    return lambda root: ProcessTree(root, adopting=True, outsiders=outsiders)


@linux_only
class TestEnding:
    async def test_an_obedient_program_ends_of_sigint_alone(self, nest: Nest) -> None:
        root = nest.start("signal.signal(signal.SIGINT, lambda *_: os._exit(7)); note('ready'); rest()")
        nest.await_notes("ready")
        ended = await end_tree(root, interrupt_seconds=SECONDS)
        assert (ended.survivors, ended.signals) == ((), (signal.SIGINT,))
        assert nest.started[0].wait(SECONDS) == 7

    async def test_one_that_ignores_sigint_ends_of_sigterm(self, nest: Nest) -> None:
        root = nest.start("signal.signal(signal.SIGINT, signal.SIG_IGN); note('ready'); rest()")
        nest.await_notes("ready")
        ended = await end_tree(root, interrupt_seconds=SHORT, terminate_seconds=SECONDS)
        assert (ended.survivors, ended.signals) == ((), (signal.SIGINT, signal.SIGTERM))

    async def test_one_that_ignores_both_is_killed(self, nest: Nest) -> None:
        root = nest.start(
            "[signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, signal.SIGTERM)]; note('ready'); rest()"
        )
        nest.await_notes("ready")
        ended = await end_tree(root, interrupt_seconds=SHORT, terminate_seconds=SHORT, kill_seconds=SECONDS)
        assert (ended.survivors, ended.signals) == ((), (signal.SIGINT, signal.SIGTERM, signal.SIGKILL))
        assert nest.started[0].wait(SECONDS) == -signal.SIGKILL

    async def test_who_ignores_a_signal_is_not_given_time_to_end_of_it(self, nest: Nest) -> None:
        ignoring = "[signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, signal.SIGTERM)]; note('{}'); rest()"
        root = nest.start(f"if not os.fork(): {ignoring.format('child')}\n{ignoring.format('root')}")
        nest.await_notes("child")
        nest.await_notes("root")
        async with asyncio.timeout(DEADLINE_SECONDS):
            ended = await end_tree(root, interrupt_seconds=3600, terminate_seconds=3600)
        assert (ended.survivors, ended.signals) == ((), (signal.SIGINT, signal.SIGTERM, signal.SIGKILL))

    async def test_one_that_ignores_the_signal_from_when_it_heard_it_is_left_to_end_well(self, nest: Nest) -> None:
        root = nest.start("""
def tidy(*_):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(0.5)
    os._exit(7)
signal.signal(signal.SIGINT, tidy); note("ready"); rest()
""")
        nest.await_notes("ready")
        ended = await end_tree(root, interrupt_seconds=SECONDS)
        assert ended.signals == (signal.SIGINT,)
        assert nest.started[0].wait(SECONDS) == 7

    async def test_one_that_is_suspended_is_woken_to_end_well(self, nest: Nest) -> None:
        root = nest.start("signal.signal(signal.SIGTERM, lambda *_: os._exit(3)); note('ready'); rest()")
        nest.await_notes("ready")
        os.kill(root.pid, signal.SIGSTOP)
        wait_until(lambda: (now := look_up(root.pid)) and now.stopped, "it to be suspended")
        await end_tree(root, interrupt_seconds=0, terminate_seconds=SECONDS)
        assert nest.started[0].wait(SECONDS) == 3

    async def test_what_a_program_starts_to_end_well_is_left_to_do_its_work(self, nest: Nest) -> None:
        root = nest.start("""
def tidy(*_):
    subprocess.run([sys.executable, "-c", "import time, pathlib, sys; time.sleep(0.5); "
                    "pathlib.Path(sys.argv[1]).touch()", sys.argv[1] + "/../tidied"], check=True)
    os._exit(0)
signal.signal(signal.SIGINT, tidy); note("ready"); rest()
""")
        nest.await_notes("ready")
        ended = await end_tree(root, interrupt_seconds=SECONDS)
        assert ended.signals == (signal.SIGINT,)
        assert (nest.folder.parent / "tidied").exists()

    async def test_grandchildren_in_sessions_of_their_own_end(self, nest: Nest) -> None:
        root = nest.start("""
for _ in range(3):
    if not os.fork():
        os.setsid()
        os.fork()
        os.setpgid(0, 0) if os.getsid(0) != os.getpid() else None
        note("stray"); rest()
note("root"); rest()
""")
        nest.await_notes("root")
        nest.await_notes("stray", 6)
        ended = await end_tree(root, kill_seconds=SECONDS)
        assert ended.survivors == ()
        assert nest.alive() == []

    async def test_a_daemon_that_forked_twice_ends_although_its_parents_are_gone(
        self, nest: Nest, adopted_tree: Program
    ) -> None:
        tree = adopted_tree(
            nest.start("""
if not os.fork():
    os.setsid()
    if os.fork():
        os._exit(0)
    for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(n, signal.SIG_IGN)
    note("daemon"); rest()
os.wait()
""")
        )
        daemon = nest.await_notes("daemon")[0]
        wait_until(lambda: nest.started[0].poll() is not None, "the parent to be gone")
        ended = await tree.end(Escalation.gentle(SHORT, SHORT, SECONDS))
        assert (ended.survivors, ended.signals) == ((), (signal.SIGINT, signal.SIGTERM, signal.SIGKILL))
        assert nest.alive() == []
        assert look_up(daemon.pid) is None, "an adopted process is reaped"

    async def test_a_daemon_seen_once_ends_without_adoption_too(self, nest: Nest) -> None:
        root = nest.start("""
middle = os.fork()
if not middle:
    os.setsid()
    if os.fork():
        while not (pathlib.Path(sys.argv[1]).parent / "go").exists(): time.sleep(0.01)
        os._exit(0)
    note("daemon"); rest()
os.waitpid(middle, 0)
""")
        tree = ProcessTree(root)
        nest.await_notes("daemon")
        assert len(tree.look()) == 3
        (nest.folder.parent / "go").touch()
        wait_until(lambda: nest.started[0].poll() is not None, "the parents to be gone")
        ended = await tree.end(Escalation.gentle(SHORT, SECONDS, SECONDS))
        assert ended.survivors == ()
        assert nest.alive() == []

    async def test_an_orphan_in_the_roots_session_ends_without_adoption_and_unseen(self, nest: Nest) -> None:
        root = nest.start("""
if not os.fork():
    if os.fork(): os._exit(0)
    note("orphan"); rest()
os.wait(); note("root"); rest()
""")
        tree = ProcessTree(root)
        nest.await_notes("orphan")
        nest.await_notes("root")
        ended = await tree.end(Escalation.gentle(SHORT, SECONDS, SECONDS))
        assert ended.survivors == ()
        assert nest.alive() == []

    async def test_programs_that_start_each_other_again_all_end(self, nest: Nest, adopted_tree: Program) -> None:
        tree = adopted_tree(
            nest.start("""
# Each keeps a child alive in a session of its own, and starts another when it dies: 30 in all.
for n in (signal.SIGINT, signal.SIGTERM): signal.signal(n, signal.SIG_IGN)
folder = pathlib.Path(sys.argv[1])
while True:
    if len(list(folder.iterdir())) >= 30: rest()
    child = os.fork()
    if not child:
        os.setsid(); note("hydra")
        if len(list(folder.iterdir())) % 3 == 0: rest()
    else:
        os.waitpid(child, 0)
""")
        )
        nest.await_notes("hydra", 3)
        ended = await tree.end(Escalation.gentle(SHORT, SHORT, SECONDS))
        assert ended.survivors == ()
        assert nest.alive() == []

    async def test_one_that_lives_on_in_ever_new_children_is_caught(self, nest: Nest, adopted_tree: Program) -> None:
        # Each generation is gone by the time a list of all processes has been read.
        tree = adopted_tree(
            nest.start(f"""
note("first")
deadline = time.monotonic() + {LIFETIME}
for n in (signal.SIGINT, signal.SIGTERM): signal.signal(n, signal.SIG_IGN)
while time.monotonic() < deadline:
    if os.fork(): os._exit(0)
    os.setsid()
""")
        )
        nest.await_notes("first")
        ended = await tree.end(Escalation([Stage(signal.SIGKILL, SECONDS)]))
        assert ended.survivors == ()
        assert tree.look() == []

    @pytest.mark.usefixtures("adopting")
    async def test_outsiders_are_spared(self, nest: Nest) -> None:
        other = nest.start("note('other'); rest()")
        root = nest.start("note('root'); rest()")
        nest.await_notes("other")
        nest.await_notes("root")
        outsiders = [
            one.identity for one in members(read_table(), known=(), adopter=os.getpid()) if one.identity != root
        ]
        ended = await ProcessTree(root, adopting=True, outsiders=outsiders).end(Escalation.gentle(0, 0, SECONDS))
        assert ended.survivors == ()
        assert nest.alive() == [other]

    async def test_a_group_that_holds_others_too_is_not_signalled(self, nest: Nest) -> None:
        root = nest.start("""
if not os.fork():
    note("member"); rest()
note("root"); rest()
""")
        nest.await_notes("root")
        member = nest.await_notes("member")[0]
        ended = await end_tree(member, interrupt_seconds=0, terminate_seconds=0, kill_seconds=SECONDS)
        assert ended.survivors == ()
        assert nest.alive() == [root]

    async def test_who_can_not_be_ended_is_named(self, nest: Nest, monkeypatch: pytest.MonkeyPatch) -> None:
        root = nest.start("note('ready'); rest()")
        nest.await_notes("ready")

        def refuse(*_: object) -> None:
            raise PermissionError

        with monkeypatch.context() as forbidden:
            forbidden.setattr(signal, "pidfd_send_signal", refuse)
            forbidden.setattr(os, "kill", refuse)
            forbidden.setattr(os, "killpg", refuse)
            ended = await end_tree(root, interrupt_seconds=SHORT, terminate_seconds=SHORT, kill_seconds=SHORT)
        assert [one.identity for one in ended.survivors] == [root]
        assert ended.survivors[0].name

    async def test_a_root_that_is_gone_already_leaves_nothing_to_do(self, nest: Nest) -> None:
        root = nest.start("note('ready')")
        nest.started[0].wait(SECONDS)
        ended = await end_tree(root)
        assert (ended.survivors, ended.signals) == ((), ())
