import { createStore, type StoreApi } from "zustand/vanilla";

import { bodyOf, type Coordinator } from "@/wire/client";
import type { BrowserMessage } from "@/wire/types";

import { LiveSocket, type Platform } from "./socket";
import { apply, EMPTY, type LiveState, withPage } from "./state";

const PAGE = 1000;
/** Beyond this many, a list on one page helps nobody, and the memory of a phone is at its end. */
export const MOST_SESSIONS = 20_000;
const RETRY_MS = 2000;

export type Listener = (batch: readonly BrowserMessage[]) => void;

/** What the page knows of the system, live. Views read `store`; who needs each message listens. */
export class Live {
  readonly store: StoreApi<LiveState> = createStore(() => EMPTY);
  readonly #socket: LiveSocket;
  readonly #listeners = new Set<Listener>();
  #deleted = new Set<string>();

  constructor(
    url: string,
    private readonly coordinator: Coordinator,
    private readonly platform: Platform,
  ) {
    this.#socket = new LiveSocket(
      url,
      {
        connection: (connection) => this.store.setState({ connection }),
        messages: (batch) => this.#take(batch),
      },
      platform,
    );
  }

  /** Connects, or tries again at once. */
  connect(): void {
    this.#socket.connect();
  }

  close(): void {
    this.#socket.close();
  }

  /** Calls the listener with each batch, after the store has it. Returns how to end that. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #take(batch: readonly BrowserMessage[]): void {
    const before = this.store.getState().generation;
    for (const message of batch) if (message.type === "session_deleted") this.#deleted.add(message.session_id);
    this.store.setState(apply(this.store.getState(), batch));
    for (const listener of this.#listeners) listener(batch);
    const { generation } = this.store.getState();
    if (generation !== before) {
      this.#deleted = new Set();
      void this.#readRest(generation);
    }
  }

  /** Reads the sessions that `init` did not carry, until all are here or the flow starts over. */
  async #readRest(generation: number): Promise<void> {
    const current = () => this.store.getState();
    while (current().generation === generation) {
      const { next, sessions } = current();
      if (next === null || sessions.size >= MOST_SESSIONS) return;
      try {
        const query = { limit: PAGE, cursor: next };
        const page = await bodyOf(this.coordinator.GET("/sessions", { params: { query } }));
        if (current().generation === generation) this.store.setState(withPage(current(), page, this.#deleted));
      } catch {
        // The connection's state says that the server is away; the list goes on when it is back.
        await new Promise<void>((resolve) => this.platform.later(RETRY_MS, resolve));
      }
    }
  }
}
