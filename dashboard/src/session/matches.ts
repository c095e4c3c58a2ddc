import type { OutlineEvent } from "./outline";

/** What was found, as far as it was looked for. A tool's call and its result are one match: one repeats the other. */
export class Matches {
  /** The ids to go to, in order. */
  ids: readonly number[] = [];
  /** All events that hold it. */
  readonly marked: Set<number> = new Set();
  readonly #byUse = new Map<string, number>();

  /** Adds what was found further up. */
  prepend(found: readonly OutlineEvent[]): void {
    const added: number[] = [];
    const replaced = new Set<number>();
    for (const event of found) {
      if (this.marked.has(event.id)) continue;
      this.marked.add(event.id);
      const known = event.tool_use_id === null ? undefined : this.#byUse.get(event.tool_use_id);
      if (known !== undefined && known < event.id) continue;
      if (known !== undefined) replaced.add(known);
      if (event.tool_use_id !== null) this.#byUse.set(event.tool_use_id, event.id);
      added.push(event.id);
    }
    this.ids = [...added, ...this.ids].filter((id) => !replaced.has(id));
  }

  /** Adds what came since. */
  append(found: readonly OutlineEvent[]): void {
    const added: number[] = [];
    for (const event of found) {
      if (this.marked.has(event.id)) continue;
      this.marked.add(event.id);
      const use = event.tool_use_id;
      if (use !== null && this.#byUse.has(use)) continue;
      if (use !== null) this.#byUse.set(use, event.id);
      added.push(event.id);
    }
    this.ids = [...this.ids, ...added];
  }
}

/** Not searched: these are the same in all of a session's events. */
const REPEATED = new Set(["session_id", "session_name"]);

/** Whether an event says something, in any letter case: what the server's search looks at, for events that come live. */
export function says(event: Readonly<Record<string, unknown>>, q: string): boolean {
  const wanted = q.toLowerCase();
  const rest = Object.entries(event).flatMap(([name, value]) => (REPEATED.has(name) ? [] : [value]));
  while (rest.length > 0) {
    const value = rest.pop();
    if (typeof value === "string") {
      if (value.toLowerCase().includes(wanted)) return true;
    } else if (Array.isArray(value)) for (const item of value) rest.push(item);
    else if (typeof value === "object" && value !== null) for (const item of Object.values(value)) rest.push(item);
  }
  return false;
}
