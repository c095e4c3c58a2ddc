import { createElement, Fragment, type ReactNode } from "react";

import { lowlight } from "./language";
import { textOf } from "./tree";

type Tree = ReturnType<typeof lowlight.highlight>;

/** What is nested deeper keeps the colour of what it is in: a text can open more than it closes. */
const DEEPEST = 50;

/** The text as elements with highlight.js's class names, which content/highlight.css colours. */
export function highlighted(text: string, language: string): ReactNode {
  return lowlight.highlight(language, text).children.map((node, index) => toElement(node, index, 0));
}

function toElement(node: Tree["children"][number], index: number, depth: number): ReactNode {
  if (node.type === "text") return createElement(Fragment, { key: index }, node.value);
  if (node.type !== "element") return null;
  const names = node.properties.className;
  const inside = depth < DEEPEST ? node.children.map((child, at) => toElement(child, at, depth + 1)) : textOf(node);
  return createElement("span", { key: index, className: Array.isArray(names) ? names.join(" ") : undefined }, inside);
}
