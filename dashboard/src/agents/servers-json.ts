import { jsonLanguage } from "@codemirror/lang-json";
import type { SyntaxNode, Tree } from "@lezer/common";

import { checkServers, isObject, type Problem } from "./rules";
import { type ServersObject, unwrapped } from "./servers";

/** Something wrong in a text: from where to where, and what. Lines and columns are counted from 1. */
export type PlacedProblem = { from: number; to: number; line: number; column: number; message: string };

export type ReadServers = { servers: ServersObject; problems: readonly PlacedProblem[] };

let latest: { text: string; read: ReadServers } | null = null;

/** Reads the MCP servers from JSON, and says where it can't be read and where it is not what the server takes. */
export function readServers(text: string): ReadServers {
  // Each key that is pressed asks several times for the same text.
  if (latest?.text !== text) latest = { text, read: read(text) };
  return latest.read;
}

function read(text: string): ReadServers {
  if (text.trim() === "") return { servers: {}, problems: [] };
  const tree = jsonLanguage.parser.parse(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { servers: {}, problems: [unreadable(tree, text)] };
  }
  if (!isObject(value)) {
    const message = 'This has to be an object: { "name": { "command": … } }.';
    return { servers: {}, problems: [placed(text, 0, text.length, message)] };
  }
  const { servers, path } = unwrapped(value);
  const wrong = checkServers(servers).map((problem) => atItsPlace(tree, text, path, problem));
  return { servers, problems: [...twice(tree, text), ...wrong].sort((one, other) => one.from - other.from) };
}

/** A problem with its place in words. */
export const inWords = (problem: PlacedProblem): string =>
  `Line ${problem.line}, column ${problem.column}: ${problem.message}`;

function unreadable(tree: Tree, text: string): PlacedProblem {
  const cursor = tree.cursor();
  do {
    if (cursor.type.isError) break;
  } while (cursor.next());
  // What the tree takes and JSON does not, such as a control character in a text, has no node of its own.
  if (!cursor.type.isError) return placed(text, 0, text.length, "This is not JSON.");
  const from = cursor.from + (/^\s*/.exec(text.slice(cursor.from))?.[0].length ?? 0);
  if (from >= text.length) return placed(text, text.trimEnd().length, text.length, "The text ends too early.");
  const found = String.fromCodePoint(text.codePointAt(from) ?? 0);
  return placed(text, from, from + found.length, `“${found}” is not expected here.`);
}

function placed(text: string, from: number, to: number, message: string): PlacedProblem {
  const before = text.slice(0, from).split("\n");
  return { from, to, line: before.length, column: (before.at(-1)?.length ?? 0) + 1, message };
}

function atItsPlace(tree: Tree, text: string, prefix: readonly string[], problem: Problem): PlacedProblem {
  const { from, to } = placeOf(tree, text, [...prefix, ...problem.path]);
  return placed(text, from, to, problem.message);
}

/** Where a value stands; where it is missing, the name of what it is missing in. */
function placeOf(tree: Tree, text: string, path: Problem["path"]): { from: number; to: number } {
  let value = tree.topNode.firstChild;
  let place: { from: number; to: number } = { from: 0, to: text.length };
  for (const step of path) {
    const child = value === null ? null : childAt(value, text, step);
    if (child === null) return place;
    place = child.name ?? child.value;
    value = child.value;
  }
  // A problem with a whole object or list is marked at its name: a screenful of red says nothing.
  return value !== null && !["Object", "Array"].includes(value.name) ? value : place;
}

type Child = { name: SyntaxNode | null; value: SyntaxNode };

function childAt(node: SyntaxNode, text: string, step: string | number): Child | null {
  if (node.name === "Array" && typeof step === "number") {
    const value = valuesIn(node)[step];
    return value === undefined ? null : { name: null, value };
  }
  // Of two with one name the last counts.
  const property = node.getChildren("Property").findLast((one) => nameOf(one, text) === String(step));
  const value = property?.lastChild;
  return property && value ? { name: property.firstChild, value } : null;
}

function valuesIn(array: SyntaxNode): SyntaxNode[] {
  const values = [];
  for (let child = array.firstChild; child !== null; child = child.nextSibling)
    if (/^[A-Z]/.test(child.name)) values.push(child);
  return values;
}

function nameOf(property: SyntaxNode, text: string): string {
  const node = property.firstChild;
  return node === null ? "" : String(JSON.parse(text.slice(node.from, node.to)));
}

/** Names that an object has twice: all but the last would be lost without a word. */
function twice(tree: Tree, text: string): PlacedProblem[] {
  const problems: PlacedProblem[] = [];
  tree.iterate({
    enter: (at) => {
      if (at.name !== "Object") return;
      const seen = new Set<string>();
      for (const property of at.node.getChildren("Property")) {
        const key = nameOf(property, text);
        const { from, to } = property.firstChild ?? property;
        if (seen.has(key)) problems.push(placed(text, from, to, `“${key}” is there twice.`));
        seen.add(key);
      }
    },
  });
  return problems;
}
