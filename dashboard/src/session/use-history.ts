import { useEffect, useState } from "react";
import { useStore } from "zustand";

import { useBackend } from "@/app/backend";

import { History, type HistoryState } from "./history";
import { useRetryWhenBack } from "./use-retry-when-back";

/** A session's history, opened at its newest end or around an event, for as long as the component is shown. */
export function useHistory(sessionId: string, around: number | null): [History, HistoryState] {
  const { coordinator, live } = useBackend();
  const [history] = useState(() => new History(coordinator, live, sessionId));
  const [first] = useState(around);
  useEffect(() => {
    history.open(first);
    return () => history.close();
  }, [history, first]);
  const state = useStore(history.store);
  useRetryWhenBack(state.error, () => void history.retry());
  return [history, state];
}
