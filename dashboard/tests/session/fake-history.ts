import type { Live } from "@/live/live";
import { says } from "@/session/matches";
import { outlined } from "@/session/outline";
import type { Coordinator } from "@/wire/client";
import type { BrowserMessage, StoredEvent } from "@/wire/types";

import { event } from "./events";

type Query = { limit: number; before?: number; after?: number; q?: string };
type Options = { params: { query: Query }; signal?: AbortSignal };

/** A session's history on a server that answers when the test says so, and a flow that the test drives. */
export class FakeHistory {
  events: StoredEvent[] = [];
  known = true;
  /** What was asked for, in order. */
  readonly asked: (Query & { path: string })[] = [];
  #answers: (() => void)[] = [];
  #failure: number | null = null;
  #listener: ((batch: readonly BrowserMessage[]) => void) | null = null;

  readonly live: Pick<Live, "listen"> = {
    listen: (listener) => {
      this.#listener = listener;
      return () => {
        this.#listener = null;
      };
    },
  };

  readonly coordinator = {
    GET: (path: string, options: Options) => this.#get(path, options),
  } as unknown as Coordinator;

  constructor(...ids: number[]) {
    this.happen(...ids);
  }

  get listened(): boolean {
    return this.#listener !== null;
  }

  /** Events that the server has and nobody was told of. */
  happen(...ids: number[]): StoredEvent[] {
    const events = ids.map((id) =>
      event(id, "message", { role: "assistant", content: [{ type: "text", text: `m${id}` }] }),
    );
    this.events.push(...events);
    return events;
  }

  /** Events that happen and are told. */
  tell(...ids: number[]): void {
    this.flow(...this.happen(...ids).map((data) => ({ type: "event", seq: data.id, data }) as const));
  }

  flow(...messages: readonly object[]): void {
    this.#listener?.(messages as BrowserMessage[]);
  }

  /** The flow starts over, as after a connection that was lost for long. */
  startOver(): void {
    this.flow({ type: "init", seq: 0, epoch: "e", sessions: [], total: 0, next: null });
  }

  /** Answers what was asked for, and what is asked for then, until nothing is. */
  async settle(): Promise<void> {
    do {
      for (const answer of this.#answers.splice(0)) answer();
      await new Promise((resolve) => setTimeout(resolve));
    } while (this.#answers.length > 0);
  }

  /** The next request is refused. */
  failNext(status: number): void {
    this.#failure = status;
  }

  // What the server has is looked at when it is asked, and told when the test lets it: messages overtake answers.
  async #get(path: string, { params: { query }, signal }: Options) {
    this.asked.push({ path, ...query });
    const failure = this.#failure ?? (this.known ? null : 404);
    this.#failure = null;
    const body = this.#page(path, query);
    await new Promise<void>((resolve, reject) => {
      this.#answers.push(resolve);
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
    if (failure !== null) return { error: { detail: "No session" }, response: new Response(null, { status: failure }) };
    return { data: body, response: new Response() };
  }

  #page(path: string, { limit, before, after, q }: Query) {
    const between = this.events.filter(({ id }) => id > (after ?? 0) && id < (before ?? Number.POSITIVE_INFINITY));
    const looked = after === undefined ? between.slice(-limit) : between.slice(0, limit);
    const has_more = looked.length < between.length;
    const next = has_more ? ((after === undefined ? looked[0] : looked.at(-1))?.id ?? null) : null;
    if (!path.endsWith("/outline")) return { events: looked, has_more, next };
    const found = q === undefined ? looked : looked.filter((one) => says(one, q));
    return { events: found.map(outlined), has_more, next, scanned: looked.length };
  }
}
