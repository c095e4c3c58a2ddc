import { QueryClient } from "@tanstack/react-query";

import type { Live } from "@/live/live";
import { ApiError } from "@/wire/client";
import type { BrowserMessage } from "@/wire/types";

const TRIES = 3;

/** What was read over HTTP and is kept; the flow of messages says when it is no longer true. */
export function createQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 30_000,
        refetchOnWindowFocus: false,
        // What the server refused it will refuse again; what it could not answer, it may.
        retry: (failures, error) =>
          failures < TRIES && (!(error instanceof ApiError) || error.status === 0 || error.status >= 500),
      },
    },
  });
}

/** The first part of the keys of what a message makes untrue. */
export function outdatedBy(message: BrowserMessage): "documents" | "agents" | null {
  if (message.type.startsWith("document_")) return "documents";
  if (message.type.startsWith("agent_")) return "agents";
  return null;
}

/** Reads anew what messages have made untrue. Returns how to end that. */
export function followMessages(queries: QueryClient, live: Live): () => void {
  return live.listen((batch) => {
    // After an `init`, anything may have changed meanwhile.
    if (batch.some((message) => message.type === "init")) {
      void queries.invalidateQueries();
      return;
    }
    for (const key of new Set(batch.map(outdatedBy)))
      if (key !== null) void queries.invalidateQueries({ queryKey: [key] });
  });
}
