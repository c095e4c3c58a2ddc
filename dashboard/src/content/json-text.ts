/** Indentation grows with the square of the depth, and `JSON.stringify` needs the call stack. */
const DEEPEST_INDENTED = 100;

/** A value as JSON: indented, unless it is nested so deeply that nobody could read it anyway. */
export function jsonText(value: unknown): string {
  return isDeeper(value, DEEPEST_INDENTED) ? compactJsonText(value) : (JSON.stringify(value, null, 2) ?? String(value));
}

/** Level by level, so that the call stack does not matter. */
function isDeeper(root: unknown, levels: number): boolean {
  let level = [root];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > levels) return true;
    level = level.flatMap((value) =>
      typeof value === "object" && value !== null ? Object.values(value).filter(isContainer) : [],
    );
  }
  return false;
}

const isContainer = (value: unknown): boolean => typeof value === "object" && value !== null;

type Step = { text: string } | { value: unknown };

function compactJsonText(root: unknown): string {
  const parts: string[] = [];
  const waiting: Step[] = [{ value: root }];
  for (let step = waiting.pop(); step !== undefined; step = waiting.pop()) {
    if ("text" in step) {
      parts.push(step.text);
      continue;
    }
    const { value } = step;
    if (typeof value !== "object" || value === null) {
      parts.push(JSON.stringify(value) ?? "null");
      continue;
    }
    const entries = Object.entries(value);
    const isList = Array.isArray(value);
    parts.push(isList ? "[" : "{");
    waiting.push({ text: isList ? "]" : "}" });
    for (let index = entries.length - 1; index >= 0; index -= 1) {
      const [key, child] = entries[index] ?? ["", null];
      waiting.push({ value: child }, { text: (index > 0 ? "," : "") + (isList ? "" : `${JSON.stringify(key)}:`) });
    }
  }
  return parts.join("");
}
