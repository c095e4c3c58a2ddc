import { duration } from "@/format/time";
import type { Session } from "@/wire/types";

import { elapsed } from "./elapsed";

/** How long the first press waits for the second. */
export const ARMED_MS = 4000;
/** As long as a server waits by default before it answers that an agent has not confirmed. */
export const PATIENCE_MS = 5000;

/** What this page has asked of a session. `run` is the run that it was asked of. Times are in ms since 1970. */
export type Ask =
  /** Pressed once. */
  | { state: "armed"; run: string | null; until: number }
  /** On its way to the server. `at`, here and below, is when the run's stop was first asked for. */
  | { state: "sending"; run: string | null; at: number }
  /** `message` is in the server's words. */
  | { state: "answered"; run: string | null; at: number; message: string }
  | { state: "failed"; run: string | null; at: number; message: string };

export type StopStep =
  /** Nobody has asked. */
  | { step: "idle" }
  | { step: "confirming" }
  /** The agent has been told, `ms` ago, and may confirm at any moment. */
  | { step: "asked"; ms: number }
  /** The agent has ceased. `ms` is how long that took; null where the server does not say. */
  | { step: "confirmed"; ms: number | null }
  /** It counts as stopped, and the command waits for an agent: none is connected. */
  | { step: "unattended" }
  /** The agent has had time, and has not confirmed. */
  | { step: "unconfirmed"; ms: number; presence: Session["presence"] }
  /** The run came to its own end after a stop was asked for. */
  | { step: "ended" }
  /** The server did not take the request; `message` is in its words. */
  | { step: "failed"; message: string };

/** What of a session tells how its stop stands. A server of an older version does not send the times. */
export type Stoppable = Pick<Session, "status" | "presence" | "stop_confirmed" | "run"> &
  Partial<Pick<Session, "stop_requested_at" | "stop_confirmed_at">>;

/** How the stop of the session's run stands. What the session says comes first, so all browsers say the same. */
export function stopStep(session: Stoppable, ask: Ask | null, now: number): StopStep {
  const running = session.status === "running";
  const requestedAt = session.stop_requested_at ?? null;
  const requested = requestedAt !== null || (session.stop_confirmed ?? null) !== null;

  if (!running && session.stop_confirmed === true) return { step: "confirmed", ms: took(session) };
  if (session.status === "finished") return requested ? { step: "ended" } : { step: "idle" };
  // With its agent connected, a session may be stopped before all that the agent started has ended.
  if (session.status === "stopped" && session.presence !== "connected") return { step: "unattended" };

  const own = ask !== null && isOf(ask, session) ? ask : null;
  if (own?.state === "failed" && running) return { step: "failed", message: own.message };
  const asked = own?.state === "sending" || own?.state === "answered" ? own : null;
  if (asked === null && !requested)
    return own?.state === "armed" && now < own.until ? { step: "confirming" } : { step: "idle" };

  // This page's own clock measures what this page has asked; the server's may differ from it.
  const since = asked?.at ?? (requestedAt === null ? null : Date.parse(requestedAt));
  const ms = since === null ? 0 : Math.max(0, now - since);
  if (ms < PATIENCE_MS || asked?.state === "sending") return { step: "asked", ms };
  return { step: "unconfirmed", ms, presence: session.presence };
}

/** Whether something that was asked concerns the session's present run. */
export function isOf(ask: Ask, session: { run: string | null }): boolean {
  return ask.run === null || (session.run ?? null) === null || ask.run === session.run;
}

/** Whether there is an agent that could still be asked to stop. */
export function canBeStopped(session: Stoppable): boolean {
  return session.status === "running" || (session.presence === "connected" && session.stop_confirmed === false);
}

function took({ stop_requested_at, stop_confirmed_at }: Stoppable): number | null {
  if (!stop_requested_at || !stop_confirmed_at) return null;
  return Math.max(0, Date.parse(stop_confirmed_at) - Date.parse(stop_requested_at));
}

export type Telling = {
  tone: "neutral" | "good" | "warn" | "bad";
  /** What is so, without figures that change each second: it is also what a screen reader is told. */
  title: string;
  /** What that means, and what can be done. */
  detail: string;
};

/** A step in words; null where there is nothing to tell. */
export function tell(step: StopStep): Telling | null {
  switch (step.step) {
    case "idle":
    case "confirming":
      return null;
    case "asked":
      return {
        tone: "neutral",
        title: "Stop asked for, waiting for the agent",
        detail: `Asked ${elapsed(step.ms)} ago. The agent confirms when it has ceased.`,
      };
    case "confirmed":
      return {
        tone: "good",
        title: "Stopped, and confirmed by the agent",
        detail: step.ms === null ? "It has ceased." : `It had ceased ${duration(step.ms)} after it was asked.`,
      };
    case "unattended":
      return {
        tone: "warn",
        title: "Stopped, not confirmed: no agent is connected",
        detail:
          "The command waits. An agent of this run is stopped as soon as it connects or reports again, by a hook or an event.",
      };
    case "unconfirmed":
      return {
        tone: "warn",
        title: "The agent has not confirmed the stop",
        detail: `Asked ${elapsed(step.ms)} ago. ${REMEDIES[step.presence]} Asking again does no harm.`,
      };
    case "ended":
      return {
        tone: "neutral",
        title: "Finished by itself after a stop was asked for",
        detail: "The run is over; there is nothing left to stop.",
      };
    case "failed":
      return { tone: "bad", title: "The stop was not accepted", detail: step.message };
  }
}

const REMEDIES: Record<Session["presence"], string> = {
  connected:
    "It is connected and has been told; something holds it up, such as a long blocking call. In a terminal, “agent-bridge ps” shows whether it still runs; docs/agents.md says what a stop means to each kind of agent.",
  hooks: "It takes effect at the agent's next hook: before its next tool, or when the present one ends.",
  none: "It is no longer connected. The session counts as stopped as soon as its lease has lapsed, within ten seconds.",
};
