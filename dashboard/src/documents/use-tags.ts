import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { useBackend, useLive } from "@/app/backend";
import { bodyOf } from "@/wire/client";
import type { TagCount } from "@/wire/types";

const KEY = ["document-tags"];
const NONE: readonly TagCount[] = [];

/** How many documents have each tag, in the server's order: first as it is read, then as it is announced. */
export function useTags(): readonly TagCount[] {
  const { documents } = useBackend();
  const queries = useQueryClient();
  const announced = useLive((state) => state.tags);
  // What was announced before the page was shown may be older than what is read now.
  const known = useRef(announced);
  const query = useQuery({
    queryKey: KEY,
    queryFn: async ({ signal }): Promise<readonly TagCount[]> =>
      (await bodyOf(documents.GET("/documents/tags", { signal }))).tags,
    staleTime: 0,
  });
  useEffect(() => {
    if (announced === known.current || announced === null) return;
    known.current = announced;
    // An answer that is still on its way was counted before.
    void queries.cancelQueries({ queryKey: KEY }).then(() => queries.setQueryData(KEY, announced));
  }, [announced, queries]);
  return query.data ?? announced ?? NONE;
}
