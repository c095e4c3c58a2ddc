import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";

import type { Backend } from "@/app/backend";
import { messageOf } from "@/ui/error-note";
import { bodyOf } from "@/wire/client";
import type { Session } from "@/wire/types";

import { announce } from "./announce";
import { ARMED_MS, type Ask, canBeStopped, isOf, stopStep } from "./stop-steps";

/** What this page has asked of sessions, by id. It outlives the views, so that leaving a page forgets nothing. */
export const askStore = createStore<{ asks: ReadonlyMap<string, Ask> }>(() => ({ asks: new Map() }));

export const useAsk = (sessionId: string): Ask | null =>
  useStore(askStore, (state) => state.asks.get(sessionId) ?? null);

/** What a press needs to know of a session. */
export type Pressed = Pick<Session, "session_id" | "session_name" | "status" | "presence" | "stop_confirmed" | "run"> &
  Partial<Pick<Session, "stop_requested_at" | "stop_confirmed_at">>;

/**
 * The first press arms, for some seconds; the second asks the server. While that is under way, presses do nothing; when
 * the agent has not confirmed, one is enough to ask again.
 */
export function press(backend: Backend, session: Pressed): void {
  if (!canBeStopped(session)) return;
  const ask = askOf(session);
  const { step } = stopStep(session, ask, Date.now());
  if (step === "asked") return;
  if (step === "confirming" || step === "unconfirmed") void askToStop(backend, session);
  else arm(session);
}

async function askToStop(backend: Backend, session: Pressed): Promise<void> {
  const { session_id, run } = session;
  const ask = askOf(session);
  const at = ask?.state === "answered" ? ask.at : firstAsked(session, Date.now());
  disarm();
  put(session_id, { state: "sending", run: run ?? null, at });
  try {
    const { message } = await bodyOf(
      backend.coordinator.POST("/sessions/{session_id}/stop", { params: { path: { session_id } } }),
    );
    put(session_id, { state: "answered", run: run ?? null, at, message });
  } catch (error) {
    put(session_id, { state: "failed", run: run ?? null, at, message: messageOf(error) });
  }
}

/** Takes the first press back. */
export function disarm(): void {
  endArming?.();
}

let endArming: (() => void) | null = null;

function arm(session: Pressed): void {
  disarm();
  const { session_id } = session;
  put(session_id, { state: "armed", run: session.run ?? null, until: Date.now() + ARMED_MS });
  announce(`Press again to stop ${session.session_name}`);
  const timer = setTimeout(disarm, ARMED_MS);
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    // Escape has done its work here, and is not to leave the page, too.
    event.preventDefault();
    event.stopPropagation();
    disarm();
    announce("Not stopped");
  };
  window.addEventListener("keydown", onKey, { capture: true });
  endArming = () => {
    endArming = null;
    clearTimeout(timer);
    window.removeEventListener("keydown", onKey, { capture: true });
    if (askStore.getState().asks.get(session_id)?.state === "armed") put(session_id, null);
  };
}

function askOf(session: Pressed): Ask | null {
  const ask = askStore.getState().asks.get(session.session_id) ?? null;
  return ask !== null && isOf(ask, session) ? ask : null;
}

/** When somebody else has asked before, it counts from then, unless their clock is ahead of this one. */
function firstAsked(session: Pressed, now: number): number {
  return session.stop_requested_at ? Math.min(now, Date.parse(session.stop_requested_at)) : now;
}

function put(sessionId: string, ask: Ask | null): void {
  const asks = new Map(askStore.getState().asks);
  if (ask === null) asks.delete(sessionId);
  else asks.set(sessionId, ask);
  askStore.setState({ asks });
}
