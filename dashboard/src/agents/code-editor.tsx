import { Annotation, Compartment, EditorState, type Extension } from "@codemirror/state";
import { EditorView, placeholder as placeholderText } from "@codemirror/view";
import { minimalSetup } from "codemirror";
import { getNonce } from "get-nonce";
import { useEffect, useRef } from "react";

import { cn } from "@/ui/cn";

import { editorLook } from "./editor-look";

/** Marks what the page put into the editor, as opposed to what was typed. */
const fromPage = Annotation.define<true>();

type CodeEditorProps = {
  /** The id of what the editor is called. */
  labelledBy: string;
  describedBy?: string | undefined;
  invalid?: boolean;
  value: string;
  onChange: (value: string) => void;
  /** The language and what belongs to it; taken once, when the editor is made. */
  extensions: Extension;
  placeholder?: string;
};

/**
 * A text editor with lines that wrap. Tab leaves it, as it leaves every other field (WCAG 2.1.2); indenting is not worth
 * a keyboard trap.
 */
export function CodeEditor(props: CodeEditorProps) {
  const { labelledBy, describedBy, invalid = false, value } = props;
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef(props);
  latest.current = props;
  /** The value that the document stands for: the editor keeps "\r\n" as "\n", which is no change of anybody's. */
  const held = useRef(value);
  const attributes = useRef(new Compartment());

  useEffect(() => {
    if (place.current === null) return;
    const { value: first, extensions, placeholder } = latest.current;
    held.current = first;
    const editor = new EditorView({
      parent: place.current,
      state: EditorState.create({
        doc: first,
        extensions: [
          minimalSetup,
          EditorView.lineWrapping,
          EditorView.cspNonce.of(getNonce() ?? ""),
          placeholder === undefined ? [] : placeholderText(placeholder),
          extensions,
          editorLook,
          attributes.current.of([]),
          EditorView.updateListener.of((update) => {
            if (!update.docChanged || update.transactions.some((one) => one.annotation(fromPage))) return;
            held.current = update.state.doc.toString();
            latest.current.onChange(held.current);
          }),
        ],
      }),
    });
    view.current = editor;
    return () => {
      view.current = null;
      editor.destroy();
    };
  }, []);

  useEffect(() => {
    const editor = view.current;
    if (editor === null || value === held.current) return;
    held.current = value;
    const changes = { from: 0, to: editor.state.doc.length, insert: value };
    editor.dispatch({ changes, annotations: fromPage.of(true) });
  }, [value]);

  useEffect(() => {
    // It can be reached by Tab anyway; not every tool that checks a page knows.
    const said: Record<string, string> = { "aria-labelledby": labelledBy, tabindex: "0" };
    if (describedBy !== undefined) said["aria-describedby"] = describedBy;
    if (invalid) said["aria-invalid"] = "true";
    view.current?.dispatch({
      effects: attributes.current.reconfigure(EditorView.contentAttributes.of(said)),
    });
  }, [labelledBy, describedBy, invalid]);

  return (
    <div
      ref={place}
      className={cn(
        "overflow-hidden rounded-md border focus-within:outline-2 focus-within:outline-offset-2 focus-within:outline-accent",
        invalid ? "border-bad" : "border-line-strong",
      )}
    />
  );
}
