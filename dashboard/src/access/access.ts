import { createStore, type StoreApi } from "zustand/vanilla";

import type { Identity } from "@/wire/types";

import { ticketFor, whoami } from "./questions";
import type { TokenKeeper } from "./token-keeper";

export type AccessState =
  /** It is not known yet whether a token is needed. */
  | { phase: "asking" }
  /** Nobody could be asked. The page is shown: what is wrong is what the state of the connection says. */
  | { phase: "unknown" }
  | { phase: "in"; identity: Identity }
  /** A token is needed. `why` one that there was is no longer good; `before`: who was in until then. */
  | { phase: "out"; why: string | null; before: Identity | null };

/** What a WebSocket may begin with: a ticket where one is needed; or nobody was reached, or nobody is signed in. */
export type Admission = { ticket: string | null } | "away" | "out";

const REVOKED =
  "The token is not known here any more: it was revoked, or the server has been given others. Sign in with another to go on where you were.";
const UNKNOWN = "This token is not known here. Check that all of it was copied, and that it belongs to this server.";
const NO_READER =
  "belongs to an agent: with it, agents report and nobody reads. Sign in with the token of a viewer or an operator.";

/** Whose token the page uses, if the servers want one. The token itself leaves it as a header only. */
export class Access {
  readonly store: StoreApi<AccessState> = createStore<AccessState>(() => ({ phase: "asking" }));
  #token: string | null;
  #finding: Promise<void> | null = null;

  /** @param api the coordinator's address; it is the one that is asked whose a token is. */
  constructor(
    private readonly api: string,
    private readonly keeper: TokenKeeper,
  ) {
    this.#token = keeper.read();
  }

  get token(): string | null {
    return this.#token;
  }

  /** Finds out whether a token is needed, and whose the present one is. Several at once ask once. */
  find(): Promise<void> {
    this.#finding ??= this.#find().finally(() => {
      this.#finding = null;
    });
    return this.#finding;
  }

  /** Takes a token, if it lets its holder read. Returns what is wrong with it, for people; null when nothing is. */
  async signIn(token: string): Promise<string | null> {
    const answer = await whoami(this.api, token);
    if (answer.kind === "away") return answer.message;
    if (answer.kind === "refused") return UNKNOWN;
    if (answer.value.role === "agent") return `“${answer.value.name}” ${NO_READER}`;
    this.#take(token, answer.value);
    return null;
  }

  /** Forgets the token. What the page has read stays until it is left. */
  forget(): void {
    this.#token = null;
    this.keeper.forget();
  }

  /**
   * To be told when a server has answered 401 to a request with this token, which may not be the present one any more.
   * Returns whether it is worth asking again once `ready`.
   */
  async refused(token: string | null): Promise<boolean> {
    if (token !== this.#token) return true;
    if (this.store.getState().phase !== "out") await this.find();
    // Where the coordinator knows the token and the other server does not, signing in would lead nowhere.
    return token !== this.#token || this.store.getState().phase === "out";
  }

  /** Ends when there is somebody to ask in the name of. Throws what the signal was aborted for. */
  async ready(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!waits(this.store.getState())) return;
    await new Promise<void>((resolve, reject) => {
      const abort = () => {
        leave();
        reject(signal.reason);
      };
      const leave = this.store.subscribe((state) => {
        if (waits(state)) return;
        leave();
        signal.removeEventListener("abort", abort);
        resolve();
      });
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  /** What the next WebSocket may begin with. `doubted`: the one before was refused. */
  async admit(doubted: boolean): Promise<Admission> {
    const { phase } = this.store.getState();
    if (doubted || phase === "asking" || phase === "unknown") await this.find();
    const state = this.store.getState();
    if (state.phase === "out") return "out";
    if (state.phase !== "in") return "away";
    if (state.identity.authentication === "none") return { ticket: null };
    const token = this.#token;
    const answer = await ticketFor(this.api, token);
    if (answer.kind === "given") return { ticket: answer.value };
    if (answer.kind === "refused") await this.refused(token);
    return this.store.getState().phase === "out" ? "out" : "away";
  }

  /** To be told when a WebSocket was refused although its ticket was new; `reason` is in the server's words. */
  turnedAway(reason: string): void {
    this.#leave(`The live connection was refused: ${reason || "the server does not say why"}.`);
  }

  async #find(): Promise<void> {
    const token = this.#token;
    const answer = await whoami(this.api, token);
    // Somebody has signed in meanwhile, which is newer.
    if (token !== this.#token) return;
    if (answer.kind === "refused") this.#leave(token === null ? null : REVOKED);
    else if (answer.kind === "given") {
      const { name, role } = answer.value;
      if (role === "agent") this.#leave(`“${name}” ${NO_READER}`);
      else this.#take(token, answer.value);
    } else if (this.store.getState().phase === "asking") this.store.setState({ phase: "unknown" }, true);
  }

  #take(token: string | null, identity: Identity): void {
    if (identity.authentication === "none" || token === null) this.forget();
    else {
      this.#token = token;
      this.keeper.write(token);
    }
    this.store.setState({ phase: "in", identity }, true);
  }

  #leave(why: string | null): void {
    this.forget();
    this.store.setState({ phase: "out", why, before: identityOf(this.store.getState()) }, true);
  }
}

const waits = ({ phase }: AccessState): boolean => phase === "asking" || phase === "out";

/** Who is in, or was last; null until that is known. */
export function identityOf(state: AccessState): Identity | null {
  if (state.phase === "in") return state.identity;
  return state.phase === "out" ? state.before : null;
}

/** Whether what changes something is offered: to operators only. Until it is known who one is, it is not. */
export const mayChange = (state: AccessState): boolean => identityOf(state)?.role === "operator";
