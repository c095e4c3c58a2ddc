import type { Virtualizer } from "@tanstack/react-virtual";
import { useCallback, useLayoutEffect, useState } from "react";

import type { HistoryState } from "./history";
import type { Item } from "./items";
import type { Row } from "./rows";
import type { Opened } from "./use-opened";
import { covers, firstFrom } from "./window";

/** Where the timeline is to go. `focus`: the keyboard goes there, too; `open`: what is there is opened. */
export type Target = { id: number; focus: boolean; open: boolean };

/** Close enough, in px. */
const THERE_PX = 2;
/** Rows that have not been drawn yet may be higher or lower than was thought, so it takes a few tries. */
const MOST_TRIES = 12;

type Props = {
  first: number | null;
  state: HistoryState;
  rows: readonly Row[];
  filtered: boolean;
  opened: Opened;
  virtualizer: Virtualizer<HTMLElement, Element>;
  /** The filters hide it. */
  onHidden: () => void;
  /** It is found; `exact` is false where the event is not there and this is the one that comes next. */
  onFound: (item: Item, target: Target, exact: boolean) => void;
};

/**
 * Takes the timeline to an event, once it is loaded and in the list.
 *
 * Until it is there nothing else may be read: rows that are added at the top would lead astray.
 */
export function useTarget(props: Props): { going: boolean; go: (target: Target) => void; stay: () => void } {
  const { state, rows, filtered, opened, virtualizer, onHidden, onFound } = props;
  const { window, items, reading } = state;
  const [target, setTarget] = useState<(Target & { tries: number }) | null>(() =>
    props.first === null ? null : { id: props.first, focus: false, open: true, tries: 0 },
  );
  const go = useCallback((to: Target) => setTarget({ ...to, tries: 0 }), []);
  const stay = useCallback(() => setTarget(null), []);

  // Each time that anything was drawn, since what was drawn has been measured.
  useLayoutEffect(() => {
    if (target === null || window === null || reading === "first" || !covers(window, target.id)) return;
    const nearest = window.events[firstFrom(window.events, target.id)] ?? window.events.at(-1);
    const found = nearest && items.find(nearest.id);
    const index = found ? rows.findIndex((row) => row.item.key === found.item.key) : -1;
    if (!found || target.tries >= MOST_TRIES) {
      setTarget(null);
      return;
    }
    if (index === -1) {
      if (found.agents.some(opened.isFolded)) opened.unfold(found.agents);
      else if (filtered) onHidden();
      else setTarget(null);
      return;
    }
    if (target.tries === 0) {
      if (target.open) opened.open(found.item);
      onFound(found.item, target, nearest.id === target.id);
    }
    const place = virtualizer.getOffsetForIndex(index, "start")?.[0];
    const there = place !== undefined && Math.abs(place - (virtualizer.scrollOffset ?? 0)) <= THERE_PX;
    if (there && target.tries > 0) {
      setTarget(null);
      return;
    }
    // By place: an index is another row as soon as one is added above it.
    if (place !== undefined) virtualizer.scrollToOffset(place);
    setTarget({ ...target, tries: target.tries + 1 });
  });
  return { going: target !== null, go, stay };
}
