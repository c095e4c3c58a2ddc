/** What a document is, as far as it matters for its icon. */
export type Kind = "image" | "text" | "code" | "data" | "table" | "pdf" | "archive" | "other";

const EXTENSIONS: readonly (readonly [Kind, string])[] = [
  ["text", "md markdown txt log"],
  ["data", "json jsonl yaml yml toml xml"],
  ["table", "csv tsv xlsx"],
  ["pdf", "pdf"],
  ["archive", "zip gz tar tgz zst"],
  ["code", "html css js ts tsx py rs go java c h cpp sh sql diff patch"],
];
// A map, since an extension is whatever somebody has written: "constructor" is no property of it.
const BY_EXTENSION = new Map(EXTENSIONS.flatMap(([kind, all]) => all.split(" ").map((one) => [one, kind] as const)));

/** Browsers name few types well, so the extension counts before a type that says little. */
export function kindOf(contentType: string, filename: string): Kind {
  const type = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (type.startsWith("image/")) return "image";
  if (type === "application/pdf") return "pdf";
  const extension = /\.([A-Za-z0-9]+)$/.exec(filename)?.[1]?.toLowerCase() ?? "";
  const known = BY_EXTENSION.get(extension);
  if (known !== undefined) return known;
  if (type.endsWith("json")) return "data";
  if (type === "text/csv") return "table";
  return type.startsWith("text/") ? "text" : "other";
}

/** Pictures that are small enough to be read for a card, and of a type that the browser draws. */
const LARGEST_THUMBNAIL = 2_000_000;
const DRAWN = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);

export function hasThumbnail(document: { content_type: string; size_bytes: number }): boolean {
  return DRAWN.has(document.content_type.toLowerCase()) && document.size_bytes <= LARGEST_THUMBNAIL;
}
