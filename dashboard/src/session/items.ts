import type { StoredEvent } from "@/wire/types";

import { isAgentTool } from "./kinds";

/** What all items have: `key` stays the same as the item grows, `id` is its first event's. */
type Base = { key: string; id: number; at: string };

export type MessageItem = Base & { kind: "prompt" | "answer"; event: StoredEvent };
export type RunItem = Base & { kind: "begin" | "end"; event: StoredEvent };
export type UsageItem = Base & { kind: "usage"; event: StoredEvent };
export type OtherItem = Base & { kind: "other"; event: StoredEvent };
/** What a command wrote, piece by piece. */
export type OutputItem = Base & { kind: "output"; events: readonly StoredEvent[] };
export type ToolItem = Base & {
  kind: "tool";
  name: string;
  use: StoredEvent | null;
  result: StoredEvent | null;
  /** The run ended, or another began, before a result came. */
  abandoned: boolean;
  /** The subagent that it lets work. */
  agent: Subagent | null;
};
/** A subagent that no tool call is known to have begotten. */
export type AgentItem = Base & { kind: "agent"; agent: Subagent };

export type Item = MessageItem | RunItem | UsageItem | OtherItem | OutputItem | ToolItem | AgentItem;

export type Subagent = {
  agentId: string;
  name: string;
  start: StoredEvent | null;
  stop: StoredEvent | null;
  /** When it was last heard of. */
  lastAt: string;
  children: readonly Item[];
  failures: number;
};

/** Where an item stands. Items are only ever added at a list's end, so it holds for good. */
type Place = { list: Item[]; index: number };
/** A subagent's items, and the item under which they stand. */
type Group = { owner: Place; children: Item[] };

/**
 * Pieces of output are one item, within bounds: an item that grows is drawn anew each time. The bounds go by id, so that
 * they stay where they are when older events are added at the top.
 */
const PIECE_IDS = 256;

/**
 * Makes items of events, which are added in order; one that is added costs the same however many there are.
 *
 * An item that changes is replaced, so who has drawn it sees by identity whether it is still the same.
 */
export class Items {
  readonly top: readonly Item[];
  readonly #top: Item[] = [];
  readonly #groups = new Map<string, Group>();
  /** Calls by the id that joins them to their results. */
  readonly #calls = new Map<string, Place>();
  /** Calls without a result, in order. */
  readonly #open = new Set<Place>();
  /** Which item an event is part of, and which subagents' items that stands among. */
  readonly #homes = new Map<number, Place>();
  readonly #agentOfList = new Map<readonly Item[], string>();
  readonly #announced = new Map<string, Place>();
  readonly #outputs = new Set<number>();

  constructor(events: Iterable<StoredEvent> = []) {
    this.top = this.#top;
    for (const event of events) this.add(event);
  }

  /** The item that an event is part of, and the subagents among whose items it stands, the innermost first. */
  find(eventId: number): { item: Item; agents: readonly string[] } | null {
    const place = this.#homes.get(eventId);
    const item = place && at(place);
    if (place === undefined || item === undefined) return null;
    const agents: string[] = [];
    for (let agent = this.#agentOfList.get(place.list); agent !== undefined; ) {
      agents.push(agent);
      const owner = this.#groups.get(agent)?.owner;
      agent = owner && this.#agentOfList.get(owner.list);
    }
    return { item, agents };
  }

  add(event: StoredEvent): void {
    const agentId = text(event.agent_id);
    const list = agentId === null ? this.#top : this.#childrenOf(agentId, event);
    switch (event.event_type) {
      case "subagent_start":
      case "subagent_stop":
        if (agentId === null) this.#push(list, { ...base(event), kind: "other", event });
        else this.#mark(agentId, event);
        return;
      case "pre_tool":
        this.#begin(list, event);
        break;
      case "post_tool":
      case "permission_denied":
        this.#finish(list, event);
        break;
      case "session_start":
      case "session_stop":
        this.#abandon();
        this.#push(list, { ...base(event), kind: event.event_type === "session_start" ? "begin" : "end", event });
        break;
      case "message":
        this.#push(list, { ...base(event), kind: event.role === "assistant" ? "answer" : "prompt", event });
        break;
      case "usage":
        this.#push(list, { ...base(event), kind: "usage", event });
        break;
      case "output":
        this.#write(list, event);
        break;
      default:
        this.#push(list, { ...base(event), kind: "other", event });
    }
    if (agentId !== null) this.#heard(agentId, event);
  }

  #push(list: Item[], item: Item): Place {
    const place = { list, index: list.length };
    list.push(item);
    this.#homes.set(item.id, place);
    return place;
  }

  #begin(list: Item[], event: StoredEvent): void {
    const use = text(event.tool_use_id);
    const known = use !== null && this.#calls.has(use);
    const place = this.#push(list, {
      ...base(event),
      key: use === null || known ? `e${event.id}` : `t${use}`,
      kind: "tool",
      name: event.tool_name ?? "?",
      use: event,
      result: null,
      abandoned: false,
      agent: null,
    });
    this.#open.add(place);
    if (use !== null && !known) this.#calls.set(use, place);
  }

  #finish(list: Item[], event: StoredEvent): void {
    const place = this.#callOf(list, event);
    const call = place && at(place);
    if (place === undefined || call?.kind !== "tool") {
      const use = text(event.tool_use_id);
      const known = use !== null && this.#calls.has(use);
      const lone = this.#push(list, {
        ...base(event),
        key: use === null || known ? `e${event.id}` : `t${use}`,
        kind: "tool",
        name: event.tool_name ?? "?",
        use: null,
        result: event,
        abandoned: false,
        agent: null,
      });
      if (use !== null && !known) this.#calls.set(use, lone);
      return;
    }
    this.#open.delete(place);
    this.#homes.set(event.id, place);
    place.list[place.index] = { ...call, result: event };
    const agentId = isAgentTool(call.name) ? announced(event.tool_output) : null;
    if (agentId !== null) this.#adopt(agentId, place);
  }

  /** The call that a result belongs to: by id, else the oldest one of the same tool that has none. */
  #callOf(list: Item[], event: StoredEvent): Place | undefined {
    const use = text(event.tool_use_id);
    if (use !== null) {
      const place = this.#calls.get(use);
      return place !== undefined && this.#open.has(place) ? place : undefined;
    }
    const candidates = [...this.#open].filter((place) => {
      const call = at(place);
      return place.list === list && call?.kind === "tool" && call.name === event.tool_name;
    });
    return candidates.find((place) => at(place)?.key.startsWith("e")) ?? candidates[0];
  }

  #abandon(): void {
    for (const place of this.#open) {
      const call = at(place);
      if (call?.kind === "tool" && !call.abandoned) place.list[place.index] = { ...call, abandoned: true };
      // A result that comes late still finds its call by id.
      if (call?.key.startsWith("e")) this.#open.delete(place);
    }
  }

  #write(list: Item[], event: StoredEvent): void {
    const last = list.at(-1);
    const bucket = Math.floor(event.id / PIECE_IDS);
    if (last?.kind !== "output" || Math.floor(last.id / PIECE_IDS) !== bucket) {
      const key = this.#outputs.has(bucket) ? `e${event.id}` : `o${bucket}`;
      this.#outputs.add(bucket);
      this.#push(list, { ...base(event), key, kind: "output", events: [event] });
      return;
    }
    list[list.length - 1] = { ...last, events: [...last.events, event] };
    this.#homes.set(event.id, { list, index: list.length - 1 });
  }

  #childrenOf(agentId: string, event: StoredEvent): Item[] {
    const known = this.#groups.get(agentId);
    if (known !== undefined) return known.children;
    const children: Item[] = [];
    const agent: Subagent = {
      agentId,
      name: text(event.agent_type) ?? text(event.subagent_type) ?? "Subagent",
      start: null,
      stop: null,
      lastAt: event.timestamp,
      children,
      failures: 0,
    };
    const call = this.#begetter(agentId, event);
    const owner = call ?? this.#push(this.#top, { ...base(event), key: `a${agentId}`, kind: "agent", agent });
    this.#groups.set(agentId, { owner, children });
    this.#agentOfList.set(children, agentId);
    if (call !== undefined) this.#place(call, agent);
    return children;
  }

  /** The call that let a subagent work: the one it names, the one that named it, else the first that waits for one. */
  #begetter(agentId: string, event: StoredEvent): Place | undefined {
    const named = this.#calls.get(text(event.parent_tool_use_id) ?? "") ?? this.#announced.get(agentId);
    if (named !== undefined) return free(named) ? named : undefined;
    if (event.event_type !== "subagent_start") return undefined;
    const type = text(event.agent_type);
    for (const place of this.#open) {
      const call = at(place);
      if (call?.kind !== "tool" || call.abandoned || !isAgentTool(call.name) || !free(place)) continue;
      const wanted = text(call.use?.tool_input?.subagent_type);
      if (wanted === null || type === null || wanted === type) return place;
    }
    return undefined;
  }

  /** A result has named the subagent that its call let work. Two calls that were taken for each other's are put right. */
  #adopt(agentId: string, place: Place): void {
    this.#announced.set(agentId, place);
    const group = this.#groups.get(agentId);
    if (group === undefined || group.owner === place || at(group.owner)?.kind !== "tool") return;
    const mistaken = agentOf(at(place));
    const mine = agentOf(at(group.owner));
    const other = group.owner;
    this.#place(other, mistaken);
    this.#place(place, mine);
    group.owner = place;
    const wrong = mistaken && this.#groups.get(mistaken.agentId);
    if (wrong) wrong.owner = other;
  }

  #place(place: Place, agent: Subagent | null): void {
    const item = at(place);
    if (item?.kind === "tool") place.list[place.index] = { ...item, agent };
    else if (item?.kind === "agent" && agent !== null) place.list[place.index] = { ...item, agent };
  }

  #mark(agentId: string, event: StoredEvent): void {
    const owner = this.#groups.get(agentId)?.owner;
    const agent = owner && agentOf(at(owner));
    if (!owner || !agent) return;
    const mark = event.event_type === "subagent_start" ? { start: event } : { stop: event };
    this.#place(owner, { ...agent, ...mark, name: text(event.agent_type) ?? agent.name, lastAt: event.timestamp });
    if (!this.#homes.has(event.id)) this.#homes.set(event.id, owner);
  }

  #heard(agentId: string, event: StoredEvent): void {
    const owner = this.#groups.get(agentId)?.owner;
    const agent = owner && agentOf(at(owner));
    if (!owner || !agent) return;
    const failures = agent.failures + (failed(event) ? 1 : 0);
    this.#place(owner, { ...agent, lastAt: event.timestamp, failures });
  }
}

/** The events that an item is made of, in order. */
export function eventsOf(item: Item): readonly StoredEvent[] {
  switch (item.kind) {
    case "tool":
      return [item.use, item.agent?.start, item.agent?.stop, item.result].filter((event) => event != null);
    case "agent":
      return [item.agent.start, item.agent.stop].filter((event) => event !== null);
    case "output":
      return item.events;
    default:
      return [item.event];
  }
}

/** Whether an event tells of a failure; the outline's `error` means the same. */
export function failed(event: StoredEvent): boolean {
  if (event.error != null) return true;
  return event.event_type === "session_stop" && event.exit_code != null && event.exit_code !== 0;
}

export function hasFailed(item: Item): boolean {
  return eventsOf(item).some(failed);
}

export const isDenial = (event: StoredEvent): boolean => event.event_type === "permission_denied";

export const agentOf = (item: Item | undefined): Subagent | null =>
  item?.kind === "tool" || item?.kind === "agent" ? item.agent : null;

const at = (place: Place): Item | undefined => place.list[place.index];
const free = (place: Place): boolean => agentOf(at(place)) === null;
const base = (event: StoredEvent): Base => ({ key: `e${event.id}`, id: event.id, at: event.timestamp });
const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);

/** The subagent that the result of its call names. */
function announced(output: unknown): string | null {
  return typeof output === "object" && output !== null && "agentId" in output ? text(output.agentId) : null;
}
