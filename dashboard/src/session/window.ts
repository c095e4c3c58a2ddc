import type { StoredEvent } from "@/wire/types";

/** So many events are kept at once; beyond that the end that is further from the reader is let go. */
export const MOST_EVENTS = 20_000;
/** Letting go costs as much as beginning anew, so it is done for many events at a time. */
const SLACK = 2_000;
/** So much text is kept at once, in characters: an event may be a megabyte. */
export const MOST_WEIGHT = 96_000_000;

/** A run of a session's history without gaps, oldest first. It is replaced, never changed in place. */
export type TimelineWindow = {
  readonly events: readonly StoredEvent[];
  /** There are older events than the first one. */
  readonly older: boolean;
  /** There are newer ones than the last; otherwise it ends where the history does, and live events go on from there. */
  readonly newer: boolean;
  /** About how many characters the events hold. */
  readonly weight: number;
};

type Bounds = { events: number; weight: number };
const BOUNDS: Bounds = { events: MOST_EVENTS, weight: MOST_WEIGHT };

/** A window on what was read. */
export function opened(events: readonly StoredEvent[], ends: { older: boolean; newer: boolean }): TimelineWindow {
  return { events, ...ends, weight: weightOf(events) };
}

/** The window grown at its top by a page that was read with `before` its first event. */
export function withOlder(
  window: TimelineWindow,
  page: readonly StoredEvent[],
  hasMore: boolean,
  bounds = BOUNDS,
): TimelineWindow {
  const first = window.events[0]?.id ?? Number.POSITIVE_INFINITY;
  const added = page.filter((event) => event.id < first);
  const whole = {
    events: [...added, ...window.events],
    older: hasMore,
    newer: window.newer,
    weight: window.weight + weightOf(added),
  };
  const [events, weight] = shortened(whole, "newest", bounds);
  return { ...whole, events, weight, newer: window.newer || events.length < whole.events.length };
}

/** The window grown at its bottom by a page that was read with `after` its last event. */
export function withNewer(
  window: TimelineWindow,
  page: readonly StoredEvent[],
  hasMore: boolean,
  bounds = BOUNDS,
): TimelineWindow {
  const added = after(window, page);
  const whole = {
    events: added.length === 0 ? window.events : [...window.events, ...added],
    older: window.older,
    newer: hasMore,
    weight: window.weight + weightOf(added),
  };
  const [events, weight] = shortened(whole, "oldest", bounds);
  return { ...whole, events, weight, older: window.older || events.length < whole.events.length };
}

/**
 * The window with events that came live.
 *
 * One that does not reach the history's end takes none: they would leave a gap. A full one lets go of the oldest for
 * those who follow; for those who read further up it ends here, and they find the newer ones when they come down.
 */
export function withLive(
  window: TimelineWindow,
  live: readonly StoredEvent[],
  following: boolean,
  bounds = BOUNDS,
): TimelineWindow {
  const added = window.newer ? [] : after(window, live);
  if (added.length === 0) return window;
  const full = window.events.length + added.length > bounds.events || window.weight + weightOf(added) > bounds.weight;
  return full && !following ? { ...window, newer: true } : withNewer(window, added, false, bounds);
}

/** Whether a window holds the place of an id, even if there is no such event. */
export function covers(window: TimelineWindow, id: number): boolean {
  const first = window.events[0];
  const last = window.events.at(-1);
  if (first === undefined || last === undefined) return false;
  return (id >= first.id || !window.older) && (id <= last.id || !window.newer);
}

/** The index of the first event with this id or a greater one. */
export function firstFrom(events: readonly { id: number }[], id: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((events[middle]?.id ?? 0) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

function after(window: TimelineWindow, events: readonly StoredEvent[]): readonly StoredEvent[] {
  const last = window.events.at(-1)?.id ?? 0;
  // Pages and live messages are in order, so what is known is at the beginning.
  return events.slice(firstFrom(events, last + 1));
}

function shortened(
  window: { events: readonly StoredEvent[]; weight: number },
  end: "oldest" | "newest",
  bounds: Bounds,
): [readonly StoredEvent[], number] {
  const { events, weight } = window;
  if (events.length <= bounds.events && weight <= bounds.weight) return [events, weight];
  const slack = Math.min(SLACK, Math.floor(bounds.events / 10));
  let count = events.length;
  let rest = weight;
  while (count > 1 && (count > bounds.events - slack || rest > bounds.weight)) {
    const gone = end === "oldest" ? events[events.length - count] : events[count - 1];
    if (gone !== undefined) rest -= weightOf([gone]);
    count -= 1;
  }
  return [end === "oldest" ? events.slice(-count) : events.slice(0, count), rest];
}

function weightOf(events: readonly StoredEvent[]): number {
  let weight = 0;
  for (const event of events) weight += weigh(event);
  return weight;
}

/** A value's weight: its texts' lengths, and something for each value. */
function weigh(value: unknown): number {
  let weight = 0;
  const rest: unknown[] = [value];
  while (rest.length > 0) {
    const one = rest.pop();
    weight += 8;
    if (typeof one === "string") weight += one.length;
    else if (Array.isArray(one)) for (const item of one) rest.push(item);
    else if (typeof one === "object" && one !== null) for (const item of Object.values(one)) rest.push(item);
  }
  return weight;
}
