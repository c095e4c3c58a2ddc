import { markdown } from "@codemirror/lang-markdown";
import { useId } from "react";

import { whole } from "@/format/numbers";
import { cn } from "@/ui/cn";

import { CodeEditor } from "./code-editor";
import { tall } from "./editor-look";
import { lengthOf, MOST } from "./rules";

const extensions = [markdown(), tall("18rem", "60vh")];
/** From here on, how much room is left is worth a colour. */
const NEARLY = 0.9;

type PromptEditorProps = { value: string; onChange: (value: string) => void; error?: string | undefined };

/** The system prompt, as Markdown, with its length against what the server takes. */
export function PromptEditor({ value, onChange, error }: PromptEditorProps) {
  const id = useId();
  const length = lengthOf(value);
  return (
    <section className="flex flex-col gap-1">
      <div className="flex flex-wrap items-baseline justify-between gap-x-3">
        <h2 id={id} className="text-sm font-medium">
          System prompt
        </h2>
        <p
          id={`${id}-count`}
          className={cn("text-xs tabular-nums", length > MOST.prompt * NEARLY ? "text-warn" : "text-muted")}
        >
          {whole(length)} of {whole(MOST.prompt)} characters
        </p>
      </div>
      <CodeEditor
        labelledBy={id}
        describedBy={error === undefined ? `${id}-count` : `${id}-error`}
        invalid={error !== undefined}
        value={value}
        onChange={onChange}
        extensions={extensions}
        placeholder="Who the agent is, and how it is to work. Markdown."
      />
      {error === undefined ? null : (
        <p id={`${id}-error`} role="alert" className="text-xs text-bad">
          {error}
        </p>
      )}
    </section>
  );
}
