import type { Hours } from "./search";

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric" });
const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** How far apart the times on the axis are. */
const STEPS: Record<Hours, number> = { 1: 10 * MINUTE, 6: HOUR, 24: 3 * HOUR, 168: 24 * HOUR };

/** Which of some moments are worth a place on the axis: the first after each step of the reader's clock. */
export function ticksAmong(starts: readonly number[], hours: Hours): number[] {
  const stepOf = (ms: number) => Math.floor((ms - new Date(ms).getTimezoneOffset() * MINUTE) / STEPS[hours]);
  return starts.filter((start, index) => {
    const before = starts[index - 1];
    return before !== undefined && stepOf(before) !== stepOf(start);
  });
}

/** A place on the axis of time. */
export const tick = (ms: number, hours: Hours): string => (hours > 24 ? DAY : TIME).format(ms);

/** From when to when. */
export function stretchOf({ start, end }: { start: number; end: number }, hours: Hours): string {
  return `${(hours > 24 ? DAY_AND_TIME : TIME).format(start)} – ${TIME.format(end)}`;
}

/** A period, as it ends a sentence. */
export const PERIODS: Record<Hours, string> = {
  1: "in the last hour",
  6: "in the last 6 hours",
  24: "in the last 24 hours",
  168: "in the last 7 days",
};
