import { UNREACHABLE } from "@/wire/client";
import type { Identity, Ticket } from "@/wire/types";

/** What is asked of a server that does not answer is given up after so many ms. */
const PATIENCE_MS = 10_000;

/** An older server, which knows of no tokens. */
const EVERYBODY: Identity = { authentication: "none", name: null, role: "operator" };

export type Answer<T> =
  | { kind: "given"; value: T }
  /** The token, or that there is none, was not accepted. */
  | { kind: "refused" }
  /** There was no answer that says anything; `message` is for people. */
  | { kind: "away"; message: string };

/** The header that a token is sent in; nothing where there is none. */
export const headersOf = (token: string | null): Record<string, string> =>
  token === null ? {} : { Authorization: `Bearer ${token}` };

/** Whose a token is, and whether one is needed. */
export async function whoami(api: string, token: string | null): Promise<Answer<Identity>> {
  const answer = await ask<Identity>(`${api}/whoami`, "GET", token);
  return answer === 404 ? { kind: "given", value: EVERYBODY } : (answer ?? { kind: "refused" });
}

/** A ticket, which opens one WebSocket. */
export async function ticketFor(api: string, token: string | null): Promise<Answer<string>> {
  const answer = await ask<Ticket>(`${api}/ws-ticket`, "POST", token);
  if (answer === null || answer === 404) return { kind: "refused" };
  return answer.kind === "given" ? { kind: "given", value: answer.value.ticket } : answer;
}

/** Null: it was refused. 404: there is no such thing. */
async function ask<T>(url: string, method: string, token: string | null) {
  let response: Response;
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    response = await fetch(url, { method, headers: headersOf(token), cache: "no-store", signal });
    if (response.ok) return { kind: "given" as const, value: (await response.json()) as T };
  } catch {
    return { kind: "away" as const, message: UNREACHABLE };
  }
  const { status } = response;
  if (status === 404) return status;
  if (status === 401 || status === 403) return null;
  return { kind: "away" as const, message: `The server has trouble of its own (${status}). Trying again is safe.` };
}
