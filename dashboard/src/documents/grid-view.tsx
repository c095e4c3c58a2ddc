import type { VirtualItem } from "@tanstack/react-virtual";

import { CARD_HEIGHT, Card } from "./card";
import { Part } from "./part";
import type { ItemProps } from "./row";

const GAP = 12;
export const LINE_HEIGHT = CARD_HEIGHT + GAP;

/** How many cards there is room for side by side; two on a phone. */
export const columnsIn = (width: number): number =>
  Math.max(1, Math.floor((width - 2 * marginIn(width)) / (width < 560 ? 160 : 200)));

const marginIn = (width: number): number => (width < 560 ? GAP : 16);

type GridViewProps = {
  total: number;
  width: number;
  columns: number;
  lines: readonly VirtualItem[];
  height: number;
  itemAt: (index: number) => ItemProps | null;
  keyOf: (index: number) => string;
};

/** Cards, each placed for itself: one that gets another place in another line stays the same, and keeps the focus. */
export function GridView({ total, width, columns, lines, height, itemAt, keyOf }: GridViewProps) {
  const margin = marginIn(width);
  const each = Math.max(0, (width - 2 * margin - (columns - 1) * GAP) / columns);
  const places = lines.flatMap(({ index, start }) =>
    Array.from({ length: Math.min(columns, total - index * columns) }, (_, column) => ({
      index: index * columns + column,
      x: margin + column * (each + GAP),
      y: start + GAP,
    })),
  );
  return (
    <Part role="list" aria-label="Documents" className="relative" style={{ height: height + GAP }}>
      {places.map(({ index, x, y }) => {
        const item = itemAt(index);
        return (
          <div
            key={keyOf(index)}
            role="presentation"
            data-index={index}
            style={{ width: each, height: CARD_HEIGHT, transform: `translate(${x}px, ${y}px)` }}
            className="absolute top-0 left-0 flex"
          >
            {item === null ? <Pending /> : <Card {...item} total={total} />}
          </div>
        );
      })}
    </Part>
  );
}

function Pending() {
  return (
    <Part role="listitem" className="flex-1 rounded-lg border border-line bg-raised">
      <span className="sr-only">Loading …</span>
    </Part>
  );
}
