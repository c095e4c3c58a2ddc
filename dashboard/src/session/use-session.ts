import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { useBackend, useLive } from "@/app/backend";
import { ApiError, bodyOf } from "@/wire/client";
import type { Session } from "@/wire/types";

/**
 * A session: as the flow tells it where it does, else as the server answers, else as it was last known.
 *
 * @returns `gone`: the server does not know it, or no longer does.
 */
export function useSession(sessionId: string): { session: Session | null; gone: boolean; error: unknown } {
  const { coordinator } = useBackend();
  const live = useLive((state) => state.sessions.get(sessionId));
  const query = useQuery({
    queryKey: ["session", sessionId],
    queryFn: ({ signal }) =>
      bodyOf(coordinator.GET("/sessions/{session_id}", { params: { path: { session_id: sessionId } }, signal })),
    enabled: live === undefined,
  });
  const session = live ?? query.data ?? null;
  const [last, setLast] = useState(session);
  if (session !== null && session !== last) setLast(session);
  const error = live === undefined ? query.error : null;
  return { session: session ?? last, gone: error instanceof ApiError && error.status === 404, error };
}
