import { offer } from "./offer";

/** Where a file's content goes: to disk as it comes, or to the browser, which keeps it until it is complete. */
export type Sink = {
  write: (piece: string | Uint8Array<ArrayBuffer>) => Promise<void>;
  close: () => Promise<void>;
  /** Leaves nothing behind. */
  abort: () => Promise<void>;
};

type Picker = (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;

/** Asks where to, where the browser can; else the file is offered when it is complete. Null: the reader does not want it. */
export async function openSink(name: string, type: string): Promise<Sink | null> {
  const picker = (window as { showSaveFilePicker?: Picker }).showSaveFilePicker;
  if (picker === undefined) return offered(name, type);
  try {
    const handle = await picker({ suggestedName: name });
    const file = await handle.createWritable();
    return { write: (piece) => file.write(piece), close: () => file.close(), abort: () => file.abort() };
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return null;
    // A page in a frame, or without a secure context, is not let near files.
    return offered(name, type);
  }
}

/** A file that the browser saves once it is complete. Its pieces are blobs, which need not be kept in memory. */
export function offered(name: string, type: string): Sink {
  let pieces: Blob[] = [];
  return {
    write: async (piece) => {
      pieces.push(new Blob([piece]));
    },
    close: async () => {
      offer(new Blob(pieces, { type }), name);
      pieces = [];
    },
    abort: async () => {
      pieces = [];
    },
  };
}
