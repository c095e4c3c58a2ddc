import { useCallback, useMemo, useState } from "react";

import type { Item } from "./items";

/** What the reader has opened and folded; everything else is as it is at first. It outlives the rows on the screen. */
export type Opened = {
  isOpen: (item: Item) => boolean;
  toggle: (item: Item) => void;
  open: (item: Item) => void;
  isFolded: (agentId: string) => boolean;
  fold: (agentId: string) => void;
  unfold: (agentIds: readonly string[]) => void;
};

export function useOpened(): Opened {
  const [items, setItems] = useState<ReadonlyMap<string, boolean>>(new Map());
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());

  const isOpen = useCallback((item: Item) => items.get(item.key) ?? openAtFirst(item), [items]);
  const isFolded = useCallback((agentId: string) => folded.has(agentId), [folded]);
  const set = useCallback((item: Item, to: (open: boolean) => boolean) => {
    setItems((before) => {
      const open = before.get(item.key) ?? openAtFirst(item);
      return to(open) === open ? before : new Map(before).set(item.key, to(open));
    });
  }, []);
  const toggle = useCallback((item: Item) => set(item, (open) => !open), [set]);
  const open = useCallback((item: Item) => set(item, () => true), [set]);
  const fold = useCallback((agentId: string) => {
    setFolded((before) => {
      const after = new Set(before);
      if (!after.delete(agentId)) after.add(agentId);
      return after;
    });
  }, []);
  const unfold = useCallback((agentIds: readonly string[]) => {
    setFolded((before) => new Set([...before].filter((one) => !agentIds.includes(one))));
  }, []);
  return useMemo(
    () => ({ isOpen, toggle, open, isFolded, fold, unfold }),
    [isOpen, toggle, open, isFolded, fold, unfold],
  );
}

/** What was said, and written, is what one came to read. */
function openAtFirst(item: Item): boolean {
  return item.kind === "prompt" || item.kind === "answer" || item.kind === "output";
}
