import { describe, expect, it } from "vitest";

import {
  ARMED_MS,
  type Ask,
  canBeStopped,
  isOf,
  PATIENCE_MS,
  type Stoppable,
  type StopStep,
  stopStep,
  tell,
} from "@/stop/stop-steps";

const NOW = Date.parse("2026-01-24T10:00:00+00:00");
const iso = (ms: number) => new Date(ms).toISOString();

const session = (fields: Partial<Stoppable> = {}): Stoppable => ({
  status: "running",
  presence: "connected",
  stop_confirmed: null,
  run: "7",
  stop_requested_at: null,
  stop_confirmed_at: null,
  ...fields,
});
const askedAgo = (ms: number) => ({ stop_confirmed: false, stop_requested_at: iso(NOW - ms) });
const sending = (ago: number, run: string | null = "7"): Ask => ({ state: "sending", run, at: NOW - ago });
const answered = (ago: number, run: string | null = "7"): Ask => ({
  state: "answered",
  run,
  at: NOW - ago,
  message: "told",
});
const failed: Ask = { state: "failed", run: "7", at: NOW - 100, message: "Redis is away" };
const armed = (left: number): Ask => ({ state: "armed", run: "7", until: NOW + left });

describe("a session of which no stop was asked", () => {
  it.each(["running", "finished"] as const)("is idle while %s", (status) => {
    expect(stopStep(session({ status }), null, NOW)).toEqual({ step: "idle" });
  });

  it("is idle when the server sends neither times nor confirmation", () => {
    const old = { status: "running", presence: "connected", run: null } as Stoppable;
    expect(stopStep(old, null, NOW)).toEqual({ step: "idle" });
  });
});

describe("the first press", () => {
  it("waits for the second", () => {
    expect(stopStep(session(), armed(ARMED_MS), NOW)).toEqual({ step: "confirming" });
  });

  it("lapses", () => {
    expect(stopStep(session(), armed(0), NOW)).toEqual({ step: "idle" });
  });

  it("needs no second when another browser has asked meanwhile", () => {
    expect(stopStep(session(askedAgo(100)), armed(10), NOW)).toEqual({ step: "asked", ms: 100 });
    expect(stopStep(session(askedAgo(9000)), armed(10), NOW)).toMatchObject({ step: "unconfirmed" });
  });

  it("means nothing once the session is over", () => {
    expect(stopStep(session({ status: "finished" }), armed(10), NOW)).toEqual({ step: "idle" });
    expect(stopStep(session({ status: "stopped", presence: "none", ...askedAgo(1) }), armed(10), NOW)).toEqual({
      step: "unattended",
    });
  });
});

describe("a stop that is under way", () => {
  it("is asked from the moment of the press, before the server has said anything", () => {
    expect(stopStep(session(), sending(200), NOW)).toEqual({ step: "asked", ms: 200 });
    expect(stopStep(session(), answered(200), NOW)).toEqual({ step: "asked", ms: 200 });
  });

  it("is the same to a browser that did not ask", () => {
    expect(stopStep(session(askedAgo(3000)), null, NOW)).toEqual({ step: "asked", ms: 3000 });
  });

  it("is asked where the server does not send the times", () => {
    expect(stopStep(session({ stop_confirmed: false }), null, NOW)).toEqual({ step: "asked", ms: 0 });
  });

  it("counts by this page's clock where this page has asked", () => {
    expect(stopStep(session(askedAgo(-60_000)), answered(1000), NOW)).toEqual({ step: "asked", ms: 1000 });
  });

  it("never counts below zero when the server's clock is ahead", () => {
    expect(stopStep(session(askedAgo(-60_000)), null, NOW)).toEqual({ step: "asked", ms: 0 });
  });

  it("is still under way while a stopped session's agent is connected", () => {
    expect(stopStep(session({ status: "stopped", ...askedAgo(1000) }), null, NOW)).toEqual({ step: "asked", ms: 1000 });
  });

  it.each(["connected", "hooks", "none"] as const)("is not confirmed after a while, with presence %s", (presence) => {
    const ms = PATIENCE_MS;
    expect(stopStep(session({ presence, ...askedAgo(ms) }), null, NOW)).toEqual({ step: "unconfirmed", ms, presence });
  });

  it("is asked while it is being asked again", () => {
    expect(stopStep(session(askedAgo(9000)), sending(9000), NOW)).toEqual({ step: "asked", ms: 9000 });
  });
});

describe("the end", () => {
  it("is confirmed, with the time that it took by the server's clock", () => {
    const over = session({
      status: "stopped",
      presence: "none",
      stop_confirmed: true,
      stop_requested_at: "2026-01-24T09:00:00.100000+00:00",
      stop_confirmed_at: "2026-01-24T09:00:00.350000+00:00",
    });
    for (const ask of [null, sending(100), answered(100), failed, armed(10)])
      expect(stopStep(over, ask, NOW)).toEqual({ step: "confirmed", ms: 250 });
  });

  it("is confirmed, though the server does not say when", () => {
    const over = session({ status: "stopped", presence: "none", stop_confirmed: true });
    expect(stopStep(over, null, NOW)).toEqual({ step: "confirmed", ms: null });
  });

  it("is confirmed for a run that reported its own end", () => {
    const over = session({ status: "finished", stop_confirmed: true });
    expect(stopStep(over, null, NOW)).toEqual({ step: "confirmed", ms: null });
  });

  it("waits for an agent where none is connected", () => {
    for (const ask of [null, answered(100), failed])
      expect(stopStep(session({ status: "stopped", presence: "none", ...askedAgo(10) }), ask, NOW)).toEqual({
        step: "unattended",
      });
  });

  it("came by itself where the stop was not confirmed", () => {
    expect(stopStep(session({ status: "finished", ...askedAgo(10) }), null, NOW)).toEqual({ step: "ended" });
  });
});

describe("a refused request", () => {
  it("is told in the server's words while the session runs", () => {
    expect(stopStep(session(), failed, NOW)).toEqual({ step: "failed", message: "Redis is away" });
  });
});

describe("a new run", () => {
  it.each([sending(100, "6"), answered(100, "6"), { ...failed, run: "6" }, { ...armed(10), run: "6" }] as Ask[])(
    "has nothing to do with what was asked of the last ($state)",
    (ask) => {
      expect(stopStep(session(), ask, NOW)).toEqual({ step: "idle" });
      expect(isOf(ask, session())).toBe(false);
    },
  );

  it("can't be told apart where the server names no runs", () => {
    expect(isOf(answered(100, null), session())).toBe(true);
    expect(isOf(answered(100, "6"), { run: null })).toBe(true);
  });
});

describe("canBeStopped", () => {
  it.each([
    [{ status: "running" }, true],
    [{ status: "stopped", stop_confirmed: false, presence: "connected" }, true],
    [{ status: "stopped", stop_confirmed: false, presence: "none" }, false],
    [{ status: "stopped", stop_confirmed: true, presence: "connected" }, false],
    [{ status: "finished", presence: "connected" }, false],
  ] as [Partial<Stoppable>, boolean][])("%j: %s", (fields, expected) => {
    expect(canBeStopped(session(fields))).toBe(expected);
  });
});

describe("tell", () => {
  it("has nothing to say while nobody has asked", () => {
    expect(tell({ step: "idle" })).toBeNull();
    expect(tell({ step: "confirming" })).toBeNull();
  });

  it.each([
    [{ step: "asked", ms: 2300 }, "neutral", /Asked 2 s ago/],
    [{ step: "confirmed", ms: 120 }, "good", /120 ms after/],
    [{ step: "confirmed", ms: null }, "good", /has ceased/],
    [{ step: "unattended" }, "warn", /The command waits/],
    [{ step: "unconfirmed", ms: 12_000, presence: "connected" }, "warn", /Asked 12 s ago.*agent-bridge ps/],
    [{ step: "unconfirmed", ms: 12_000, presence: "hooks" }, "warn", /next hook/],
    [{ step: "unconfirmed", ms: 12_000, presence: "none" }, "warn", /no longer connected/],
    [{ step: "ended" }, "neutral", /nothing left to stop/],
    [{ step: "failed", message: "Redis is away" }, "bad", /^Redis is away$/],
  ] as [StopStep, string, RegExp][])("%j", (step, tone, detail) => {
    const telling = tell(step);
    expect(telling).toMatchObject({ tone });
    expect(telling?.detail).toMatch(detail);
  });

  it("keeps what ticks out of the title, which is read out", () => {
    expect(tell({ step: "asked", ms: 1000 })?.title).toBe(tell({ step: "asked", ms: 4000 })?.title);
  });
});
