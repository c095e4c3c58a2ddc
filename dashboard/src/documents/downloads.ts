import { createStore, type StoreApi } from "zustand/vanilla";

import { receive } from "@/files/received";
import { offered, openSink, type Sink } from "@/files/sink";
import type { DocumentInfo } from "@/wire/types";

import type { DocumentsApi } from "./wire";

/** Files of more bytes are written to disk as they come, where the browser can: it asks where to. */
const LARGE = 100_000_000;

/** How far a download is. */
export type Download = { received: number; size: number };

/** What became of one; `cancelled` by whoever began it. */
export type Ended = { kind: "done" | "cancelled" } | { kind: "failed"; error: unknown };

type Opener = (document: DocumentInfo) => Promise<Sink | null>;

/** Downloads of documents that need a token, which no link can send. They go on whichever page is shown. */
export class Downloads {
  readonly store: StoreApi<ReadonlyMap<string, Download>> = createStore<ReadonlyMap<string, Download>>(() => new Map());
  readonly #under = new Map<string, AbortController>();

  /** @param open says where a document goes; null when nobody wants it. */
  constructor(private readonly open: Opener = openFor) {}

  /** Saves a document; once at a time. */
  async save(api: Pick<DocumentsApi, "stream">, document: DocumentInfo): Promise<Ended> {
    const { id, size_bytes: size } = document;
    if (this.#under.has(id)) return { kind: "cancelled" };
    const under = new AbortController();
    this.#under.set(id, under);
    try {
      const sink = await this.open(document);
      if (sink === null) return { kind: "cancelled" };
      this.#put(id, { received: 0, size });
      return await this.#fill(sink, api, document, under.signal);
    } catch (error) {
      return under.signal.aborted ? { kind: "cancelled" } : { kind: "failed", error };
    } finally {
      this.#under.delete(id);
      this.#put(id, null);
    }
  }

  cancel(id: string): void {
    this.#under.get(id)?.abort();
  }

  async #fill(
    sink: Sink,
    api: Pick<DocumentsApi, "stream">,
    { id, size_bytes: size }: DocumentInfo,
    signal: AbortSignal,
  ): Promise<Ended> {
    try {
      const stream = await api.stream(id, signal);
      await receive(stream, sink.write, (received) => this.#put(id, { received, size }), signal);
      signal.throwIfAborted();
      await sink.close();
      return { kind: "done" };
    } catch (error) {
      await sink.abort();
      throw error;
    }
  }

  #put(id: string, download: Download | null): void {
    const after = new Map(this.store.getState());
    if (download === null) after.delete(id);
    else after.set(id, download);
    this.store.setState(after, true);
  }
}

const openFor: Opener = async ({ filename, content_type, size_bytes }) =>
  size_bytes > LARGE ? openSink(filename, content_type) : offered(filename, content_type);

/** The downloads of this window. */
export const downloads = new Downloads();
