import { messageOf } from "@/ui/error-note";
import { ApiError, bodyOf, type Coordinator } from "@/wire/client";
import type { StopResult } from "@/wire/types";

/** As many sessions as one request may name. */
export const MOST_IDS = 1000;
const DELETIONS_AT_ONCE = 8;

/** Which sessions to stop. */
export type Which = { session_ids: readonly string[] } | { agent_name: string } | { all: true };

/** Stops several sessions. Throws ApiError when the server takes none; the results of earlier requests are then known
 * to the sessions themselves. */
export async function stopMany(coordinator: Coordinator, which: Which): Promise<readonly StopResult[]> {
  const bodies = "session_ids" in which ? chunks(which.session_ids).map((session_ids) => ({ session_ids })) : [which];
  const results: StopResult[] = [];
  for (const body of bodies) {
    const answer = await bodyOf(coordinator.POST("/sessions/stop", { body: { all: false, ...body } }));
    results.push(...answer.sessions);
  }
  return results;
}

/** The contract's word for a stop that the agent has confirmed. */
const CONFIRMED = "Session stopped successfully";
/** How the server begins what it says of sessions that were over when they were to be stopped. */
const BEFORE = "Session was already ";

export type StopSummary = {
  tone: "good" | "warn" | "bad" | "neutral";
  title: string;
  /** Why some could not be stopped, in the server's words, each once with how often. */
  body: string;
  /** The sessions that may still be at work. */
  open: readonly string[];
};

/** What became of stopping several sessions, in words. */
export function summarise(results: readonly StopResult[]): StopSummary {
  if (results.length === 0) return { tone: "neutral", title: "There was nothing to stop", body: "", open: [] };
  const kinds = Map.groupBy(results, kindOf);
  const of = (kind: Kind) => kinds.get(kind) ?? [];
  const title = (Object.keys(WORDS) as Kind[])
    .map((kind) => [of(kind).length, WORDS[kind]] as const)
    .filter(([count]) => count > 0)
    .map(([count, words]) => `${count} ${words}`)
    .join(", ");
  const open = [...of("failed"), ...of("told"), ...of("unattended")];
  const body = [...Map.groupBy(of("failed"), ({ message }) => message)]
    .map(([message, same]) => (same.length > 1 ? `${same.length} × ${message}.` : `${message}.`))
    .slice(0, MOST_MESSAGES)
    .join(" ");
  const tone = of("failed").length > 0 ? "bad" : open.length > 0 ? "warn" : "good";
  return { tone, title, body, open: open.map(({ session_id }) => session_id) };
}

const MOST_MESSAGES = 3;

const WORDS = {
  confirmed: "stopped and confirmed",
  unattended: "stopped, not confirmed by an agent",
  stopped: "had been stopped before",
  finished: "had finished",
  told: "told, not confirmed yet",
  failed: "not stopped",
};
type Kind = keyof typeof WORDS;

function kindOf({ success, status, message }: StopResult): Kind {
  if (!success) return status === "running" ? "told" : "failed";
  if (message === CONFIRMED) return "confirmed";
  if (status === "finished") return "finished";
  return message.startsWith(BEFORE) ? "stopped" : "unattended";
}

/** Deletes several sessions. What was gone already counts as deleted. Returns what went wrong, by session. */
export async function deleteMany(
  coordinator: Coordinator,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const problems = new Map<string, string>();
  const waiting = [...ids];
  const work = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      try {
        await bodyOf(coordinator.DELETE("/sessions/{session_id}", { params: { path: { session_id: id } } }));
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404)) problems.set(id, messageOf(error));
      }
    }
  };
  await Promise.all(Array.from({ length: DELETIONS_AT_ONCE }, work));
  return problems;
}

function chunks(ids: readonly string[]): string[][] {
  const all: string[][] = [];
  for (let start = 0; start < ids.length; start += MOST_IDS) all.push(ids.slice(start, start + MOST_IDS));
  return all;
}
