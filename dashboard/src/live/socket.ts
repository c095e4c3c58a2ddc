import type { Access, Admission } from "@/access/access";
import type { Send } from "@/wire/client";
import type { BrowserMessage } from "@/wire/types";

import { backoff } from "./backoff";
import { Flow, type Received } from "./flow";

/** The state of the connection, as people are shown it. Times are in ms since 1970. */
export type Connection =
  | { phase: "connecting" }
  | { phase: "live" }
  | { phase: "replaying"; done: number; expected: number }
  | { phase: "waiting"; retryAt: number; failures: number }
  | { phase: "refused"; reason: string };

/** Close codes of the contract; see `api/coordinator/outbox.py`. */
const START_OVER = 4009;
const BAD_REQUEST = 4400;
const UNAUTHORIZED = 4401;
const FORBIDDEN_ORIGIN = 4403;

/** With nothing heard for so long, the server is asked whether it is there: a dead network closes no socket. */
const QUIET_MS = 20_000;
/** Messages that come within a frame are applied together. */
const BATCH_MS = 16;

/** What the connection needs of the world; a test brings its own. */
export type Platform = {
  /** What a connection may begin with. `doubted`: the one before was refused. */
  admit(doubted: boolean): Promise<Admission>;
  /** Is told that a connection was refused although its ticket was new. */
  turnedAway(reason: string): void;
  open(url: string): WebSocket;
  later(ms: number, run: () => void): () => void;
  now(): number;
  random(): number;
  /** Whether the server answers at all. */
  answers(): Promise<boolean>;
};

export type Sink = {
  connection(state: Connection): void;
  messages(batch: readonly BrowserMessage[]): void;
};

/** The one WebSocket of the page: it comes back by itself, and hands on each message once and in order. */
export class LiveSocket {
  readonly #flow = new Flow();
  #socket: WebSocket | null = null;
  /** Which attempt to connect is the last; what comes of others is not wanted any more. */
  #attempt = 0;
  #failures = 0;
  /** The connection before was refused as unauthorised, and nothing has been received since. */
  #refused = false;
  #state: Connection = { phase: "connecting" };
  #batch: BrowserMessage[] = [];
  #cancelFlush: (() => void) | null = null;
  #cancelRetry: (() => void) | null = null;
  #cancelProbe: (() => void) | null = null;

  constructor(
    private readonly url: string,
    private readonly sink: Sink,
    private readonly platform: Platform,
  ) {}

  /** Connects now, whatever it was waiting for. */
  connect(): void {
    this.#refused = false;
    void this.#connect();
  }

  async #connect(): Promise<void> {
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.#leave();
    if (this.#state.phase !== "replaying") this.#show({ phase: "connecting" });
    const attempt = this.#attempt;
    const admission = await this.platform.admit(this.#refused);
    if (attempt !== this.#attempt) return;
    if (admission === "out") this.#show({ phase: "refused", reason: "nobody is signed in" });
    else if (admission === "away") this.#waitAndRetry();
    else this.#open(admission.ticket);
  }

  #open(ticket: string | null): void {
    const socket = this.platform.open(this.#flow.address(this.url, ticket));
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#received(JSON.parse(data as string) as Received);
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    this.#watch();
  }

  /** Leaves for good. */
  close(): void {
    this.#cancelRetry?.();
    this.#cancelFlush?.();
    this.#leave();
  }

  #leave(): void {
    this.#attempt += 1;
    this.#cancelProbe?.();
    if (this.#socket === null) return;
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
  }

  #received(message: Received): void {
    this.#watch();
    const verdict = this.#flow.accept(message);
    if (verdict === "repeat") return;
    if (verdict === "gap") {
      void this.#connect();
      return;
    }
    this.#failures = 0;
    this.#refused = false;
    if (message.type === "resumed") {
      this.#replayed(0, message.head - message.seq);
      return;
    }
    if (this.#state.phase === "replaying") this.#replayed(this.#state.done + 1, this.#state.expected);
    else this.#show({ phase: "live" });
    this.#batch.push(message);
    this.#cancelFlush ??= this.platform.later(BATCH_MS, () => this.#flush());
  }

  #replayed(done: number, expected: number): void {
    this.#show(done < expected ? { phase: "replaying", done, expected } : { phase: "live" });
  }

  #flush(): void {
    this.#cancelFlush = null;
    const batch = this.#batch;
    this.#batch = [];
    this.sink.messages(batch);
  }

  #closed(code: number, reason: string): void {
    this.#socket = null;
    this.#cancelProbe?.();
    if (code === UNAUTHORIZED && !this.#refused) {
      // The ticket may have been too old, or the token revoked: who asks for the next ticket is told.
      this.#refused = true;
      void this.#connect();
      return;
    }
    if (code === UNAUTHORIZED) this.platform.turnedAway(reason);
    if (code === BAD_REQUEST || code === UNAUTHORIZED || code === FORBIDDEN_ORIGIN) {
      this.#show({ phase: "refused", reason });
      return;
    }
    if (code === START_OVER) this.#flow.forget();
    this.#waitAndRetry();
  }

  #waitAndRetry(): void {
    const wait = backoff(this.#failures, this.platform.random());
    this.#show({ phase: "waiting", retryAt: this.platform.now() + wait, failures: this.#failures });
    this.#failures += 1;
    this.#cancelRetry = this.platform.later(wait, () => void this.#connect());
  }

  #watch(): void {
    this.#cancelProbe?.();
    this.#cancelProbe = this.platform.later(QUIET_MS, () => void this.#probe());
  }

  async #probe(): Promise<void> {
    const socket = this.#socket;
    const answers = await this.platform.answers();
    if (socket !== this.#socket || socket === null) return;
    // A handshake that has not come to its end by now will not.
    if (answers && socket.readyState === WebSocket.OPEN) {
      this.#watch();
      return;
    }
    this.#leave();
    this.#closed(1006, "the server does not answer");
  }

  #show(state: Connection): void {
    this.#state = state;
    this.sink.connection(state);
  }
}

/** The browser itself. @param api the address that is asked whether anybody is there. */
export function browserPlatform(api: string, access: Access, send: Send): Platform {
  return {
    admit: (doubted) => access.admit(doubted),
    turnedAway: (reason) => access.turnedAway(reason),
    open: (url) => new WebSocket(url),
    later: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    now: () => Date.now(),
    random: () => Math.random(),
    answers: async () => {
      try {
        const signal = AbortSignal.timeout(5000);
        return (await send(new Request(`${api}/health`, { cache: "no-store", signal }))).ok;
      } catch {
        return false;
      }
    },
  };
}
