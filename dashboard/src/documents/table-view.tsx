import type { VirtualItem } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";

import { cn } from "@/ui/cn";
import { Checkbox } from "@/ui/field";

import { Part } from "./part";
import { COLUMNS, COLUMNS_TO_READ, type ItemProps, ROW_HEIGHT, type Room, Row } from "./row";

/** The header's height, which stays in sight; on a phone there is none to be seen. */
export const headerHeight = (room: Room): number => (room === "narrow" ? 0 : 32);

type TableViewProps = {
  total: number;
  room: Room;
  lines: readonly VirtualItem[];
  height: number;
  /** What is known of a row; null until it has been read. */
  itemAt: (index: number) => ItemProps | null;
  keyOf: (index: number) => string;
  selected: "none" | "some" | "all";
  /** Chooses all, or none; null where there is nothing to choose them for. */
  onAll: (() => void) | null;
};

export function TableView({ total, room, lines, height, itemAt, keyOf, selected, onAll }: TableViewProps) {
  return (
    <Part role="table" aria-label="Documents" aria-rowcount={total + 1} className="min-w-0">
      <Part role="rowgroup" className={room === "narrow" ? "sr-only" : "sticky top-0 z-20"}>
        <Header room={room} selected={selected} onAll={onAll} />
      </Part>
      <Part role="rowgroup" className="relative" style={{ height }}>
        {lines.map((line) => {
          const item = itemAt(line.index);
          return (
            <div
              key={keyOf(line.index)}
              role="presentation"
              data-index={line.index}
              style={{ height: ROW_HEIGHT[room], transform: `translateY(${line.start - headerHeight(room)}px)` }}
              className="absolute inset-x-0 top-0"
            >
              {item === null ? <Pending index={line.index} /> : <Row {...item} room={room} />}
            </div>
          );
        })}
      </Part>
    </Part>
  );
}

function Header({ room, selected, onAll }: Pick<TableViewProps, "room" | "selected" | "onAll">) {
  const heading = "truncate text-left text-xs font-medium text-muted";
  return (
    <Part
      role="row"
      aria-rowindex={1}
      className={cn(
        "grid h-8 items-center border-b border-line bg-ground pr-3",
        (onAll === null ? COLUMNS_TO_READ : COLUMNS)[room],
      )}
    >
      {onAll === null ? null : (
        <Part role="columnheader" className="grid w-9 place-items-center">
          <span className="sr-only">Selected</span>
          {room === "narrow" ? null : (
            <Checkbox
              ref={(box) => {
                if (box !== null) box.indeterminate = selected === "some";
              }}
              checked={selected === "all"}
              onChange={onAll}
              aria-label="Select all documents"
            />
          )}
        </Part>
      )}
      <Part role="columnheader" className={heading}>
        Name
      </Part>
      {room === "narrow" ? null : (
        <>
          <Part role="columnheader" className={cn(heading, "pl-3")}>
            Tags
          </Part>
          {room === "wide" ? (
            <Part role="columnheader" className={cn(heading, "pl-3")}>
              Type
            </Part>
          ) : null}
          <Part role="columnheader" className={cn(heading, "text-right")}>
            Size
          </Part>
          <Part
            role="columnheader"
            aria-sort="descending"
            className={cn(heading, "flex items-center justify-end gap-1")}
          >
            Added
            <ArrowDown className="size-3" aria-hidden />
          </Part>
        </>
      )}
    </Part>
  );
}

function Pending({ index }: { index: number }) {
  return (
    <Part role="row" aria-rowindex={index + 2} className="flex h-full items-center border-b border-line pl-11">
      <Part role="cell" className="h-3 w-1/3 rounded bg-raised">
        <span className="sr-only">Loading …</span>
      </Part>
    </Part>
  );
}
