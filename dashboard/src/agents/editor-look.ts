import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

/** The editor in the page's colours, which follow the theme by themselves. */
const look = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--surface)", fontSize: "0.8125rem" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "1.55", overflow: "auto" },
  ".cm-content": { caretColor: "var(--ink)", padding: "0.5rem 0" },
  ".cm-line": { padding: "0 0.625rem" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "& .cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent-fill) 30%, transparent)",
  },
  ".cm-placeholder": { color: "var(--muted)" },
  ".cm-specialChar": { color: "var(--bad)" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--muted)", border: "none" },
  ".cm-tooltip": {
    backgroundColor: "var(--surface)",
    color: "var(--ink)",
    border: "1px solid var(--line)",
    borderRadius: "0.375rem",
    boxShadow: "var(--shadow)",
  },
  ".cm-diagnostic": { fontFamily: "var(--font-sans)", padding: "0.375rem 0.625rem" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--bad)" },
  ".cm-lintRange-error": {
    backgroundImage: "none",
    textDecoration: "underline wavy var(--bad)",
    textUnderlineOffset: "0.2em",
  },
});

const colours = HighlightStyle.define([
  { tag: tags.propertyName, color: "var(--kind-5)" },
  { tag: tags.string, color: "var(--kind-2)" },
  { tag: tags.number, color: "var(--kind-3)" },
  { tag: [tags.bool, tags.null], color: "var(--kind-1)" },
  { tag: tags.heading, fontWeight: "600" },
  { tag: tags.emphasis, fontStyle: "italic" },
  { tag: tags.strong, fontWeight: "600" },
  { tag: tags.strikethrough, textDecoration: "line-through" },
  { tag: [tags.link, tags.url], color: "var(--accent)" },
  { tag: tags.monospace, color: "var(--kind-2)" },
  { tag: [tags.quote, tags.processingInstruction, tags.meta], color: "var(--muted)" },
]);

export const editorLook: Extension = [look, syntaxHighlighting(colours)];

/** How tall an editor is at least, with room to click into; and at most, before it scrolls in itself. */
export const tall = (least: string, most: string): Extension =>
  EditorView.theme({ ".cm-content": { minHeight: least }, ".cm-scroller": { maxHeight: most } });
