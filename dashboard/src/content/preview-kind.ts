import { languageOf } from "./language";

/** How a document is shown. */
export type Preview =
  | { kind: "markdown" | "text" | "json" | "html" | "pdf" | "none" }
  | { kind: "code"; language: string }
  | { kind: "table"; delimiter: "," | "\t" }
  /** `type` is what the browser is told it is, whatever the document says of itself. */
  | { kind: "image"; type: string };

const IMAGES: Record<string, string> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  avif: "image/avif",
  svg: "image/svg+xml",
};

const BY_EXTENSION: Record<string, Preview> = {
  md: { kind: "markdown" },
  markdown: { kind: "markdown" },
  txt: { kind: "text" },
  text: { kind: "text" },
  log: { kind: "text" },
  json: { kind: "json" },
  geojson: { kind: "json" },
  ipynb: { kind: "json" },
  csv: { kind: "table", delimiter: "," },
  tsv: { kind: "table", delimiter: "\t" },
  pdf: { kind: "pdf" },
  html: { kind: "html" },
  htm: { kind: "html" },
  xhtml: { kind: "html" },
};

const BY_TYPE: Record<string, Preview> = {
  "text/markdown": { kind: "markdown" },
  "text/x-markdown": { kind: "markdown" },
  "text/html": { kind: "html" },
  "application/xhtml+xml": { kind: "html" },
  "application/json": { kind: "json" },
  "application/x-ndjson": { kind: "code", language: "json" },
  "application/jsonl": { kind: "code", language: "json" },
  "text/csv": { kind: "table", delimiter: "," },
  "text/tab-separated-values": { kind: "table", delimiter: "\t" },
  "application/pdf": { kind: "pdf" },
};

/** Types that say nothing but how the document was sent. */
const VAGUE = new Set(["", "application/octet-stream", "binary/octet-stream", "text/plain", "application/x-unknown"]);

/** Decides by the content type, and by the file name's extension where that says nothing. */
export function previewOf(contentType: string, filename: string): Preview {
  const type = (contentType.split(";")[0] ?? "").trim().toLowerCase();
  if (VAGUE.has(type)) return byName(filename) ?? { kind: type === "text/plain" ? "text" : "none" };
  const known = Object.hasOwn(BY_TYPE, type) ? BY_TYPE[type] : undefined;
  if (known !== undefined) return known;
  if (type.startsWith("image/")) {
    const image = Object.values(IMAGES).find((one) => one === type);
    return image === undefined ? { kind: "none" } : { kind: "image", type: image };
  }
  if (type.endsWith("+json")) return { kind: "json" };
  if (type.endsWith("+xml") || type === "application/xml" || type === "text/xml")
    return { kind: "code", language: "xml" };
  const language = languageOf(type.replace(/^.*\/(?:x-)?/, ""));
  if (language !== null) return { kind: "code", language };
  if (type.startsWith("text/")) return byName(filename) ?? { kind: "text" };
  return { kind: "none" };
}

function byName(filename: string): Preview | null {
  const base = filename.toLowerCase();
  const extension = base.includes(".") ? base.slice(base.lastIndexOf(".") + 1) : "";
  const image = Object.hasOwn(IMAGES, extension) ? IMAGES[extension] : undefined;
  if (image !== undefined) return { kind: "image", type: image };
  const known = Object.hasOwn(BY_EXTENSION, extension) ? BY_EXTENSION[extension] : undefined;
  if (known !== undefined) return known;
  const language = languageOf(filename);
  return language === null ? null : { kind: "code", language };
}

/** Whether it is shown as text, and so has to be decoded. */
export const isText = (preview: Preview): boolean => !["image", "pdf", "none"].includes(preview.kind);

const MB = 1_000_000;

/** What is larger is loaded only when somebody says so. In bytes. */
export const limitOf = (preview: Preview): number => (isText(preview) ? 5 * MB : 50 * MB);
