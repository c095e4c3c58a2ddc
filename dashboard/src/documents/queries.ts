import { keepPreviousData, type QueryClient, queryOptions, useQueries, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { useBackend } from "@/app/backend";
import type { Live } from "@/live/live";
import type { DocumentInfo } from "@/wire/types";

import { coalesce } from "./coalesce";
import { type DocumentsApi, documentsApi, type Filter, type Page } from "./wire";

/** The list is read in pieces of so many rows; only those in sight are kept true. */
export const PAGE = 100;
/** While messages keep coming, the rows in sight are read anew once in so many ms. */
const REFRESH_MS = 1000;

// These keys do not begin with "documents": that would read anew with each batch of messages, sixty times a second while
// an agent uploads a folder. `followDocuments` does it at a pace.
const PAGES = "document-pages";
const ONE = "document";

export function useApi(): DocumentsApi {
  const { documents } = useBackend();
  return useMemo(() => documentsApi(documents), [documents]);
}

const pageQuery = (api: DocumentsApi, filter: Filter, page: number) =>
  queryOptions({
    queryKey: [PAGES, filter.q, filter.tags, page],
    queryFn: ({ signal }): Promise<Page> => api.page(filter, page * PAGE, PAGE, signal),
    // What is not in sight is not kept true, so it is read when it comes into sight; till then what was there is shown.
    staleTime: 0,
  });

export const documentQuery = (api: DocumentsApi, id: string) =>
  queryOptions({ queryKey: [ONE, id], queryFn: ({ signal }) => api.read(id, signal), staleTime: 0 });

/** The documents of a filter, as far as they have been read. */
export type Rows = {
  at(index: number): DocumentInfo | undefined;
  /** Where a document is; null when it is not among those that have been read. */
  find(id: string): number | null;
};

/** The first rows of a filter and how many it has. Until they are here, those of the filter before are shown. */
export function useFirstPage(filter: Filter) {
  const api = useApi();
  const query = useQuery({ ...pageQuery(api, filter, 0), placeholderData: keepPreviousData });
  const [shown, setShown] = useState(filter);
  const arrived = query.data !== undefined && !query.isPlaceholderData;
  if (arrived && shown !== filter) setShown(filter);
  return { query, shown: arrived ? filter : shown };
}

/** The rows of some pages of the list. */
export function useRows(filter: Filter, pages: readonly number[]): Rows {
  const api = useApi();
  const loaded = useQueries({
    queries: pages.map((page) => pageQuery(api, filter, page)),
    combine: (results) => results.map((result) => result.data?.rows),
  });
  const numbers = pages.join();
  return useMemo(() => {
    const byPage = new Map(numbers.split(",").map((page, index) => [Number(page), loaded[index]]));
    return {
      at: (index) => byPage.get(Math.floor(index / PAGE))?.[index % PAGE],
      find: (id) => {
        for (const [page, rows] of byPage) {
          const index = rows?.findIndex((row) => row.id === id) ?? -1;
          if (index >= 0) return page * PAGE + index;
        }
        return null;
      },
    };
  }, [numbers, loaded]);
}

/** Rows that may not be here, in their order; at most the server's largest page is read at once. */
export async function readBetween(
  api: DocumentsApi,
  filter: Filter,
  from: number,
  to: number,
): Promise<DocumentInfo[]> {
  const rows: DocumentInfo[] = [];
  for (let offset = from; offset <= to; offset += 1000) {
    const page = await api.page(filter, offset, Math.min(1000, to - offset + 1));
    rows.push(...page.rows);
    if (page.rows.length === 0) break;
  }
  return rows;
}

/** Has what is in sight read anew. */
export function refreshDocuments(queries: QueryClient, ids: Iterable<string> = []): Promise<unknown> {
  const one = Array.from(ids, (id) => queries.invalidateQueries({ queryKey: [ONE, id] }));
  return Promise.all([queries.invalidateQueries({ queryKey: [PAGES] }), ...one]);
}

/** Keeps what is in sight true, and tells which documents are gone. Returns how to end that. */
export function followDocuments(queries: QueryClient, live: Live, onDeleted: (ids: string[]) => void): () => void {
  let changed = new Set<string>();
  const refresh = coalesce(() => {
    const ids = changed;
    changed = new Set();
    return refreshDocuments(queries, ids);
  }, REFRESH_MS);
  const end = live.listen((batch) => {
    const deleted: string[] = [];
    let any = false;
    for (const message of batch) {
      if (message.type === "document_deleted") {
        deleted.push(message.document_id);
        changed.add(message.document_id);
      } else if (message.type === "document_created" || message.type === "document_updated") {
        changed.add(message.document.id);
      } else continue;
      any = true;
    }
    if (any) refresh.ask();
    if (deleted.length > 0) onDeleted(deleted);
  });
  return () => {
    refresh.cancel();
    end();
  };
}
