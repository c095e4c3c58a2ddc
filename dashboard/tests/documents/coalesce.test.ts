import { describe, expect, it } from "vitest";

import { coalesce } from "@/documents/coalesce";

/** A clock that stands until it is moved. */
class Clock {
  time = 0;
  #timers: { at: number; run: () => void }[] = [];

  now = () => this.time;

  later = (ms: number, run: () => void) => {
    const timer = { at: this.time + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  };

  async advance(ms: number): Promise<void> {
    const until = this.time + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= until).toSorted((one, other) => one.at - other.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== due);
      this.time = due.at;
      due.run();
      await settle();
    }
    this.time = until;
  }
}

const settle = async () => {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
};

describe("asks of one burst", () => {
  it("make one run, soon after the first", async () => {
    const clock = new Clock();
    let runs = 0;
    const count = async () => {
      runs += 1;
    };
    const { ask } = coalesce(count, 1000, clock);
    for (let n = 0; n < 1000; n += 1) ask();
    expect(runs).toBe(0);
    await clock.advance(100);
    expect(runs).toBe(1);
    await clock.advance(10_000);
    expect(runs).toBe(1);
  });

  it("make at most a run a second while they go on, and one after the last", async () => {
    const clock = new Clock();
    const at: number[] = [];
    const { ask } = coalesce(async () => void at.push(clock.now()), 1000, clock);
    for (let n = 0; n < 300; n += 1) {
      ask();
      await clock.advance(10);
    }
    await clock.advance(5000);
    expect(at.length).toBeLessThanOrEqual(4);
    expect(at.at(-1)).toBeGreaterThanOrEqual(2990);
  });
});

describe("an ask while a run is going on", () => {
  it("waits for it, and is followed by a run of its own", async () => {
    const clock = new Clock();
    const ends: (() => void)[] = [];
    const { ask } = coalesce(() => new Promise<void>((end) => ends.push(end)), 100, clock);
    ask();
    await clock.advance(5000);
    ask();
    ask();
    await clock.advance(5000);
    expect(ends).toHaveLength(1);
    ends[0]?.();
    await settle();
    await clock.advance(5000);
    expect(ends).toHaveLength(2);
  });
});

describe("a cancelled ask", () => {
  it("makes no run", async () => {
    const clock = new Clock();
    let runs = 0;
    const count = async () => {
      runs += 1;
    };
    const { ask, cancel } = coalesce(count, 100, clock);
    ask();
    cancel();
    await clock.advance(1000);
    expect(runs).toBe(0);
  });
});
