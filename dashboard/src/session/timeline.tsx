import { defaultRangeExtractor, useVirtualizer } from "@tanstack/react-virtual";
import { type Ref, useCallback, useEffect, useImperativeHandle, useRef } from "react";
import type { StoreApi } from "zustand/vanilla";

import { BottomNote, TOP_NOTE_PX, TopNote } from "./ends";
import { estimate } from "./estimate";
import { FollowButton } from "./follow-button";
import type { History, HistoryState } from "./history";
import { lookOf } from "./item-look";
import { agentOf, eventsOf, type Item } from "./items";
import { TimelineRow } from "./row";
import { KINDS, type Kind } from "./search";
import { summaryOf } from "./summaries";
import { useCursor } from "./use-cursor";
import { useFollow } from "./use-follow";
import { useOpened } from "./use-opened";
import { useReadingAhead } from "./use-reading-ahead";
import { useRows } from "./use-rows";
import { type Target, useTarget } from "./use-target";

/** What is on the screen: the least and the greatest id of its events, and the keys of its items. */
export type View = { first: number | null; last: number | null; keys: ReadonlySet<string> };

export const NOTHING_SEEN: View = { first: null, last: null, keys: new Set() };

/** What the page tells the timeline to do. */
export type TimelineHandle = {
  /** Goes to the next item, or to the one before. */
  move: (by: 1 | -1) => void;
  /** Goes to an event, wherever it is. */
  jump: (target: Target) => void;
  /** Goes to the newest event, and stays with it. */
  follow: () => void;
};

type Props = {
  ref: Ref<TimelineHandle>;
  history: History;
  state: HistoryState;
  kinds: readonly Kind[];
  errors: boolean;
  /** The session runs. */
  running: boolean;
  project: string | null;
  /** The event that the address links to. */
  linked: number | null;
  /** The events that hold what is searched for. */
  matches: ReadonlySet<number>;
  view: StoreApi<View>;
  onLink: (eventId: number) => void;
  /** The filters hide what was jumped to. */
  onHidden: () => void;
  announce: (words: string) => void;
};

const OVERSCAN = 8;
/** Close to the end, in px: what comes while one follows may be drawn a little later. */
const NEAR_END_PX = 80;
const NEVER = -1;

/** A session's items, one below the other; only those on the screen are drawn. */
export function Timeline(props: Props) {
  const { history, state, kinds, errors, view, linked, announce, onHidden, project } = props;
  const { window, items } = state;
  const scroller = useRef<HTMLElement>(null);
  const opened = useOpened();
  const rows = useRows(state, kinds, errors, opened);
  const filtered = errors || kinds.length < KINDS.length;
  const complete = window !== null && !window.newer;
  const follow = useFollow(scroller, complete, linked === null);
  const cursor = useCursor(scroller);
  const at = cursor.key === null ? -1 : rows.findIndex((row) => row.item.key === cursor.key);

  const virtualizer = useVirtualizer<HTMLElement, Element>({
    count: rows.length,
    getScrollElement: () => scroller.current,
    getItemKey: useCallback((index: number) => rows[index]?.item.key ?? index, [rows]),
    estimateSize: (index) => {
      const row = rows[index];
      return estimate(row, row !== undefined && opened.isOpen(row.item));
    },
    // The row that has the keyboard's focus stays, or the focus would be lost with it.
    rangeExtractor: (range) => {
      const shown = defaultRangeExtractor(range);
      return at === -1 || shown.includes(at) ? shown : [...shown, at].sort((a, b) => a - b);
    },
    overscan: OVERSCAN,
    paddingStart: TOP_NOTE_PX,
    paddingEnd: 12,
    scrollPaddingStart: 64,
    scrollPaddingEnd: 16,
    anchorTo: "end",
    scrollEndThreshold: follow.following ? NEAR_END_PX : NEVER,
  });
  const shown = virtualizer.getVirtualItems();
  const range = virtualizer.range;
  const target = useTarget({
    first: linked,
    state,
    rows,
    filtered,
    opened,
    virtualizer,
    onHidden,
    onFound: (item, { focus }, exact) => {
      cursor.set(item.key, focus);
      announce(
        exact
          ? `${lookOf(item).name}: ${summaryOf(item, project)}`
          : "That event is not in this session; this is the one that comes next.",
      );
    },
  });
  useReadingAhead({
    history,
    state,
    paused: target.going,
    filtered,
    count: rows.length,
    first: range?.startIndex,
    last: range?.endIndex,
  });

  useEffect(() => history.follow(follow.following), [history, follow.following]);
  useEffect(() => {
    const element = scroller.current;
    const content = element?.firstElementChild;
    if (!follow.following || !element || !content) return;
    // Rows are added or turn out to be higher; or what is above the list takes more room. All of it before it is seen.
    const observer = new ResizeObserver(() => element.scrollTo({ top: element.scrollHeight }));
    observer.observe(element);
    observer.observe(content);
    return () => observer.disconnect();
  }, [follow.following]);

  useEffect(() => {
    const seen = range === null ? [] : rows.slice(range.startIndex, range.endIndex + 1).map((row) => row.item);
    // A subagent's items stand between those of others, so the first is not always the oldest.
    const ids = seen.flatMap((item) => eventsOf(item).map((event) => event.id));
    view.setState(
      ids.length === 0
        ? NOTHING_SEEN
        : { first: Math.min(...ids), last: Math.max(...ids), keys: new Set(seen.map((item) => item.key)) },
    );
  }, [view, rows, range]);

  const toEnd = () => {
    target.stay();
    follow.start();
    void history.newest();
  };
  useImperativeHandle(props.ref, () => ({
    move: (by) => {
      if (by === -1) follow.hold();
      cursor.move(by, rows, virtualizer);
    },
    jump: (to) => {
      follow.hold();
      target.go(to);
      void history.around(to.id);
    },
    follow: toEnd,
  }));

  const toggle = useCallback(
    (item: Item) => {
      // Who opens something wants to read it, so it must not be pushed away.
      if (!opened.isOpen(item)) follow.hold();
      opened.toggle(item);
    },
    [opened, follow.hold],
  );
  const linkedKey = linked === null ? null : items.find(linked)?.item.key;
  const tabStop = at === -1 ? rows[range?.startIndex ?? 0]?.item.key : cursor.key;
  const live = props.running && complete;
  return (
    <div className="relative min-h-0 flex-1">
      <section
        ref={scroller}
        aria-label="Timeline"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        className="h-full overflow-x-hidden overflow-y-auto overscroll-contain -outline-offset-2 [overflow-anchor:none]"
        onWheelCapture={target.stay}
        onTouchMoveCapture={target.stay}
        {...follow.handlers}
      >
        <div className="relative w-full" style={{ height: virtualizer.getTotalSize() }}>
          <TopNote history={history} state={state} filtered={filtered} />
          {shown.length === 0 ? null : (
            <div role="feed" aria-label="Items" aria-busy={state.reading !== null}>
              {shown.map((virtual) => {
                const row = rows[virtual.index];
                if (row === undefined) return null;
                const { item, depth } = row;
                const agent = agentOf(item);
                return (
                  <article
                    key={virtual.key}
                    ref={virtualizer.measureElement}
                    data-index={virtual.index}
                    aria-labelledby={rowId(item)}
                    aria-posinset={virtual.index + 1}
                    aria-setsize={window?.older || !complete ? -1 : rows.length}
                    className="absolute top-0 left-0 w-full"
                    style={{ transform: `translateY(${virtual.start}px)` }}
                  >
                    <TimelineRow
                      id={rowId(item)}
                      item={item}
                      depth={depth}
                      open={opened.isOpen(item)}
                      folded={agent !== null && opened.isFolded(agent.agentId)}
                      current={item.key === tabStop}
                      linked={item.key === linkedKey}
                      matched={props.matches.size > 0 && eventsOf(item).some((event) => props.matches.has(event.id))}
                      live={live}
                      project={project}
                      onToggle={toggle}
                      onFold={opened.fold}
                      onLink={props.onLink}
                      onFocus={cursor.set}
                    />
                  </article>
                );
              })}
            </div>
          )}
        </div>
        <BottomNote history={history} state={state} />
      </section>
      {follow.following || window === null ? null : (
        <FollowButton unseen={state.unseen} running={props.running} onFollow={toEnd} />
      )}
    </div>
  );
}

/** An agent's item may begin with the same event as the first of its own. */
const rowId = (item: Item): string => `row-${item.kind === "agent" ? "a" : ""}${item.id}`;
