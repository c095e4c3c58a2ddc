import { blobOf } from "@/files/received";
import { answerTo, bodyOf, type Documents } from "@/wire/client";
import type { DocumentInfo } from "@/wire/types";

/** A document in one of its versions, as `If-Match` names it. */
export type Versioned = { document: DocumentInfo; version: string };

/** What changes of a document; a description of null removes it. */
export type Change = { tags?: readonly string[]; description?: string | null };

export type Filter = { q: string; tags: readonly string[] };

export type Page = { total: number; rows: readonly DocumentInfo[] };

/** The page's requests to the document server. All of them throw ApiError. */
export type DocumentsApi = {
  page(filter: Filter, offset: number, limit: number, signal?: AbortSignal): Promise<Page>;
  read(id: string, signal?: AbortSignal): Promise<Versioned>;
  /** Changes the version given, and no other: 412 when it is no longer the last. */
  patch(id: string, change: Change, version: string): Promise<Versioned>;
  remove(id: string): Promise<void>;
  /** What is in it, as it comes. */
  stream(id: string, signal?: AbortSignal): Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
  /** All that is in it. @param progress called with the number of bytes that are here. */
  bytes(id: string, signal?: AbortSignal, progress?: (bytes: number) => void): Promise<Blob>;
};

export function documentsApi(documents: Documents): DocumentsApi {
  const of = (id: string) => ({ path: { document_id: id } });
  const stream: DocumentsApi["stream"] = async (id, signal) => {
    const request = documents.GET("/documents/{document_id}", {
      params: of(id),
      parseAs: "stream",
      signal: signal ?? null,
    });
    // An empty document has no body.
    return ((await bodyOf(request)) as ReadableStream<Uint8Array<ArrayBuffer>> | null) ?? new Blob().stream();
  };
  return {
    async page(filter, offset, limit, signal) {
      const query = { filename: filter.q, tags: filter.tags.join(","), offset, limit };
      const { body, response } = await answerTo(
        documents.GET("/documents", { params: { query }, signal: signal ?? null }),
      );
      return { total: Number(response.headers.get("X-Total-Count") ?? body.length), rows: body };
    },
    async read(id, signal) {
      const answer = await answerTo(
        documents.GET("/documents/{document_id}/metadata", { params: of(id), signal: signal ?? null }),
      );
      return versioned(answer);
    },
    async patch(id, change, version) {
      const params = { ...of(id), header: { "If-Match": version } };
      return versioned(await answerTo(documents.PATCH("/documents/{document_id}", { params, body: change })));
    },
    async remove(id) {
      await bodyOf(documents.DELETE("/documents/{document_id}", { params: of(id) }));
    },
    stream,
    bytes: async (id, signal, progress = () => undefined) => blobOf(await stream(id, signal), progress, signal),
  };
}

function versioned({ body, response }: { body: DocumentInfo; response: Response }): Versioned {
  return { document: body, version: response.headers.get("ETag") ?? "*" };
}
