import { common, createLowlight } from "lowlight";

export const lowlight = createLowlight(common);

/** Extensions and names that highlight.js does not know as aliases of a language. */
const MORE: Record<string, string> = {
  cfg: "ini",
  conf: "ini",
  cts: "typescript",
  csproj: "xml",
  dockerfile: "bash",
  env: "bash",
  gitconfig: "ini",
  gradle: "kotlin",
  hh: "cpp",
  ipynb: "json",
  json5: "javascript",
  jsonc: "javascript",
  jsonl: "json",
  map: "json",
  mdx: "markdown",
  mts: "typescript",
  ndjson: "json",
  profile: "bash",
  pyi: "python",
  pyw: "python",
  qml: "javascript",
  rake: "ruby",
  vue: "xml",
  webmanifest: "json",
  zshrc: "bash",
  bashrc: "bash",
};

/** The language that a name ("python", "ts"), a file name or a path speaks of; null when none is known. */
export function languageOf(hint: string): string | null {
  const base = hint.toLowerCase().split(/[/\\]/).at(-1) ?? "";
  // "Makefile" and "python" are whole words; of "a.test.ts" and ".bashrc" the end counts.
  const word = base.slice(base.lastIndexOf(".") + 1);
  const language = Object.hasOwn(MORE, word) ? MORE[word] : word;
  return language !== undefined && lowlight.registered(language) ? language : null;
}
