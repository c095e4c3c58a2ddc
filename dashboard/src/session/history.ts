import { createStore, type StoreApi } from "zustand/vanilla";

import type { Live } from "@/live/live";
import { ApiError, bodyOf, type Coordinator } from "@/wire/client";
import type { BrowserMessage, StoredEvent } from "@/wire/types";

import { Items } from "./items";
import { covers, opened, type TimelineWindow, withLive, withNewer, withOlder } from "./window";

/** The first page is small, so that something is seen soon. */
const FIRST_PAGE = 300;
const PAGE = 1000;

export type Reading = "first" | "older" | "newer";

export type HistoryState = {
  /** What is loaded; null until the first page is here. */
  window: TimelineWindow | null;
  /** What the window's events are shown as. It grows in place: the window says when. */
  items: Items;
  reading: Reading | null;
  /** Why the last read failed; null when it did not. */
  error: unknown;
  /** The server has never heard of the session, or no longer knows it. */
  missing: boolean;
  /** The session was deleted while it was open. */
  deleted: boolean;
  /** How many events have come since the reader let go of the newest ones. */
  unseen: number;
};

const beginning = (): HistoryState => ({
  window: null,
  items: new Items(),
  reading: null,
  error: null,
  missing: false,
  deleted: false,
  unseen: 0,
});

type Page = { events: readonly StoredEvent[]; has_more: boolean };
type Asked = { limit: number; before?: number; after?: number };

/**
 * One session's history, as far as it is loaded, live.
 *
 * Events that come while newer ones are read are kept aside and joined to what was read; ids decide what is new. When
 * the flow starts over during a read, messages may be missing between the two, so it is read once more.
 */
export class History {
  readonly store: StoreApi<HistoryState> = createStore(beginning);
  #following = true;
  #aside: StoredEvent[] = [];
  #gap = false;
  #under: AbortController | null = null;
  #stop: (() => void) | null = null;

  constructor(
    private readonly coordinator: Coordinator,
    private readonly live: Pick<Live, "listen">,
    readonly sessionId: string,
  ) {}

  /** Listens, and reads the newest events, or those around one. */
  open(around: number | null): void {
    this.#stop = this.live.listen((batch) => this.#take(batch));
    if (around === null) void this.newest();
    else void this.around(around);
  }

  close(): void {
    this.#stop?.();
    this.#under?.abort();
  }

  /** Whether the reader is at the newest event and stays there. */
  follow(following: boolean): void {
    this.#following = following;
    if (following) this.store.setState({ unseen: 0 });
  }

  /** Opens the history at its newest end. */
  async newest(): Promise<void> {
    const { window } = this.store.getState();
    if (window !== null && !window.newer) return;
    await this.#read("first", async (signal) => {
      const page = await this.#page({ limit: FIRST_PAGE }, signal);
      this.#join(opened(page.events, { older: page.has_more, newer: false }));
    });
  }

  /** Makes an event loaded: nothing to do if it is, else the history is opened around it. */
  async around(id: number): Promise<void> {
    const { window } = this.store.getState();
    if (window !== null && covers(window, id)) return;
    await this.#read("first", async (signal) => {
      const [upTo, following] = await Promise.all([
        this.#page({ limit: FIRST_PAGE, before: id + 1 }, signal),
        this.#page({ limit: FIRST_PAGE, after: id }, signal),
      ]);
      const events = [...upTo.events, ...following.events];
      this.#join(opened(events, { older: upTo.has_more, newer: following.has_more }));
    });
  }

  /** Reads a page of older events, if there are any and nothing is being read. */
  async older(): Promise<void> {
    const { window, reading } = this.store.getState();
    const first = window?.events[0];
    if (reading !== null || !window?.older || first === undefined) return;
    await this.#read("older", async (signal) => {
      const page = await this.#page({ limit: PAGE, before: first.id }, signal);
      const now = this.store.getState().window;
      if (now?.events[0] === first) this.#show(withOlder(now, page.events, page.has_more));
    });
  }

  /** Reads a page of newer events, if there may be any and nothing is being read. */
  async newer(): Promise<void> {
    const { window, reading } = this.store.getState();
    if (reading !== null || !window?.newer) return;
    const last = window.events.at(-1)?.id ?? 0;
    await this.#read("newer", async (signal) => {
      const page = await this.#page({ limit: PAGE, after: last }, signal);
      const now = this.store.getState().window;
      if (now !== null) this.#join(withNewer(now, page.events, page.has_more));
    });
    const { window: now, error } = this.store.getState();
    // Who follows wants the end itself.
    if (this.#following && error === null && now?.newer) await this.newer();
  }

  /** Tries again what failed. */
  async retry(): Promise<void> {
    const { window } = this.store.getState();
    this.store.setState({ error: null });
    if (window === null) await this.newest();
    else if (window.newer) await this.newer();
    else await this.older();
  }

  #take(batch: readonly BrowserMessage[]): void {
    let live: StoredEvent[] = [];
    for (const message of batch) {
      if (message.type === "event" && message.data.session_id === this.sessionId) live.push(message.data);
      else if (message.type === "session_deleted" && message.session_id === this.sessionId) {
        this.store.setState({ deleted: true });
      } else if (message.type === "init") {
        this.#append(live);
        live = [];
        this.#startOver();
      }
    }
    this.#append(live);
  }

  #append(live: readonly StoredEvent[]): void {
    if (live.length === 0) return;
    const { window, unseen, reading } = this.store.getState();
    if (reading === "first" || reading === "newer") this.#aside.push(...live);
    if (window !== null) this.#show(withLive(window, live, this.#following));
    if (!this.#following) this.store.setState({ unseen: unseen + live.length });
  }

  /** What came between the last message and the flow's new beginning is missing here. */
  #startOver(): void {
    const { window, reading } = this.store.getState();
    this.#gap = true;
    this.#aside = [];
    if (window !== null) this.#show({ ...window, newer: true });
    // A read that is under way sees to it when it has ended.
    if (reading === null) void (window === null ? this.newest() : this.newer());
  }

  /** Takes what was read up to the history's end, with what came meanwhile. */
  #join(read: TimelineWindow): void {
    const whole = !read.newer && !this.#gap;
    this.#show(whole ? withLive(read, this.#aside, this.#following) : { ...read, newer: true });
  }

  #show(window: TimelineWindow): void {
    const before = this.store.getState();
    if (window !== before.window) this.store.setState({ window, items: itemsOf(window, before) });
  }

  async #read(reading: Reading, run: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#under?.abort();
    const under = new AbortController();
    this.#under = under;
    this.#aside = [];
    this.#gap = false;
    this.store.setState({ reading, error: null });
    try {
      await run(under.signal);
    } catch (error) {
      if (this.#under === under && !under.signal.aborted) {
        const missing = error instanceof ApiError && error.status === 404;
        this.store.setState({ error, missing: missing || this.store.getState().missing });
      }
    }
    if (this.#under !== under) return;
    this.#under = null;
    this.store.setState({ reading: null });
    if (this.#gap && this.store.getState().error === null) await this.newer();
  }

  async #page(asked: Asked, signal: AbortSignal): Promise<Page> {
    const params = { path: { session_id: this.sessionId }, query: asked };
    const page = await bodyOf(this.coordinator.GET("/events/{session_id}", { params, signal }));
    signal.throwIfAborted();
    return page;
  }
}

/** The items of a window; the ones before with what was added, where it has only grown at its end. */
export function itemsOf(window: TimelineWindow, before: Pick<HistoryState, "window" | "items">): Items {
  const { events } = window;
  const known = before.window?.events ?? [];
  const last = known.at(-1);
  if (last === undefined || events[0] !== known[0] || events[known.length - 1] !== last) return new Items(events);
  for (let index = known.length; index < events.length; index += 1) {
    const event = events[index];
    if (event !== undefined) before.items.add(event);
  }
  return before.items;
}
