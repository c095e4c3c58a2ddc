import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useRef, useState } from "react";

import { useMayChange } from "@/app/backend";
import { useOffer } from "@/app/shortcuts";
import { messageOf } from "@/ui/error-note";
import { notify } from "@/ui/toasts";

import { columnsIn, GridView, LINE_HEIGHT } from "./grid-view";
import { PAGE, type Rows, readBetween, useApi, useRows } from "./queries";
import { type ItemProps, ROW_HEIGHT, type Room } from "./row";
import type { View } from "./search";
import { type Selection, withAll, withToggled } from "./selection";
import { headerHeight, TableView } from "./table-view";
import { useWidth } from "./use-width";
import type { Filter } from "./wire";

type Place = { index: number; id: string | null };

type ListProps = {
  filter: Filter;
  total: number;
  view: View;
  selection: Selection;
  onSelection: (change: (selection: Selection) => Selection) => void;
  opened: string | undefined;
  /** Opens a document in the place of the one that is open. */
  onMove: (id: string) => void;
  onAll: () => void;
};

/** The documents of a filter, of which only those in sight are read and drawn. */
export function DocumentList({ filter, total, view, selection, onSelection, opened, onMove, onAll }: ListProps) {
  const api = useApi();
  const mayChange = useMayChange();
  const scroll = useRef<HTMLDivElement>(null);
  const width = useWidth(scroll);
  const room: Room = width >= 860 ? "wide" : width >= 560 ? "medium" : "narrow";
  const columns = view === "grid" ? columnsIn(width) : 1;
  const height = view === "grid" ? LINE_HEIGHT : ROW_HEIGHT[room];
  const header = view === "table" ? headerHeight(room) : 0;

  const [cursor, setCursor] = useState<Place | null>(null);
  const anchor = useRef<Place | null>(null);
  const wanted = useRef<number | null>(null);

  const pinned = cursor === null ? null : Math.floor(Math.min(cursor.index, total - 1) / columns);
  const virtualizer = useVirtualizer({
    count: Math.ceil(total / columns),
    getScrollElement: () => scroll.current,
    estimateSize: () => height,
    overscan: 6,
    scrollPaddingStart: header,
    scrollMargin: header,
    // What has the focus stays, also out of sight: a row that is taken away would take the focus with it.
    rangeExtractor: ({ startIndex, endIndex, overscan, count }) => {
      const lines = new Set(pinned === null ? [] : [pinned]);
      for (let at = Math.max(0, startIndex - overscan); at <= Math.min(count - 1, endIndex + overscan); at += 1)
        lines.add(at);
      return [...lines].sort((one, other) => one - other);
    },
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: measured sizes are those of the height before
  useEffect(() => virtualizer.measure(), [height, columns, virtualizer]);

  const lines = virtualizer.getVirtualItems();
  const pages = new Set<number>();
  for (const line of lines) {
    pages.add(Math.floor((line.index * columns) / PAGE));
    pages.add(Math.floor((line.index * columns + columns - 1) / PAGE));
  }
  const rows = useRows(filter, pages.size > 0 ? [...pages] : [0]);
  const latest = useRef(rows);
  latest.current = rows;

  // A row that was asked for may have to be scrolled to, or read, before it can have the focus.
  useEffect(() => {
    if (wanted.current === null) return;
    const link = scroll.current?.querySelector<HTMLElement>(`[data-index="${wanted.current}"] a`);
    if (!link) return;
    wanted.current = null;
    link.focus({ preventScroll: true });
  });

  const onFocus = useCallback((index: number) => {
    setCursor({ index, id: latest.current.at(index)?.id ?? null });
  }, []);
  const onToggle = useCallback(
    (index: number, range: boolean) => {
      const document = latest.current.at(index);
      if (document === undefined) return;
      const from = range && anchor.current !== null ? placeOf(latest.current, anchor.current, total) : null;
      anchor.current = { index, id: document.id };
      if (from === null || from === index) {
        onSelection((before) => withToggled(before, document));
        return;
      }
      readBetween(api, filter, Math.min(from, index), Math.max(from, index)).then(
        (between) => onSelection((before) => withAll(before, between)),
        (error: unknown) => notify({ tone: "bad", title: "Not selected", body: messageOf(error) }),
      );
    },
    [api, filter, total, onSelection],
  );

  const current = cursor ? placeOf(rows, cursor, total) : opened === undefined ? null : rows.find(opened);
  const at = cursor === null ? null : current;
  useEffect(() => {
    if (at !== null)
      setCursor((before) => (before === null || before.index === at ? before : { ...before, index: at }));
  }, [at]);
  const move = (by: number) => {
    const next = current === null ? 0 : Math.max(0, Math.min(total - 1, current + by));
    const id = rows.at(next)?.id ?? null;
    setCursor({ index: next, id });
    wanted.current = next;
    virtualizer.scrollToIndex(Math.floor(next / columns));
    if (opened !== undefined && id !== null) onMove(id);
  };
  useOffer([
    { id: "documents-next", group: "Documents", label: "Next document", keys: "j", run: () => move(1) },
    { id: "documents-previous", group: "Documents", label: "Previous document", keys: "k", run: () => move(-1) },
    ...(mayChange
      ? [
          {
            id: "documents-select",
            group: "Documents",
            label: "Select the document, or not",
            keys: "x",
            run: () => {
              if (current !== null) onToggle(current, false);
            },
          },
        ]
      : []),
  ]);

  const itemAt = (index: number): ItemProps | null => {
    const document = rows.at(index);
    if (document === undefined) return null;
    const { id } = document;
    const onChosen = mayChange ? onToggle : null;
    return { document, index, selected: selection.has(id), opened: id === opened, onToggle: onChosen, onFocus };
  };
  // A row is its document's, wherever that is in the list: others that come must not take the focus over.
  const taken = new Set<string>();
  const keyOf = (index: number): string => {
    const id = rows.at(index)?.id;
    // Pages that were read one after the other may both have it, until they are read anew.
    const key = id === undefined || taken.has(id) ? `at ${index}` : id;
    taken.add(key);
    return key;
  };
  const parts = { total, lines, height: virtualizer.getTotalSize(), itemAt, keyOf };
  return (
    <div ref={scroll} className="min-h-0 flex-1 overflow-auto border-t border-line">
      {view === "grid" ? (
        <GridView {...parts} width={width} columns={columns} />
      ) : (
        <TableView
          {...parts}
          room={room}
          selected={selection.size === 0 ? "none" : selection.size < total ? "some" : "all"}
          onAll={mayChange ? onAll : null}
        />
      )}
    </div>
  );
}

/** Where a document is now: others that came or went have moved it. */
function placeOf(rows: Rows, { index, id }: Place, total: number): number {
  if (id === null || rows.at(index)?.id === id) return Math.min(index, total - 1);
  return rows.find(id) ?? Math.min(index, total - 1);
}
