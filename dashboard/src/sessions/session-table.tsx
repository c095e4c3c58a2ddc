import { defaultRangeExtractor, type Range, useVirtualizer } from "@tanstack/react-virtual";
import {
  type KeyboardEvent,
  type Ref,
  type RefObject,
  useCallback,
  useImperativeHandle,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";

import { useMayChange } from "@/app/backend";

import { CARDS_BELOW, columnsFor, templateOf } from "./columns";
import { GroupRow } from "./group-row";
import { HEADINGS, Headings } from "./headings";
import { useKeptFocus } from "./kept-focus";
import type { Item } from "./listing";
import type { SessionsSearch, SortKey } from "./search";
import { type RowActions, SessionRow } from "./session-row";

const ROW = 44;
const CARD = 64;
const GROUP = 40;
const CARD_CELLS = { changing: 3, reading: 2 };

export type TableHandle = {
  /** Moves the focus by so many rows from the row that has it, or had it last. */
  move: (by: number) => void;
};

type Props = {
  items: readonly Item[];
  search: SessionsSearch;
  selected: ReadonlySet<string>;
  /** How many of those that match are selected, and how many match. */
  selection: { count: number; of: number };
  cursor: string | null;
  actions: RowActions;
  handle: Ref<TableHandle>;
  onSort: (sort: SortKey) => void;
  onSelectAll: () => void;
  onFold: (project: string) => void;
  onCursor: (key: string) => void;
};

/** The sessions as a table, of which only the rows in view exist. */
export function SessionTable(props: Props) {
  const { items, search, selected, selection, cursor, actions, handle, onSort, onSelectAll, onFold, onCursor } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const width = useWidth(scroller);
  const grouped = search.group !== undefined;
  const mayChange = useMayChange();
  const columns = useMemo(
    () => (width < CARDS_BELOW ? null : columnsFor(width, grouped, mayChange)),
    [width, grouped, mayChange],
  );
  const template = useMemo(() => (columns ? templateOf(columns) : ""), [columns]);
  const at = useMemo(() => items.findIndex((item) => item.key === cursor), [items, cursor]);

  const rowHeight = columns ? ROW : CARD;
  const headingsHeight = columns ? HEADINGS : 0;
  const virtualizer = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: (index) => (items[index]?.kind === "group" ? GROUP : rowHeight),
    getItemKey: (index) => items[index]?.key ?? index,
    overscan: 12,
    // The headings stay on top, over the rows.
    scrollMargin: headingsHeight,
    scrollPaddingStart: headingsHeight,
    // The row with the focus stays, or scrolling it out of view would lose the focus.
    rangeExtractor: useCallback(
      (range: Range) => {
        const indexes = defaultRangeExtractor(range);
        return at < 0 || indexes.includes(at) ? indexes : [...indexes, at].sort((a, b) => a - b);
      },
      [at],
    ),
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: heights change with the layout, and where headings are
  useLayoutEffect(() => virtualizer.measure(), [rowHeight, items, virtualizer]);

  const top = at < 0 ? null : topOf(items, at, rowHeight);
  const focus = useKeptFocus(scroller, cursor, top);
  const move = (by: number) => {
    const next = Math.min(Math.max(at < 0 ? (by > 0 ? 0 : items.length - 1) : at + by, 0), items.length - 1);
    const item = items[next];
    if (item === undefined) return;
    focus(item.key);
    virtualizer.scrollToIndex(next);
    onCursor(item.key);
  };
  useImperativeHandle(handle, () => ({ move }));
  const onKeyDown = (event: KeyboardEvent) => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (by === 0 || !(event.target instanceof Element) || !event.target.matches("[data-row-focus]")) return;
    event.preventDefault();
    move(by);
  };

  return (
    <div ref={scroller} className="min-h-0 flex-1 overflow-x-hidden overflow-y-auto border-t border-line bg-surface">
      <table
        aria-label="Sessions"
        aria-rowcount={items.length + 1}
        className="relative block"
        style={{ height: virtualizer.getTotalSize() + headingsHeight }}
      >
        {columns ? <Headings {...{ columns, template, search, selection, onSort, onSelectAll }} /> : null}
        <tbody className="block" onKeyDown={onKeyDown}>
          {virtualizer.getVirtualItems().map(({ index, key, start, size }) => {
            const item = items[index];
            if (item === undefined) return null;
            const place = { index, top: start, height: size };
            if (item.kind === "group") {
              const { project, count, running, collapsed } = item;
              const span = columns?.length ?? CARD_CELLS[mayChange ? "changing" : "reading"];
              return <GroupRow key={key} {...{ project, count, running, collapsed, onFold, span, ...place }} />;
            }
            return (
              <SessionRow
                key={key}
                {...{ session: item.session, columns, template, actions, ...place }}
                selected={selected.has(item.session.session_id)}
                current={item.key === cursor}
              />
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function useWidth(element: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const { current } = element;
    if (current === null) return;
    setWidth(current.clientWidth);
    const observer = new ResizeObserver(() => setWidth(current.clientWidth));
    observer.observe(current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}

/** How far below the first row a row begins, in px. */
function topOf(items: readonly Item[], index: number, rowHeight: number): number {
  let top = 0;
  for (let n = 0; n < index; n += 1) top += items[n]?.kind === "group" ? GROUP : rowHeight;
  return top;
}
