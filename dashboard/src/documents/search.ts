import { isTag } from "./tags";

export type View = "table" | "grid";

/** What the address says of the page; what is left out is at its default. */
export type DocumentsSearch = {
  /** Part of the file name, or a pattern. */
  q?: string;
  /** Documents have all of them. */
  tags?: string[];
  view?: "grid";
  /** The id of the document that is open. */
  doc?: string;
};

/** As long as the server takes a name to search for. */
export const LONGEST_QUERY = 255;
/** The server takes 8192 characters of tags. */
const MOST_TAGS = 100;

/** Reads the address; what it does not know, or can't be, is dropped. */
export function readDocumentsSearch(raw: Record<string, unknown>): DocumentsSearch {
  const search: DocumentsSearch = {};
  // A number that somebody typed into the address by hand comes as one.
  const q = typeof raw.q === "number" ? String(raw.q) : raw.q;
  if (typeof q === "string" && q.trim() !== "") search.q = q.slice(0, LONGEST_QUERY);
  const tags = readTags(raw.tags);
  if (tags.length > 0) search.tags = tags;
  if (raw.view === "grid") search.view = "grid";
  if (typeof raw.doc === "string" && /^[0-9a-f]{32}$/.test(raw.doc)) search.doc = raw.doc;
  return search;
}

function readTags(raw: unknown): string[] {
  const listed = Array.isArray(raw) ? raw : typeof raw === "string" ? raw.split(",") : [raw];
  const tags = listed.map((tag) => (typeof tag === "number" ? String(tag) : tag));
  return [...new Set(tags.filter((tag): tag is string => typeof tag === "string" && isTag(tag)))].slice(0, MOST_TAGS);
}

/** The tags with one more, or one less. */
export function toggled(tags: readonly string[], tag: string): string[] {
  return tags.includes(tag) ? tags.filter((one) => one !== tag) : [...tags, tag];
}
