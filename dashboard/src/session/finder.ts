import { createStore, type StoreApi } from "zustand/vanilla";

import type { Live } from "@/live/live";
import { bodyOf, type Coordinator } from "@/wire/client";
import type { BrowserMessage } from "@/wire/types";

import { Matches, says } from "./matches";
import { outlined } from "./outline";

const PAGE = 10_000;

export type FinderState = {
  /** What is looked for; empty when nothing is. */
  q: string;
  matches: Matches;
  /** Grows with the matches, which grow in place. */
  version: number;
  /** All of the history was looked at. */
  done: boolean;
  error: unknown;
};

const idle = (): FinderState => ({ q: "", matches: new Matches(), version: 0, done: true, error: null });

/** Looks for a text in all of a session's history, the newest first, and in what comes meanwhile. */
export class Finder {
  readonly store: StoreApi<FinderState> = createStore(idle);
  #under: AbortController | null = null;
  #stop: (() => void) | null = null;

  constructor(
    private readonly coordinator: Coordinator,
    private readonly live: Pick<Live, "listen">,
    private readonly sessionId: string,
  ) {}

  open(): void {
    this.#stop = this.live.listen((batch) => this.#take(batch));
  }

  close(): void {
    this.#stop?.();
    this.#under?.abort();
  }

  /** Looks for something else; for nothing, where it is empty. */
  async find(q: string): Promise<void> {
    this.#under?.abort();
    const under = new AbortController();
    this.#under = under;
    this.store.setState({ ...idle(), q, done: q === "" });
    if (q === "") return;
    try {
      await this.#look(q, under.signal);
      this.store.setState({ done: true });
    } catch (error) {
      if (!under.signal.aborted) this.store.setState({ error, done: true });
    }
  }

  async #look(q: string, signal: AbortSignal): Promise<void> {
    const { matches } = this.store.getState();
    let before: number | null = null;
    do {
      const query: { limit: number; q: string; before?: number } = { limit: PAGE, q };
      if (before !== null) query.before = before;
      const params = { path: { session_id: this.sessionId }, query };
      const page = await bodyOf(this.coordinator.GET("/events/{session_id}/outline", { params, signal }));
      signal.throwIfAborted();
      matches.prepend(page.events);
      this.#tell();
      before = page.has_more ? page.next : null;
    } while (before !== null);
  }

  #take(batch: readonly BrowserMessage[]): void {
    const { q, matches } = this.store.getState();
    if (q === "") return;
    if (batch.some((message) => message.type === "init")) {
      // What came in between may hold it, too.
      void this.find(q);
      return;
    }
    const found = batch.flatMap((message) =>
      message.type === "event" && message.data.session_id === this.sessionId && says(message.data, q)
        ? [outlined(message.data)]
        : [],
    );
    if (found.length === 0) return;
    matches.append(found);
    this.#tell();
  }

  #tell(): void {
    this.store.setState(({ version }) => ({ version: version + 1 }));
  }
}
