import type { BrowserMessage, ResumedMessage } from "@/wire/types";

/** A message as it may come over the socket; `resumed` only answers a connection that asked for it. */
export type Received = BrowserMessage | ResumedMessage;

/** Where a browser stands in the one sequence of messages; a number means nothing in another epoch. */
export type Position = { seq: number; epoch: string };

/**
 * What to do with a message: apply it; drop it, for it was applied before; or come back with `since`, because messages
 * before it are missing.
 */
export type Verdict = "apply" | "repeat" | "gap";

/** Knows which messages have been seen, and notices what is missing. Does no I/O. */
export class Flow {
  #position: Position | null = null;

  get position(): Position | null {
    return this.#position;
  }

  /** The next connection is to begin with `init`. */
  forget(): void {
    this.#position = null;
  }

  /** Takes the next message of a connection. */
  accept(message: Received): Verdict {
    if (message.type === "init") {
      this.#position = { seq: message.seq, epoch: message.epoch };
      return "apply";
    }
    const position = this.#position;
    // Nothing comes before `init`, or before a connection that was resumed from a known position.
    if (position === null) return "gap";
    if (message.type === "resumed") return message.seq === position.seq ? "apply" : "gap";
    if (message.seq <= position.seq) return "repeat";
    if (message.seq !== position.seq + 1) return "gap";
    this.#position = { ...position, seq: message.seq };
    return "apply";
  }

  /** The address to connect to, from where the flow stands, with a ticket where one is needed. */
  address(url: string, ticket: string | null = null): string {
    if (this.#position === null && ticket === null) return url;
    const address = new URL(url);
    if (this.#position !== null) {
      address.searchParams.set("since", String(this.#position.seq));
      address.searchParams.set("epoch", this.#position.epoch);
      address.searchParams.set("resumed", "1");
    }
    if (ticket !== null) address.searchParams.set("ticket", ticket);
    return address.toString();
  }
}
