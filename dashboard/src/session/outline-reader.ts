import { createStore, type StoreApi } from "zustand/vanilla";

import type { Live } from "@/live/live";
import { bodyOf, type Coordinator } from "@/wire/client";
import type { BrowserMessage } from "@/wire/types";

import { Outline, type OutlineEvent, outlined } from "./outline";

const PAGE = 10_000;
/** Beyond this many a picture says no more, and memory runs out. */
const MOST = 400_000;
/** A picture that is drawn anew more often than this is not seen to be. */
const TELL_MS = 250;

export type OutlineState = {
  outline: Outline;
  /** Grows with the outline, which grows in place. */
  version: number;
  /** All of the history is in it, or as much as is taken. */
  complete: boolean;
  error: unknown;
};

/** Reads the whole history in short, the newest first, and keeps up with what comes. */
export class OutlineReader {
  readonly store: StoreApi<OutlineState> = createStore(() => ({
    outline: new Outline(),
    version: 0,
    complete: false,
    error: null as unknown,
  }));
  /** What comes while the newest are read; null when it can be added at once. */
  #waiting: OutlineEvent[] | null = [];
  /** The flow started over during a read. */
  #gap = false;
  #telling: ReturnType<typeof setTimeout> | null = null;
  #stop: (() => void) | null = null;
  #under = new AbortController();

  constructor(
    private readonly coordinator: Coordinator,
    private readonly live: Pick<Live, "listen">,
    private readonly sessionId: string,
  ) {}

  open(): void {
    this.#under = new AbortController();
    this.#stop = this.live.listen((batch) => this.#take(batch));
    void this.#readAll();
  }

  close(): void {
    this.#stop?.();
    this.#under.abort();
    if (this.#telling !== null) clearTimeout(this.#telling);
    this.#telling = null;
  }

  /** Tries again what failed. */
  async retry(): Promise<void> {
    if (this.store.getState().complete) return this.#readNewer();
    // What failed may have been the newest.
    this.#gap = true;
    await this.#readAll();
  }

  #take(batch: readonly BrowserMessage[]): void {
    let came: OutlineEvent[] = [];
    for (const message of batch) {
      if (message.type === "event" && message.data.session_id === this.sessionId) came.push(outlined(message.data));
      else if (message.type === "init") {
        this.#append(came);
        came = [];
        this.#startOver();
      }
    }
    this.#append(came);
  }

  #append(came: readonly OutlineEvent[]): void {
    if (came.length === 0) return;
    if (this.#waiting !== null) {
      this.#waiting.push(...came);
      return;
    }
    this.store.getState().outline.append(came);
    this.#telling ??= setTimeout(() => this.#tell(), TELL_MS);
  }

  /** What came between the last message and the flow's new beginning is missing here. */
  #startOver(): void {
    const { error, complete } = this.store.getState();
    if (this.#waiting === null) void this.#readNewer();
    else {
      this.#waiting = [];
      this.#gap = true;
    }
    if (error !== null && !complete) void this.#readAll();
  }

  async #readAll(): Promise<void> {
    const { outline } = this.store.getState();
    await this.#guarded(async (signal) => {
      let before = outline.ids[0];
      for (;;) {
        const page = await this.#page({ limit: PAGE, ...(before === undefined ? {} : { before }) }, signal);
        outline.prepend(page.events);
        if (this.#gap) await this.#readNewer();
        else this.#release();
        before = page.next ?? undefined;
        const complete = !page.has_more || before === undefined || outline.length >= MOST;
        this.store.setState({ complete });
        this.#tell();
        if (complete) return;
      }
    });
  }

  /** What came while the flow was interrupted, joined to what has come since. */
  async #readNewer(): Promise<void> {
    const { outline } = this.store.getState();
    await this.#guarded(async (signal) => {
      do {
        this.#gap = false;
        this.#waiting = [];
        let more = true;
        while (more) {
          const page = await this.#page({ limit: PAGE, after: outline.last }, signal);
          outline.append(page.events);
          more = page.has_more;
        }
      } while (this.#gap);
      this.#release();
    });
    this.#tell();
  }

  #release(): void {
    if (this.#waiting === null) return;
    this.store.getState().outline.append(this.#waiting);
    this.#waiting = null;
  }

  #tell(): void {
    if (this.#telling !== null) clearTimeout(this.#telling);
    this.#telling = null;
    this.store.setState(({ version }) => ({ version: version + 1 }));
  }

  async #guarded(read: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#under;
    this.store.setState({ error: null });
    try {
      await read(signal);
    } catch (error) {
      if (!signal.aborted) this.store.setState({ error });
    }
  }

  async #page(query: { limit: number; before?: number; after?: number }, signal: AbortSignal) {
    const params = { path: { session_id: this.sessionId }, query };
    const page = await bodyOf(this.coordinator.GET("/events/{session_id}/outline", { params, signal }));
    signal.throwIfAborted();
    return page;
  }
}
