/** What a coalescer needs of the world; a test brings its own. */
export type Clock = { now(): number; later(ms: number, run: () => void): () => void };

const browserClock: Clock = {
  now: () => Date.now(),
  later: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** Messages of one burst come within this; so long the first of them waits for the others. */
const FIRST_MS = 40;

export type Coalesced = { ask(): void; cancel(): void };

/**
 * Makes one run of many asks: soon after the first, then at most once in `every` ms and never while one is going on.
 * There is always a run that begins after the last ask.
 *
 * @param run settles when it is over; a failure is its own matter.
 */
export function coalesce(run: () => Promise<unknown>, every: number, clock: Clock = browserClock): Coalesced {
  let cancelTimer: (() => void) | null = null;
  let running = false;
  let again = false;
  let last = Number.NEGATIVE_INFINITY;

  const start = async () => {
    cancelTimer = null;
    running = true;
    last = clock.now();
    try {
      await run();
    } finally {
      running = false;
      if (again) {
        again = false;
        ask();
      }
    }
  };
  const ask = () => {
    if (running) again = true;
    else cancelTimer ??= clock.later(Math.max(FIRST_MS, last + every - clock.now()), () => void start());
  };
  return {
    ask,
    cancel: () => {
      again = false;
      cancelTimer?.();
      cancelTimer = null;
    },
  };
}
