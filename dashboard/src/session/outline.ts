import type { components } from "@/wire/coordinator";
import type { StoredEvent } from "@/wire/types";

import { failed } from "./items";
import { LANES, type Lane, laneOf } from "./kinds";
import { lowerBound } from "./ordered";

export type OutlineEvent = components["schemas"]["OutlineEvent"];

const LANE_NUMBER = new Map<Lane, number>(LANES.map((lane, number) => [lane, number]));

/**
 * All events of a session in short, in columns: a hundred thousand of them take a few megabytes and a millisecond.
 *
 * Pages are added at the front, live events at the end. What is there already is passed over.
 */
export class Outline {
  ids: number[] = [];
  /** When each event happened, in ms since 1970. */
  times: number[] = [];
  /** When what began with it ended: a tool's call with its result; everything else at once. */
  untils: number[] = [];
  /** Numbers of LANES. */
  lanes: number[] = [];
  /** 1 for what tells of a failure. */
  errors: number[] = [];
  /** Calls that wait for a result, by id; and results whose calls are further up than what is here, with their times. */
  readonly #calls = new Map<string, number>();
  readonly #results = new Map<string, number>();

  get length(): number {
    return this.ids.length;
  }

  get last(): number {
    return this.ids.at(-1) ?? 0;
  }

  /** Adds events that follow what is here. */
  append(events: readonly OutlineEvent[]): void {
    for (const event of events) {
      if (event.id <= this.last) continue;
      const time = timeOf(event, this.times.at(-1));
      this.#push(event, time);
      const call = callOf(event);
      if (call === null) continue;
      if (event.event_type === "pre_tool") this.#calls.set(call, event.id);
      else {
        const begun = this.#calls.get(call);
        if (begun === undefined) {
          if (!this.#results.has(call)) this.#results.set(call, time);
          continue;
        }
        this.#calls.delete(call);
        const index = lowerBound(this.ids, begun);
        this.untils[index] = Math.max(time, this.times[index] ?? 0);
      }
    }
  }

  /** Adds events that come before what is here. */
  prepend(events: readonly OutlineEvent[]): void {
    const first = this.ids[0] ?? Number.POSITIVE_INFINITY;
    const page = new Outline();
    page.append(events.filter((event) => event.id < first));
    for (const [call, begun] of page.#calls) {
      const ended = this.#results.get(call);
      if (ended === undefined) {
        if (!this.#calls.has(call)) this.#calls.set(call, begun);
        continue;
      }
      this.#results.delete(call);
      const index = lowerBound(page.ids, begun);
      page.untils[index] = Math.max(ended, page.times[index] ?? 0);
    }
    for (const [call, ended] of page.#results) this.#results.set(call, ended);
    this.ids = page.ids.concat(this.ids);
    this.times = page.times.concat(this.times);
    this.untils = page.untils.concat(this.untils);
    this.lanes = page.lanes.concat(this.lanes);
    this.errors = page.errors.concat(this.errors);
  }

  /** The ids of the events that tell of a failure, in order. */
  failures(): number[] {
    return this.ids.filter((_, index) => this.errors[index] === 1);
  }

  /** The index of the first event with this id or a greater one. */
  indexFrom(id: number): number {
    return lowerBound(this.ids, id);
  }

  #push(event: OutlineEvent, time: number): void {
    this.ids.push(event.id);
    this.times.push(time);
    this.untils.push(time);
    this.lanes.push(LANE_NUMBER.get(laneOf(event)) ?? 0);
    this.errors.push(event.error ? 1 : 0);
  }
}

/** What the outline says of an event, of one that came live. */
export function outlined(event: StoredEvent): OutlineEvent {
  return {
    id: event.id,
    timestamp: event.timestamp,
    event_type: event.event_type,
    tool_name: event.tool_name ?? null,
    tool_use_id: textOrNull(event.tool_use_id),
    agent_id: textOrNull(event.agent_id),
    error: failed(event),
  };
}

function callOf(event: OutlineEvent): string | null {
  if (event.event_type !== "pre_tool" && event.event_type !== "post_tool") return null;
  return event.tool_use_id ?? `${event.agent_id ?? ""} ${event.tool_name ?? ""}`;
}

/** A clock that cannot be read counts as the one before. */
function timeOf(event: OutlineEvent, before: number | undefined): number {
  const time = Date.parse(event.timestamp);
  return Number.isNaN(time) ? (before ?? 0) : time;
}

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);
