import type { Admission } from "@/access/access";
import type { Platform } from "@/live/socket";

/** A socket whose server is the test. */
export class FakeSocket {
  readyState: number = WebSocket.CONNECTING;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  closed = false;

  constructor(readonly url: string) {}

  send(...messages: object[]): void {
    this.readyState = WebSocket.OPEN;
    for (const message of messages) this.onmessage?.({ data: JSON.stringify(message) });
  }

  end(code: number, reason = ""): void {
    this.readyState = WebSocket.CLOSED;
    this.onclose?.({ code, reason });
  }

  close(): void {
    this.closed = true;
  }
}

/** A world in which time passes when the test says so, and chance is always a half. */
export class FakePlatform implements Platform {
  readonly sockets: FakeSocket[] = [];
  reachable = true;
  /** What the next connection may begin with. */
  admission: Admission = { ticket: null };
  /** For each connection, whether the one before was doubted. */
  readonly doubts: boolean[] = [];
  /** The reasons with which connections were refused that had a new ticket. */
  readonly refusals: string[] = [];
  #now = 0;
  #timers: { at: number; run: () => void }[] = [];

  async admit(doubted: boolean): Promise<Admission> {
    this.doubts.push(doubted);
    return this.admission;
  }

  turnedAway(reason: string): void {
    this.refusals.push(reason);
  }

  open(url: string): WebSocket {
    const socket = new FakeSocket(url);
    this.sockets.push(socket);
    return socket as unknown as WebSocket;
  }

  later(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  now(): number {
    return this.#now;
  }

  random(): number {
    return 0.5;
  }

  async answers(): Promise<boolean> {
    return this.reachable;
  }

  /** The connection that was opened last. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("no connection was opened");
    return socket;
  }

  /** Lets time pass, and what was waiting for it happen. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#now = due.at;
      due.run();
      await this.settle();
    }
    this.#now = end;
    await this.settle();
  }

  /** Lets promises come to what they lead to, such as being admitted. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  }
}
