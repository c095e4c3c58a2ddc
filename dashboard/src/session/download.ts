import { bodyOf, type Coordinator } from "@/wire/client";

const PAGE = 1000;

/** Where lines go: a file that is written as they come, or the browser's memory. */
export type Sink = {
  write: (text: string) => Promise<void>;
  close: () => Promise<void>;
  /** Leaves nothing behind. */
  abort: () => Promise<void>;
};

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

type Picker = (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;

/** Asks where to, where the browser can; else the file is offered when it is complete. Null: the reader does not want it. */
export async function openSink(name: string): Promise<Sink | null> {
  const picker = (window as { showSaveFilePicker?: Picker }).showSaveFilePicker;
  if (picker === undefined) return inMemory(name);
  try {
    const handle = await picker({ suggestedName: name });
    const file = await handle.createWritable();
    return { write: (text) => file.write(text), close: () => file.close(), abort: () => file.abort() };
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return null;
    // A page in a frame, or without a secure context, is not let near files.
    return inMemory(name);
  }
}

function inMemory(name: string): Sink {
  let parts: Blob[] = [];
  return {
    write: async (text) => {
      parts.push(new Blob([text]));
    },
    close: async () => {
      offer(new Blob(parts, { type: "application/jsonl" }), name);
    },
    abort: async () => {
      parts = [];
    },
  };
}

function offer(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken hold of it by the next turn.
  setTimeout(() => URL.revokeObjectURL(url));
}
