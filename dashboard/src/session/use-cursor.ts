import type { Virtualizer } from "@tanstack/react-virtual";
import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from "react";

import type { Row } from "./rows";

export type Cursor = {
  /** The key of the row that the keyboard is at; null before it was at any. */
  key: string | null;
  /** The keyboard is at this row; with `focus` it is taken there as soon as the row is drawn. */
  set: (key: string, focus?: boolean) => void;
  /** Goes to the next row or to the one before, from the first or the last in view where the cursor is not in view. */
  move: (by: 1 | -1, rows: readonly Row[], virtualizer: Virtualizer<HTMLElement, Element>) => void;
};

/** The row that the keyboard is at. */
export function useCursor(scroller: RefObject<HTMLElement | null>): Cursor {
  const [key, setKey] = useState<string | null>(null);
  const awaited = useRef<string | null>(null);

  const set = useCallback((to: string, focus = false) => {
    setKey(to);
    if (focus) awaited.current = to;
  }, []);
  const move: Cursor["move"] = (by, rows, virtualizer) => {
    const { startIndex = 0, endIndex = 0 } = virtualizer.range ?? {};
    const at = key === null ? -1 : rows.findIndex((row) => row.item.key === key);
    // A row that is not drawn yet is on its way into view.
    const inView = at !== -1 && ((at >= startIndex && at <= endIndex) || awaited.current !== null);
    const wanted = inView ? at + by : by === 1 ? startIndex : endIndex;
    const index = Math.min(rows.length - 1, Math.max(0, wanted));
    const row = rows[index];
    if (row === undefined) return;
    set(row.item.key, true);
    const place = virtualizer.getOffsetForIndex(index, "auto")?.[0];
    if (place !== undefined) virtualizer.scrollToOffset(place);
  };

  useLayoutEffect(() => {
    const wanted = awaited.current;
    if (wanted === null) return;
    const button = scroller.current?.querySelector<HTMLElement>(`[data-row="${CSS.escape(wanted)}"]`);
    if (!button) return;
    awaited.current = null;
    button.focus({ preventScroll: true });
  });
  return { key, set, move };
}
