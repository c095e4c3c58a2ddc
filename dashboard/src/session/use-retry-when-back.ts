import { useEffect, useRef } from "react";

import { useLive } from "@/app/backend";
import { ApiError } from "@/wire/client";

/** Tries again what failed because the server was away, once, when the page is connected again. */
export function useRetryWhenBack(error: unknown, retry: () => void): void {
  const connected = useLive((state) => state.connection.phase === "live");
  const latest = useRef({ error, retry });
  latest.current = { error, retry };
  useEffect(() => {
    const { error, retry } = latest.current;
    // What the server has refused it will refuse again.
    if (connected && error instanceof ApiError && (error.status === 0 || error.status >= 500)) retry();
  }, [connected]);
}
