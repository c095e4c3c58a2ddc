"""Any order of starts, ends, stops, leases and deaths: the scripts against a model of the contract's rules."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from fakeredis import FakeAsyncRedis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agent_bus.bus import Bus
from agent_bus.commands import Lease
from agent_bus.connection import connect
from agent_bus.events import Producer
from agent_bus.hooks import HookKind, HookReport, Hooks
from agent_bus.keys import Keys
from agent_bus.statistics import read_statistics
from tests.processes import RedisServer
from tests.unit.agent_bus.conftest import Driver, record

T = TypeVar("T")
OWNERS = ["b1", "b2"]
HOOKS: list[HookKind] = [
    "start", "prompt", "wake", "tool", "used", "batch", "begun", "done", "end", "exit", "other",
]  # fmt: skip
ASKS, ENDS = ("prompt", "wake", "tool", "used", "batch"), ("used", "batch", "done", "wake")
PROMPTS = ["", "p1", "p2"]


@dataclass
class Model:
    """One session as the contract describes it."""

    status: str = "running"
    run: int = 0
    held: bool = False
    owner: str | None = None
    holder: str | None = None
    asked: bool = False
    confirmed: bool = False
    hooks: bool = False
    guarded: bool = False
    prompt: str = ""
    queued: bool = False
    open: set[str] = field(default_factory=set)
    halted: bool = False

    def begin(self, run: int, *, keep_lease: bool = False) -> None:
        self.status, self.run = "running", run
        if not keep_lease or not self.owner:
            self.held, self.owner, self.holder = False, None, None
        self.asked = self.confirmed = self.hooks = self.guarded = self.halted = False
        self.prompt, self.queued, self.open = "", False, set()

    @property
    def commands_holder(self) -> bool:
        """Whether a stop is still to be seen to by whoever holds the lease."""
        return self.asked and not self.confirmed and not self.guarded

    def begins_by(self, kind: str, prompt: str) -> bool:
        """Whether a hook begins a run of this session."""
        if kind == "start":
            return not (self.status == "running" and self.owner and not self.asked)
        if kind == "prompt" and self.asked:
            same = prompt == self.prompt if prompt and self.prompt else not self.halted
            return self.guarded or self.confirmed or (not self.owner and not same)
        return kind in ("prompt", "wake", "tool") and self.status == "finished" and not self.asked

    @property
    def stop_confirmed(self) -> bool | None:
        return self.confirmed if self.asked else None

    @property
    def presence(self) -> str:
        if self.owner:
            return "connected"
        return "hooks" if self.status == "running" and self.hooks else "none"


@dataclass
class Bridge:
    """What a bridge remembers."""

    run: str = ""
    model_run: int = 0
    sent: int = 0
    leases: list[Lease] = field(default_factory=list)


class SessionMachine(RuleBasedStateMachine):
    make_bus: Callable[[], Bus]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model: Model | None = None
        self.runs = 0
        self.events = 0
        self.deleted_events = 0
        self.bridges: dict[str, Bridge] = {}

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    @initialize()
    def open(self) -> None:
        async def make() -> Driver:
            return Driver(type(self).make_bus())

        self.driver = self.do(make())
        self.hooks = Hooks(self.driver.bus)

    def teardown(self) -> None:
        if hasattr(self, "driver"):
            self.do(self.driver.bus.redis.aclose())
        self.runner.close()

    def new_run(self) -> int:
        self.runs += 1
        return self.runs

    @rule(kind=st.sampled_from(["session_start", "session_stop", "message", "pre_tool"]))
    def hook_reports(self, kind: str) -> None:
        appended = self.do(self.driver.post(kind))
        self.events += 1
        model = self.model
        if model is None:
            model = self.model = Model(run=self.new_run(), hooks=True)
        elif kind == "session_start" and not (model.status == "running" and model.owner and not model.asked):
            model.begin(self.new_run())
        model.hooks = True
        if kind == "session_stop":
            self.ended(model, known=not model.owner)
        assert (appended.command is not None) == model.asked

    @staticmethod
    def ended(model: Model, *, known: bool) -> None:
        """known: who reported it can know that the agent has ceased."""
        if model.status == "running":
            model.status = "finished"
        if model.asked and known:
            model.confirmed = True

    @rule(
        kind=st.sampled_from(HOOKS), prompt=st.sampled_from(PROMPTS), tool=st.sampled_from(["t1", "t2"]),
        agent=st.sampled_from(["", "a"]), hears=st.booleans(),
    )  # fmt: skip
    def program_asks_its_hook(self, kind: HookKind, prompt: str, tool: str, agent: str, hears: bool) -> None:
        start, finish, stopped = record("session_start"), record("session_stop"), record("session_stop")
        events = [] if kind == "start" else [record("hook")]
        prompt = "" if agent else prompt
        report = HookReport("s", kind, events, start, finish, stopped, prompt, [tool], agent)
        outcome = self.do(self.hooks.report(report))
        model = self.model
        if model is None:
            model = self.model = Model(run=self.new_run())
            began = True
        elif began := model.begins_by(kind, prompt):
            self.events += model.asked and not model.confirmed and model.halted and not model.open
            model.begin(self.new_run(), keep_lease=True)
        model.hooks = True
        self.events += began + len(events)
        assert outcome.go == (not model.asked or kind not in ASKS)
        self.what_is_open_changes(model, report, began=began, go=outcome.go)
        if not outcome.go and (model.halted or kind not in ENDS):
            model.confirmed = False
        if (kind == "end" and not (model.queued and not model.halted)) or (kind == "exit" and not model.owner):
            model.open = set()
            if model.status == "running" and not model.asked:
                model.status = "finished"
                self.events += 1
            elif model.asked and not model.confirmed and model.owner:
                model.halted = True
            elif model.asked and not model.confirmed:
                model.status, model.confirmed = "stopped", True
                self.events += 1
        model.queued = model.queued and kind != "end"
        if not outcome.go and hears:
            self.do(self.hooks.note_halt("s", outcome.run))
            model.halted = True

    @staticmethod
    def what_is_open_changes(model: Model, report: HookReport, *, began: bool, go: bool) -> None:
        kind, prompt = report.kind, report.prompt_id
        if prompt and not model.asked and prompt != model.prompt and kind not in ENDS:
            model.prompt, model.queued = prompt, False
            model.open = {use for use in model.open if ":" in use or "/" in use}
        elif kind == "prompt" and not began and go and prompt:
            model.queued = True
        if (kind == "batch" and go) or (kind == "tool" and not go):
            model.queued = False
        if kind in ("tool", "begun") and go:
            model.open |= set(report.open.split())
        elif kind in ENDS:
            model.open -= set(report.open.split())
        if not go:
            model.open -= set(report.agent.split())

    @rule()
    def program_is_quiet(self) -> None:
        self.do(self.hooks.confirm_halts(0))
        model = self.model
        if model is None or not model.halted or not model.asked or model.confirmed or model.owner:
            return
        if not model.open and not model.queued:
            model.status, model.confirmed = "stopped", True
            self.events += 1

    @rule(owner=st.sampled_from(OWNERS), resumed=st.booleans())
    def bridge_guards(self, owner: str, resumed: bool) -> None:
        lease = self.do(self.driver.sessions.guard("s", owner, record("session_start"), resumed=resumed))
        model = self.model
        if model is None or model.holder == owner:
            self.bridge_comes(owner, lease)
            return
        if model.owner:
            assert lease.outcome == "superseded"
            return
        if model.status != "running" and (resumed or model.status != "stopped" or model.confirmed):
            model.guarded = True
        self.count_start(lease)
        model.held, model.owner, model.holder = True, owner, owner
        bridge = self.bridges.setdefault(owner, Bridge())
        bridge.run, bridge.model_run = lease.run, model.run
        assert lease.outcome == "held"
        assert (lease.command is not None) == model.commands_holder

    def count_start(self, lease: Lease) -> None:
        """A bridge says that its run has begun, unless that has been said."""
        page = self.do(self.driver.events.page("s", limit=10_000))
        assert page is not None
        assert lease.run
        assert len(page.events) - self.events in (0, 1)
        self.events = len(page.events)

    @rule(owner=st.sampled_from(OWNERS))
    def bridge_enters(self, owner: str) -> None:
        self.bridge_comes(owner, self.do(self.driver.sessions.enter("s", owner, record("session_start"))))

    def bridge_comes(self, owner: str, lease: Lease) -> None:
        model, bridge = self.model, self.bridges.setdefault(owner, Bridge())
        if model is None:
            model = self.model = Model(run=self.new_run())
            self.events += 1
        elif model.holder == owner:
            # The answer to its first try was lost, and perhaps its lease lapsed meanwhile.
            assert bridge.model_run <= model.run
        else:
            waits = not model.held and (
                model.status == "running" or (model.status == "stopped" and not model.confirmed)
            )
            if not waits:
                model.begin(self.new_run())
            self.count_start(lease)
        model.held, model.owner, model.holder = True, owner, owner
        bridge.run, bridge.model_run = lease.run, model.run
        assert lease.outcome == "held"
        assert (lease.command is not None) == model.commands_holder

    @precondition(lambda self: self.bridges)
    @rule(data=st.data())
    def bridge_renews(self, data: st.DataObject) -> None:
        owner = data.draw(st.sampled_from(sorted(self.bridges)))
        bridge, model = self.bridges[owner], self.model
        lease = self.do(self.driver.sessions.renew("s", owner, bridge.run, record("session_start")))
        if model is None:
            assert lease.outcome == "gone"
            return
        ours = model.run == bridge.model_run
        free = model.status == "running" and not model.held
        if not (ours or free or model.holder == owner) or (ours and model.holder not in (None, owner)):
            assert lease.outcome == "superseded"
            return
        assert lease.outcome == "held"
        model.held, model.owner, model.holder = True, owner, owner
        bridge.run, bridge.model_run = lease.run, model.run
        assert (lease.command is not None) == model.commands_holder

    @precondition(lambda self: self.bridges)
    @rule(data=st.data(), kind=st.sampled_from(["message", "session_stop"]), twice=st.booleans())
    def bridge_reports(self, data: st.DataObject, kind: str, twice: bool) -> None:
        owner = data.draw(st.sampled_from(sorted(self.bridges)))
        bridge, model = self.bridges[owner], self.model
        producer = Producer(bridge.run, owner, bridge.sent + 1)
        for _ in range(2 if twice else 1):
            self.do(self.driver.post(kind, producer=producer))
        bridge.sent += 1
        self.events += 1
        if model is None:
            model = self.model = Model(run=self.new_run())
            ours = True
        else:
            ours = model.run == bridge.model_run
        if ours and kind == "session_stop":
            self.ended(model, known=True)
            if model.holder == owner:
                model.owner = model.holder = None

    @rule()
    def somebody_presses_stop(self) -> None:
        request = self.do(self.driver.sessions.request_stop("s", "c"))
        model = self.model
        if model is None:
            assert request.outcome == "unknown"
        elif model.status != "running":
            assert request.outcome == "ended"
        else:
            model.asked = True
            if model.owner:
                assert request.outcome == "sent"
            else:
                assert request.outcome == "unattended"
                model.status = "stopped"

    @precondition(lambda self: self.bridges)
    @rule(data=st.data())
    def bridge_acknowledges(self, data: st.DataObject) -> None:
        bridge, model = self.bridges[data.draw(st.sampled_from(sorted(self.bridges)))], self.model
        outcome = self.do(self.driver.sessions.acknowledge_stop("s", bridge.run, record("session_stop")))
        if model is None:
            assert outcome == "unknown"
        elif model.run != bridge.model_run or not model.asked:
            assert outcome == "stale"
        elif model.status == "stopped" and model.confirmed:
            assert outcome == "repeated"
        else:
            assert outcome == "stopped"
            model.status, model.confirmed, model.owner, model.holder = "stopped", True, None, None
            self.events += 1

    @rule()
    def lease_lapses(self) -> None:
        self.do(self.driver.expire_lease())
        self.do(self.driver.sessions.lapse_leases())
        if self.model is not None and self.model.owner:
            self.model.owner = None
            if self.model.status == "running" and self.model.asked:
                self.model.status = "stopped"

    @rule()
    def somebody_deletes(self) -> None:
        removed = self.do(self.driver.sessions.delete("s"))
        assert removed == (None if self.model is None else self.events)
        self.deleted_events += self.events
        self.model, self.events = None, 0

    @invariant()
    def session_is_as_the_rules_say(self) -> None:
        if not hasattr(self, "driver"):
            return
        session, model = self.do(self.driver.get()), self.model
        if model is None:
            assert session is None
            return
        assert session is not None
        expected = (model.status, model.stop_confirmed, model.presence)
        assert (session["status"], session["stop_confirmed"], session["presence"]) == expected
        assert session["events"] == self.events
        assert (session["ended_at"] is None) == (model.status == "running")
        assert (session["stop_requested_at"] is None) == (not model.asked)
        assert (session["stop_confirmed_at"] is None) == (not model.confirmed)
        moments = [session[name] for name in ("started_at", "ended_at", "modified_at")]
        assert [at for at in moments if at] == sorted(at for at in moments if at)

    @invariant()
    def browsers_have_been_told(self) -> None:
        if not hasattr(self, "driver"):
            return
        messages = self.do(self.driver.messages())
        assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
        told = [m for m in messages if m["type"].startswith(("session_", "stop_"))]
        if self.model is None:
            assert not told or told[-1]["type"] == "session_deleted"
            return
        last = told[-1]["session"]
        expected = (self.model.status, self.model.stop_confirmed, self.model.presence)
        assert (last["status"], last["stop_confirmed"], last["presence"]) == expected
        session = self.do(self.driver.get())
        assert session is not None
        of_the_run = ("started_at", "ended_at", "stop_requested_at", "stop_confirmed_at")
        assert [last[name] for name in of_the_run] == [session[name] for name in of_the_run]

    @invariant()
    def a_browser_that_counts_events_is_right(self) -> None:
        if not hasattr(self, "driver"):
            return
        events = 0
        for message in self.do(self.driver.messages()):
            if message["type"] == "event":
                events += 1
            elif message["type"] == "session_deleted":
                events = 0
            else:
                assert message["session"]["events"] == events
        assert events == self.events

    @invariant()
    def everything_that_was_accepted_has_been_counted_once(self) -> None:
        if not hasattr(self, "driver"):
            return
        buckets = self.do(read_statistics(self.driver.bus, 1)).buckets
        assert sum(bucket.events for bucket in buckets) == self.deleted_events + self.events
        assert sum(bucket.sessions for bucket in buckets) == self.runs

    @invariant()
    def indexes_hold_the_session_where_it_belongs(self) -> None:
        if not hasattr(self, "driver"):
            return
        for status in ("running", "finished", "stopped"):
            page = self.do(self.driver.sessions.page(limit=10, status=status))
            assert page.total == (self.model is not None and self.model.status == status)

    @invariant()
    def history_is_complete_and_in_order(self) -> None:
        if not hasattr(self, "driver") or self.model is None:
            return
        page = self.do(self.driver.events.page("s", limit=10_000))
        assert page is not None
        ids = [json.loads(event)["id"] for event in page.events]
        assert len(ids) == self.events
        assert ids == sorted(set(ids))


def check(make_bus: Callable[[], Bus], examples: int) -> None:
    machine = type("Machine", (SessionMachine,), {"make_bus": staticmethod(make_bus)})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_transitions_on_fakeredis() -> None:
    check(lambda: Bus(FakeAsyncRedis(version=(7,)), Keys("t")), examples=60)


def test_transitions_on_a_real_server(redis_server: RedisServer) -> None:
    count = iter(range(10_000))
    check(lambda: Bus(connect(redis_server.url, name="test"), Keys(f"machine-{next(count)}")), examples=60)


pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
