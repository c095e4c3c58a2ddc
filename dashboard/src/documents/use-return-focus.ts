import { type RefObject, useEffect, useRef } from "react";

/** For the button that begins an edit: the focus comes back to it when the edit has ended, and with it what had it. */
export function useReturnFocus(editing: boolean): RefObject<HTMLButtonElement | null> {
  const button = useRef<HTMLButtonElement>(null);
  const before = useRef(editing);
  useEffect(() => {
    const ended = before.current && !editing;
    before.current = editing;
    if (ended && document.activeElement === document.body) button.current?.focus({ preventScroll: true });
  }, [editing]);
  return button;
}
