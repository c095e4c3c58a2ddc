import type { Sink } from "@/files/sink";
import { bodyOf, type Coordinator } from "@/wire/client";

const PAGE = 1000;

/**
 * Writes a session's whole history, an event a line, the oldest first.
 *
 * @param progress called with the number of events that have been written.
 */
export async function download(
  coordinator: Coordinator,
  sessionId: string,
  sink: Sink,
  progress: (count: number) => void,
  signal: AbortSignal,
): Promise<number> {
  let after = 0;
  let count = 0;
  try {
    for (let more = true; more; ) {
      const params = { path: { session_id: sessionId }, query: { limit: PAGE, after } };
      const page = await bodyOf(coordinator.GET("/events/{session_id}", { params, signal }));
      signal.throwIfAborted();
      await sink.write(page.events.map((event) => `${JSON.stringify(event)}\n`).join(""));
      count += page.events.length;
      progress(count);
      after = page.next ?? after;
      more = page.has_more && page.next !== null;
    }
    await sink.close();
  } catch (error) {
    await sink.abort();
    throw error;
  }
  return count;
}

/** A file's name made of a session's: letters, digits and little else, so that every system takes it. */
export function fileNameOf(sessionName: string): string {
  const plain = sessionName
    .normalize("NFKD")
    .replace(/[^\p{L}\p{N}._-]+/gu, "-")
    .replace(/^[-.]+|[-.]+$/g, "");
  return `${plain.slice(0, 80) || "session"}.jsonl`;
}
