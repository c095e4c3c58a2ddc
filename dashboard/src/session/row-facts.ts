import { dollars, short } from "@/format/numbers";
import type { StoredEvent } from "@/wire/types";

import { hasFailed, type Item, isDenial } from "./items";

/** What has become of an item, where something can. */
export type Fate = "running" | "done" | "failed" | "denied" | "unfinished" | "none";

/** @param live whether the session runs and its newest events are loaded, so that a result would be here. */
export function fateOf(item: Item, live: boolean): Fate {
  if (hasFailed(item)) return "failed";
  if (item.kind === "tool") {
    if (item.result !== null) return isDenial(item.result) ? "denied" : "done";
    return live && !item.abandoned ? "running" : "unfinished";
  }
  if (item.kind === "agent") return item.agent.stop !== null ? "done" : live ? "running" : "none";
  return "none";
}

/** How long an item took, in ms; up to now while it runs, null where that is not known. */
export function tookMs(item: Item, now: number | null): number | null {
  if (item.kind === "tool") {
    const said = item.result?.duration_ms;
    if (typeof said === "number" && said >= 0) return said;
    return item.use === null ? null : between(item.use, item.result, now);
  }
  if (item.kind === "agent") return between(item.agent.start, item.agent.stop, now);
  return null;
}

function between(start: StoredEvent | null, end: StoredEvent | null, now: number | null): number | null {
  const until = end === null ? now : Date.parse(end.timestamp);
  if (start === null || until === null) return null;
  return Math.max(0, until - Date.parse(start.timestamp));
}

/** What a usage event adds, in few words. */
export function usageWords(event: StoredEvent): string {
  const tokens = [
    counted(event.input_tokens, "in"),
    counted(event.output_tokens, "out"),
    counted(sum(event.cache_read_tokens, event.cache_write_tokens), "cached"),
  ].filter((words) => words !== null);
  const cost = typeof event.cost_usd === "number" && event.cost_usd > 0 ? [dollars(event.cost_usd)] : [];
  return [...tokens, ...cost].join(" · ");
}

function counted(value: unknown, word: string): string | null {
  return typeof value === "number" && value > 0 ? `${short(value)} ${word}` : null;
}

function sum(...values: unknown[]): number {
  return values.reduce<number>((total, value) => total + (typeof value === "number" ? value : 0), 0);
}
