import { useEffect } from "react";

import type { History, HistoryState } from "./history";
import { MOST_EVENTS } from "./window";

/** Rows before either end of what is loaded at which more is read. */
const AHEAD = 40;

/** Reads on before the reader has come to an end of what is loaded. */
export function useReadingAhead(props: {
  history: History;
  state: HistoryState;
  /** Not now. */
  paused: boolean;
  /** Rows are left out, so an end may be near however much is loaded. */
  filtered: boolean;
  count: number;
  first: number | undefined;
  last: number | undefined;
}): void {
  const { history, state, paused, filtered, count, first = 0, last = 0 } = props;
  const { window, reading, error } = state;
  const idle = !paused && window !== null && reading === null && error === null;
  // To read on for rows that are left out would let go of those that are shown.
  const full = filtered && window !== null && window.events.length > MOST_EVENTS / 2;
  const older = idle && window.older && first < AHEAD && !full;
  const newer = idle && window.newer && last > count - AHEAD && !full;
  useEffect(() => {
    if (newer) void history.newer();
    else if (older) void history.older();
  }, [history, newer, older]);
}
