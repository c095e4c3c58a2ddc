import { useMemo } from "react";

import type { HistoryState } from "./history";
import { type Row, rowsOf } from "./rows";
import type { Kind } from "./search";
import type { Opened } from "./use-opened";

/** The rows of what is loaded, under the filters. */
export function useRows(state: HistoryState, kinds: readonly Kind[], errors: boolean, opened: Opened): readonly Row[] {
  const { items, window } = state;
  const { isFolded } = opened;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the items grow in place, and another window says that they have
  return useMemo(
    () => rowsOf(items.top, { kinds, errors, folded: isFolded }),
    [items, window, kinds, errors, isFolded],
  );
}
