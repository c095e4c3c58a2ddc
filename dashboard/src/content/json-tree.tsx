import { ChevronRight } from "lucide-react";
import { type KeyboardEvent, memo, useCallback, useEffect, useId, useMemo, useRef, useState } from "react";

import { whole } from "@/format/numbers";
import { cn } from "@/ui/cn";
import { CopyButton } from "@/ui/copy-button";

import { visible } from "./control-characters";
import { beginningOf, EMPTY_VIEW, gistOf, type JsonRow, rowsOf, SLICE, toggled } from "./json-rows";
import { jsonText } from "./json-text";

/** Deeper levels are not indented further, so that they stay on the page. */
const DEEPEST_INDENT = 12;
/** So many entries are seen at a glance, and need no count. */
const FEW = 3;
/** Of an opened string. In characters. */
const MOST_OF_A_STRING = 100_000;

/** A JSON value to look into. Arrow keys move and open; `label` says what it is. */
export const JsonTree = memo(function JsonTree({ value, label }: { value: unknown; label?: string }) {
  const [view, setView] = useState(EMPTY_VIEW);
  const [focused, setFocused] = useState("$");
  const [hovered, setHovered] = useState<string | null>(null);
  const tree = useRef<HTMLDivElement>(null);
  const follows = useRef(false);
  const name = useId();
  const rows = useMemo(() => rowsOf(value, label ?? null, view), [value, label, view]);
  const at = Math.max(
    rows.findIndex((row) => row.id === focused),
    0,
  );
  const current = rows[at];

  useEffect(() => {
    if (!follows.current) return;
    follows.current = false;
    const element = tree.current?.children[at];
    if (element instanceof HTMLElement) element.focus();
  }, [at]);

  const moveTo = (row: JsonRow | undefined) => {
    if (row === undefined || row.id === current?.id) return;
    follows.current = true;
    setFocused(row.id);
  };
  const toggle = useCallback((row: JsonRow) => {
    setFocused(row.id);
    setView((before) => toggled(before, row));
  }, []);
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    if (current === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLElement && event.target.closest("button") !== null) return;
    if (event.key === "ArrowDown") moveTo(rows[at + 1]);
    else if (event.key === "ArrowUp") moveTo(rows[at - 1]);
    else if (event.key === "Home") moveTo(rows[0]);
    else if (event.key === "End") moveTo(rows.at(-1));
    else if (event.key === "ArrowRight") {
      if (current.open === false) toggle(current);
      else if (current.open && current.kind !== "string") moveTo(rows[at + 1]);
    } else if (event.key === "ArrowLeft") {
      if (current.open) toggle(current);
      else moveTo(rows.find((row) => row.id === current.parent));
    } else if (event.key === "Enter" || event.key === " ") toggle(current);
    else return;
    event.preventDefault();
    // The page has the same keys for its own list.
    event.stopPropagation();
  };

  return (
    <div
      ref={tree}
      role="tree"
      aria-label={label ?? "JSON"}
      onKeyDown={onKeyDown}
      onMouseLeave={() => setHovered(null)}
      className="min-w-0 rounded-md border border-line bg-raised py-1 font-mono text-xs leading-5"
    >
      {rows.map((row, index) => (
        <Row
          // A row that is opened is another object, and the same place.
          key={row.id}
          row={row}
          name={`${name}-${index}`}
          isTabStop={index === at}
          isCurrent={row.id === hovered || row.id === current?.id}
          onToggle={toggle}
          onFocus={setFocused}
          onHover={setHovered}
        />
      ))}
    </div>
  );
});

type RowProps = {
  row: JsonRow;
  name: string;
  isTabStop: boolean;
  /** Under the pointer, or focused: it can be copied. */
  isCurrent: boolean;
  onToggle: (row: JsonRow) => void;
  onFocus: (id: string) => void;
  onHover: (id: string) => void;
};

const Row = memo(function Row({ row, name, isTabStop, isCurrent, onToggle, onFocus, onHover }: RowProps) {
  const acts = row.open !== null || row.kind === "more";
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree handles the keys of all its items
    <div
      role="treeitem"
      aria-level={row.depth + 1}
      aria-posinset={row.position}
      aria-setsize={row.siblings}
      aria-labelledby={name}
      {...(row.open === null ? {} : { "aria-expanded": row.open })}
      tabIndex={isTabStop ? 0 : -1}
      onFocus={() => onFocus(row.id)}
      onMouseEnter={() => onHover(row.id)}
      onClick={(event) => {
        if (acts && !isSelecting() && !(event.target instanceof Element && event.target.closest("button")))
          onToggle(row);
      }}
      style={{ paddingInlineStart: `${0.25 + Math.min(row.depth, DEEPEST_INDENT) * 0.875}rem` }}
      className={cn(
        "relative flex min-h-6 items-start py-0.5 pr-9 hover:bg-line/40 focus-visible:-outline-offset-2",
        acts && "cursor-pointer",
      )}
    >
      <ChevronRight
        aria-hidden
        className={cn("mt-0.5 size-4 shrink-0 text-muted", row.open && "rotate-90", row.open === null && "invisible")}
      />
      <span id={name} className="wrap-anywhere min-w-0 whitespace-pre-wrap">
        {row.label === null ? null : <span className="text-muted">{visible(clipped(row.label))}: </span>}
        <Value row={row} />
      </span>
      {isCurrent && row.kind !== "more" ? (
        <span className="absolute top-0 right-1 rounded bg-raised [&_button]:h-6">
          <CopyButton
            text={() => (typeof row.value === "string" ? row.value : jsonText(row.value))}
            label="Copy value"
          />
        </span>
      ) : null}
    </div>
  );
});

function Value({ row }: { row: JsonRow }) {
  switch (row.kind) {
    case "object":
    case "array":
      return <Container row={row} />;
    case "more":
      return (
        <span className="text-accent underline">
          Show {whole(Math.min(SLICE, row.size))} more of {whole(row.size)}
        </span>
      );
    case "string":
      return <Text value={String(row.value)} open={row.open} />;
    case "null":
      return <span className="text-muted">{String(row.value)}</span>;
    default:
      return <span className="text-warn">{String(row.value)}</span>;
  }
}

/** Open, it says how much is in it; closed, what. */
function Container({ row }: { row: JsonRow }) {
  const isList = row.kind === "array";
  if (row.size === 0) return <span className="text-muted">{isList ? "[]" : "{}"}</span>;
  const count = isList ? counted(row.size, "item", "items") : counted(row.size, "key", "keys");
  if (row.open) return <span className="text-muted">{count}</span>;
  return (
    <span className="text-muted">
      {visible(gistOf(row.value as object))}
      {row.size > FEW ? ` ${count}` : ""}
    </span>
  );
}

/** A string. One that has lines is shown as lines, without quotes, below its key. */
function Text({ value, open }: { value: string; open: boolean | null }) {
  const shown = visible(open === false ? beginningOf(value) : value.slice(0, MOST_OF_A_STRING));
  const folded = value.length - (open === false ? beginningOf(value).length : Math.min(value.length, MOST_OF_A_STRING));
  const hasLines = shown.includes("\n");
  return (
    <>
      <span className={cn("text-good", hasLines && "mt-0.5 block border-l-2 border-line pl-2")}>
        {hasLines ? shown : `"${shown}${folded > 0 ? "" : '"'}`}
      </span>
      {folded > 0 ? (
        <span className="text-muted"> … {counted(folded, "more character", "more characters")}</span>
      ) : null}
    </>
  );
}

const counted = (count: number, one: string, many: string): string => `${whole(count)} ${count === 1 ? one : many}`;
const clipped = (label: string): string => (label.length > 200 ? `${label.slice(0, 200)}…` : label);

/** A drag that selects text ends in a click, too. */
function isSelecting(): boolean {
  return window.getSelection()?.isCollapsed === false;
}
