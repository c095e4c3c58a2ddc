/** A line of the tree. `id` names the place in the value, and stays when what is around it opens or closes. */
export type JsonRow = {
  id: string;
  depth: number;
  /** A key, an index, or what the whole is called; null where there is nothing to say. */
  label: string | null;
  kind: "object" | "array" | "string" | "number" | "boolean" | "null" | "more";
  value: unknown;
  /** Whether it is open; null where there is nothing to open. */
  open: boolean | null;
  /** How many entries it has; of "more": how many are not shown yet. */
  size: number;
  /** Where it stands among its siblings, from 1, and how many they are. */
  position: number;
  siblings: number;
  parent: string | null;
};

export type JsonView = {
  /** What somebody opened or closed; everything else follows its depth. */
  opened: ReadonlyMap<string, boolean>;
  /** How many entries are shown where it is not SLICE. */
  shown: ReadonlyMap<string, number>;
};

export const EMPTY_VIEW: JsonView = { opened: new Map(), shown: new Map() };

/** How many entries are shown at once, and more at each asking. */
export const SLICE = 100;
/** Levels that are open from the start, below the first if they have no more entries than this. */
const OPEN_LEVELS = 2;
const MOST_OPENED = 20;
/** Of what is shown of a closed list or object, in characters, and of one string in it. */
const GIST = 72;
const GIST_STRING = 32;
/** Strings that are longer, in characters or lines, are folded to their beginning. */
const LONGEST = 240;
const MOST_LINES = 8;

type Place = Pick<JsonRow, "id" | "depth" | "label" | "value" | "position" | "siblings" | "parent">;

/** The lines that are to be seen, from the top. */
export function rowsOf(value: unknown, label: string | null, view: JsonView): JsonRow[] {
  const rows: JsonRow[] = [];
  const waiting: (Place | JsonRow)[] = [{ id: "$", depth: 0, label, value, position: 1, siblings: 1, parent: null }];
  for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
    if ("kind" in place) {
      rows.push(place);
      continue;
    }
    const row = rowAt(place, view);
    rows.push(row);
    if (row.open && (row.kind === "object" || row.kind === "array")) waiting.push(...childrenOf(row, view).reverse());
  }
  return rows;
}

/** The view with this line opened if it was closed, closed if it was open, and more shown if it is a "more". */
export function toggled(view: JsonView, row: JsonRow): JsonView {
  if (row.kind === "more" && row.parent !== null) {
    const shown = new Map(view.shown);
    shown.set(row.parent, (shown.get(row.parent) ?? SLICE) + SLICE);
    return { ...view, shown };
  }
  if (row.open === null) return view;
  return { ...view, opened: new Map(view.opened).set(row.id, !row.open) };
}

/** The beginning of a folded string. */
export function beginningOf(text: string): string {
  const lines = text.slice(0, LONGEST).split("\n");
  return lines.slice(0, MOST_LINES).join("\n");
}

/** What a closed list or object has in it, as far as there is room: `{ name: "Bash", args: {…}, … }`. */
export function gistOf(value: object): string {
  const isList = Array.isArray(value);
  if (isList && value.length > 1 && typeof value[0] === "object") return `[ ${scalarGist(value[0])}, … ]`;
  const parts: string[] = [];
  let length = 0;
  for (const key in value) {
    if (!Object.hasOwn(value, key)) continue;
    const inner = scalarGist((value as Record<string, unknown>)[key]);
    const part = isList ? inner : `${key.slice(0, GIST_STRING)}: ${inner}`;
    if (length + part.length > GIST) {
      parts.push("…");
      break;
    }
    length += part.length + 2;
    parts.push(part);
  }
  return isList ? `[ ${parts.join(", ")} ]` : `{ ${parts.join(", ")} }`;
}

function scalarGist(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "[]" : "[…]";
  if (typeof value === "object" && value !== null) return "{…}";
  if (typeof value !== "string") return String(value);
  const line = value.slice(0, GIST_STRING).split("\n")[0] ?? "";
  return line.length < value.length ? `"${line}…"` : `"${line}"`;
}

function isOpenedFirst(depth: number, size: number): boolean {
  return depth === 0 || (depth < OPEN_LEVELS && size <= MOST_OPENED);
}

function rowAt(place: Place, view: JsonView): JsonRow {
  const { value } = place;
  if (typeof value === "string") {
    const isLong = beginningOf(value).length < value.length;
    return { ...place, kind: "string", size: value.length, open: isLong ? (view.opened.get(place.id) ?? false) : null };
  }
  if (typeof value === "object" && value !== null) {
    const size = Array.isArray(value) ? value.length : Object.keys(value).length;
    const open = size === 0 ? null : (view.opened.get(place.id) ?? isOpenedFirst(place.depth, size));
    return { ...place, kind: Array.isArray(value) ? "array" : "object", size, open };
  }
  const kind = typeof value === "number" ? "number" : typeof value === "boolean" ? "boolean" : "null";
  return { ...place, kind, size: 0, open: null };
}

function childrenOf(row: JsonRow, view: JsonView): (Place | JsonRow)[] {
  const container = row.value as Record<string, unknown> | unknown[];
  const shown = Math.min(view.shown.get(row.id) ?? SLICE, row.size);
  const keys = Array.isArray(container)
    ? Array.from({ length: shown }, (_, index) => String(index))
    : Object.keys(container).slice(0, shown);
  const siblings = shown < row.size ? shown + 1 : row.size;
  const common = { depth: row.depth + 1, siblings, parent: row.id };
  const children: (Place | JsonRow)[] = keys.map((key, index) => ({
    ...common,
    id: `${row.id}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`,
    label: key,
    value: (container as Record<string, unknown>)[key],
    position: index + 1,
  }));
  if (shown < row.size) {
    const size = row.size - shown;
    children.push({
      ...common,
      id: `${row.id}//more`,
      label: null,
      value: null,
      position: siblings,
      kind: "more",
      size,
      open: null,
    });
  }
  return children;
}
