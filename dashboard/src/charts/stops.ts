import type { Session } from "@/wire/types";

/** How long the stops of a time took, in ms, from the request to the agent's confirmed end. */
export type StopOverview = {
  /** Of those that were confirmed, ascending. */
  latencies: number[];
  /** The run goes on, and its agent may still confirm. */
  waiting: number;
  /** The run has ended without the agent having confirmed that it ceased. */
  unconfirmed: number;
};

/**
 * The stops that were asked for since a moment, in ms since 1970. A session tells of the stop of its current or last run
 * only.
 */
export function stopsSince(sessions: Iterable<Session>, since: number): StopOverview {
  const latencies: number[] = [];
  let waiting = 0;
  let unconfirmed = 0;
  for (const { stop_requested_at: requested, stop_confirmed_at: confirmed, status } of sessions) {
    if (requested === null || Date.parse(requested) < since) continue;
    if (confirmed !== null) latencies.push(Math.max(0, Date.parse(confirmed) - Date.parse(requested)));
    else if (status === "running") waiting += 1;
    else unconfirmed += 1;
  }
  return { latencies: latencies.sort((one, other) => one - other), waiting, unconfirmed };
}

/**
 * The value below which a part of the values lie, interpolated between the two next to it; null without values.
 *
 * @param ascending the values, sorted.
 * @param part from 0 to 1.
 */
export function percentile(ascending: readonly number[], part: number): number | null {
  const place = part * (ascending.length - 1);
  const below = ascending[Math.floor(place)];
  const above = ascending[Math.ceil(place)];
  return below === undefined || above === undefined ? null : below + (above - below) * (place - Math.floor(place));
}

/** Upper bounds in ms: stops take from milliseconds (an agent that listens) to minutes (a tool that does not). */
const BOUNDS = [50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000];

/** `tick` is what stands below a bar: its upper bound in seconds. */
export type Bin = { label: string; tick: string; count: number };

/** How many latencies lie between which bounds. Bounds are alike on all days, so that charts can be compared. */
export function histogram(latencies: readonly number[]): Bin[] {
  const bins = BOUNDS.map((bound) => ({ label: `≤ ${short(bound)}`, tick: String(bound / 1000), count: 0 }));
  bins.push({ label: "> 1 m", tick: ">60", count: 0 });
  for (const latency of latencies) {
    // Without a bound that holds it, the index is -1, and the bin the last.
    const bin = bins.at(BOUNDS.findIndex((bound) => latency <= bound));
    if (bin) bin.count += 1;
  }
  return bins;
}

function short(ms: number): string {
  if (ms < 1000) return `${ms} ms`;
  return ms < 60_000 ? `${ms / 1000} s` : `${ms / 60_000} m`;
}
