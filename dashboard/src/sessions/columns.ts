import type { SortKey } from "./search";

export type ColumnKey = Exclude<SortKey, "created"> | "select" | "stop" | "more";

export type Column = {
  key: ColumnKey;
  label: string;
  /** Its width in px; one that grows has at least that. */
  width: number;
  grow?: number;
  /** Figures are aligned at their end. */
  figures?: true;
  /** With little room, columns are left out from the largest number on; those without one always stay. */
  spare?: number;
};

const COLUMNS: readonly Column[] = [
  { key: "select", label: "Select", width: 40 },
  { key: "name", label: "Name", width: 170, grow: 4 },
  { key: "agent", label: "Agent", width: 88, grow: 2, spare: 4 },
  { key: "project", label: "Project", width: 88, grow: 2, spare: 5 },
  { key: "status", label: "Status", width: 98 },
  { key: "presence", label: "Presence", width: 102, spare: 1 },
  { key: "duration", label: "Duration", width: 90, figures: true, spare: 2 },
  { key: "activity", label: "Last activity", width: 104, figures: true, spare: 3 },
  { key: "events", label: "Events", width: 78, figures: true, spare: 6 },
  { key: "tokens", label: "Tokens", width: 82, figures: true, spare: 8 },
  { key: "cost", label: "Cost", width: 70, figures: true, spare: 7 },
  { key: "stop", label: "Stop", width: 122 },
  { key: "more", label: "More", width: 40 },
];

/** Below this many px, a row is a card of two lines. */
export const CARDS_BELOW = 600;

/** What stands before the first column where there is nothing to select, in px; as the class `pl-2.5`. */
const EDGE = 10;

/** Columns that are there to change something. */
const CHANGING: ReadonlySet<ColumnKey> = new Set(["select", "stop"]);

/**
 * The columns that there is room for. Under headings by project, the project needs none of its own.
 *
 * @param mayChange whether those that change something are wanted.
 */
export function columnsFor(width: number, grouped: boolean, mayChange: boolean): readonly Column[] {
  const columns = COLUMNS.filter(({ key }) => !(grouped && key === "project") && (mayChange || !CHANGING.has(key)));
  const needed = () => columns.reduce((sum, column) => sum + column.width, mayChange ? 0 : EDGE);
  while (needed() > width) {
    const last = columns.reduce((most, column) => ((column.spare ?? 0) > (most.spare ?? 0) ? column : most));
    if (last.spare === undefined) break;
    columns.splice(columns.indexOf(last), 1);
  }
  return columns;
}

/** The class of a row of these columns, so that its first is not at the very edge. */
export const edgeOf = (columns: readonly Column[]): string => (columns[0]?.key === "select" ? "" : "pl-2.5");

/** The columns as `grid-template-columns`. */
export const templateOf = (columns: readonly Column[]): string =>
  columns.map(({ width, grow }) => (grow ? `minmax(${width}px, ${grow}fr)` : `${width}px`)).join(" ");

/** What the list can be sorted by, where there are no headings to press. */
export const SORT_LABELS: readonly { sort: SortKey; label: string }[] = [
  { sort: "created", label: "Newest" },
  { sort: "activity", label: "Last activity" },
  { sort: "name", label: "Name" },
  { sort: "status", label: "Status" },
  { sort: "agent", label: "Agent" },
  { sort: "project", label: "Project" },
  { sort: "duration", label: "Duration" },
  { sort: "events", label: "Events" },
  { sort: "tokens", label: "Tokens" },
  { sort: "cost", label: "Cost" },
];
