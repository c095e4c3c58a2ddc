import type { components } from "@/wire/coordinator";

export type Statistics = components["schemas"]["Statistics"];
type Bucket = Statistics["buckets"][number];

/** What was counted in one stretch of time; `start` and `end` in ms since 1970. */
export type Stretch = { start: number; end: number; events: number; sessions: number };

/** More bars than these can't be told from each other on a phone. */
export const MOST_BARS = 96;

/**
 * The counts over time, in few enough stretches to be drawn. They begin at round times, so that bars stay what they are
 * while time goes on; the first and the last may be shorter than the others.
 */
export function stretches({ bucket_seconds, buckets }: Statistics): Stretch[] {
  const lasting = bucket_seconds * 1000;
  const together = lasting * Math.ceil(buckets.length / MOST_BARS);
  const merged: Stretch[] = [];
  for (const { start, events, sessions } of buckets) {
    const from = Date.parse(start);
    const current = merged.at(-1);
    if (current === undefined || Math.floor(from / together) !== Math.floor(current.start / together))
      merged.push({ start: from, end: from + lasting, events, sessions });
    else {
      current.end = from + lasting;
      current.events += events;
      current.sessions += sessions;
    }
  }
  return merged;
}

export type Totals = { events: number; sessions: number };

export function totalsOf(buckets: readonly Bucket[]): Totals {
  const totals = { events: 0, sessions: 0 };
  for (const bucket of buckets) {
    totals.events += bucket.events;
    totals.sessions += bucket.sessions;
  }
  return totals;
}

/** The stretch in which the most was counted; null when nothing was. */
export function busiest(all: readonly Stretch[], what: "events" | "sessions"): Stretch | null {
  let most: Stretch | null = null;
  for (const one of all) if (one[what] > (most?.[what] ?? 0)) most = one;
  return most;
}

export type ToolUse = { name: string; uses: number; errors: number };

/** How the tools were used, the most used first. */
export function toolUses(buckets: readonly Bucket[]): ToolUse[] {
  const sums = new Map<string, ToolUse>();
  for (const bucket of buckets)
    for (const [name, { uses, errors }] of Object.entries(bucket.tools)) {
      const sum = sums.get(name) ?? { name, uses: 0, errors: 0 };
      sums.set(name, { name, uses: sum.uses + uses, errors: sum.errors + errors });
    }
  return [...sums.values()].sort((one, other) => other.uses - one.uses || one.name.localeCompare(other.name));
}

/** How large a part of the uses were errors, from 0 to 1. */
export const errorShare = ({ uses, errors }: { uses: number; errors: number }): number =>
  uses === 0 ? 0 : errors / uses;

/** A share as it is written: 0 %, 0.4 %, 12 %. What is there is never rounded to nothing, nor what is missing to all. */
export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 0.1) return "<0.1 %";
  if (value < 10) return `${value.toFixed(1).replace(/\.0$/, "")} %`;
  return value < 100 && Math.round(value) === 100 ? ">99 %" : `${Math.round(value)} %`;
}
