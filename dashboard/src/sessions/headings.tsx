import { ArrowDown, ArrowUp } from "lucide-react";
import { useEffect, useId, useRef } from "react";

import { cn } from "@/ui/cn";
import { Checkbox } from "@/ui/field";

import { type Column, edgeOf } from "./columns";
import { DEFAULT_SORT, directionOf, type SessionsSearch, type SortKey } from "./search";

/** How high the headings are, in px. */
export const HEADINGS = 36;

type Props = {
  columns: readonly Column[];
  template: string;
  search: SessionsSearch;
  /** How many of those that match are selected, and how many match. */
  selection: { count: number; of: number };
  onSort: (sort: SortKey) => void;
  onSelectAll: () => void;
};

/** The columns' names, which sort by them. */
export function Headings({ columns, template, search, selection, onSort, onSelectAll }: Props) {
  const sorted = search.sort ?? DEFAULT_SORT;
  const direction = directionOf(search);
  const Arrow = direction === "asc" ? ArrowUp : ArrowDown;
  return (
    <thead className="sticky top-0 z-10 block border-b border-line bg-ground">
      <tr
        aria-rowindex={1}
        className={cn("grid items-center", edgeOf(columns))}
        style={{ gridTemplateColumns: template, height: HEADINGS - 1 }}
      >
        {columns.map(({ key, label, figures }) => {
          if (key === "select")
            return (
              <th key={key} scope="col" className="px-1.5">
                <SelectAll selection={selection} onSelectAll={onSelectAll} />
              </th>
            );
          if (key === "stop" || key === "more")
            return (
              <th key={key} scope="col" className="px-1.5">
                <span className="sr-only">{label}</span>
              </th>
            );
          const isSorted = sorted === key;
          return (
            <th
              key={key}
              scope="col"
              aria-sort={isSorted ? (direction === "asc" ? "ascending" : "descending") : "none"}
              className={cn("flex min-w-0", figures && "justify-end")}
            >
              <button
                type="button"
                onClick={() => onSort(key)}
                className={cn(
                  "inline-flex h-7 min-w-0 items-center gap-1 rounded-md px-1.5 text-xs font-medium hover:bg-raised hover:text-ink",
                  isSorted ? "text-ink" : "text-muted",
                  figures && "flex-row-reverse",
                )}
              >
                <span className="truncate">{label}</span>
                {isSorted ? <Arrow className="size-3 shrink-0" aria-hidden /> : null}
              </button>
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

/** Selects all that match, or none. */
function SelectAll({ selection, onSelectAll }: Pick<Props, "selection" | "onSelectAll">) {
  const id = useId();
  const box = useRef<HTMLInputElement>(null);
  const all = selection.count > 0 && selection.count === selection.of;
  const some = selection.count > 0 && !all;
  useEffect(() => {
    if (box.current) box.current.indeterminate = some;
  }, [some]);
  return (
    <label htmlFor={id} className="flex size-7 items-center justify-center">
      <span className="sr-only">Select all that are shown</span>
      <Checkbox id={id} ref={box} checked={all} onChange={onSelectAll} />
    </label>
  );
}
