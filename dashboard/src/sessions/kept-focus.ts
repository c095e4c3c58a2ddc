import { type RefObject, useCallback, useLayoutEffect, useRef } from "react";

const FOCUSABLE = "[data-row-focus]";

/**
 * Keeps the focus on a row of a list whose rows come, go and move, and keeps that row where it is on the screen.
 *
 * @param cursor the key of the row that has the focus, or had it last.
 * @param top how far below the first row that one begins, in px; null when it is not in the list.
 * @returns what gives the focus to the row of a key, as soon as it is drawn.
 */
export function useKeptFocus(
  scroller: RefObject<HTMLElement | null>,
  cursor: string | null,
  top: number | null,
): (key: string) => void {
  const wanted = useRef<string | null>(null);
  const last = useRef({ cursor, top });
  // Asked while drawing, since to be moved in the document takes the focus from an element.
  const focused = hasFocus(scroller.current);

  useLayoutEffect(() => {
    const { current } = scroller;
    if (current === null) return;
    const before = last.current;
    last.current = { cursor, top };
    if (focused && before.cursor === cursor && before.top !== null && top !== null && before.top !== top)
      current.scrollTop += top - before.top;

    const key = wanted.current ?? (focused && !hasFocus(current) ? cursor : null);
    if (key === null || (document.activeElement !== document.body && wanted.current === null)) return;
    const row = current.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"] ${FOCUSABLE}`);
    if (row === null) return;
    wanted.current = null;
    row.focus({ preventScroll: true });
  });

  return useCallback((key: string) => {
    wanted.current = key;
  }, []);
}

function hasFocus(scroller: HTMLElement | null): boolean {
  const { activeElement } = document;
  return (
    scroller !== null && activeElement !== null && scroller.contains(activeElement) && activeElement.matches(FOCUSABLE)
  );
}
