import "./highlight.css";

import { memo, type ReactNode, useMemo, useState } from "react";

import { bytes } from "@/format/numbers";
import { Button } from "@/ui/button";
import { cn } from "@/ui/cn";
import { CopyButton } from "@/ui/copy-button";

import { visible } from "./control-characters";
import { isQuicklyHighlighted } from "./highlight-limits";
import { highlighted } from "./highlighted";
import { languageOf } from "./language";
import { ScrollRegion } from "./scroll-region";

/** How much is put on the page at once. In characters. */
const SLICE = 200_000;

type CodeProps = {
  text: string;
  /** The language's name, or the name or path of the file that the text is of. */
  language?: string | undefined;
  /** Line numbers; lines are not wrapped then. */
  numbers?: boolean;
  /** As high as the text is, rather than scrolling in itself. */
  full?: boolean;
  label?: string;
};

/** A text in a fixed-width font, highlighted where its language is known. Copying copies the text as it is. */
export const Code = memo(function Code({ text, language, numbers = false, full = false, label }: CodeProps) {
  const [shown, setShown] = useState(SLICE);
  const known = language === undefined ? null : languageOf(language);
  const whole = text.length <= shown;
  const content = useMemo<ReactNode>(() => {
    const part = visible(text.slice(0, shown));
    return known !== null && isQuicklyHighlighted(part) ? highlighted(part, known) : part;
  }, [text, shown, known]);
  return (
    <div className="relative min-w-0 rounded-md border border-line bg-raised">
      <ScrollRegion
        label={label ?? (known === null ? "Text" : `Code, ${known}`)}
        className={cn(
          "rounded-md",
          numbers ? "overflow-auto" : "overflow-x-auto",
          !full && "max-h-112 overflow-y-auto",
        )}
      >
        <div className="flex min-w-full">
          {numbers ? <LineNumbers text={text} shown={shown} /> : null}
          <pre
            className={cn(
              "min-w-0 flex-1 py-2 pr-10 pl-3 font-mono text-xs leading-5",
              numbers ? "whitespace-pre" : "wrap-anywhere whitespace-pre-wrap md:whitespace-pre",
            )}
          >
            <code>{content}</code>
          </pre>
        </div>
      </ScrollRegion>
      <div className="absolute top-1 right-1 rounded-md bg-raised">
        <CopyButton text={text} />
      </div>
      {whole ? null : (
        <div className="flex items-center gap-3 border-t border-line px-3 py-2 text-xs text-muted">
          <Button size="small" onClick={() => setShown((count) => count + SLICE * 2)}>
            Show more
          </Button>
          {bytes(text.length - shown)} of text are not shown yet.
        </div>
      )}
    </div>
  );
});

/** Beside the text rather than in it, so that selecting and copying take the text alone. */
function LineNumbers({ text, shown }: { text: string; shown: number }) {
  const numbers = useMemo(() => {
    const lines = visible(text.slice(0, shown)).replace(/\n$/, "").split("\n").length;
    return Array.from({ length: lines }, (_, index) => index + 1).join("\n");
  }, [text, shown]);
  return (
    <pre
      aria-hidden
      className="sticky left-0 border-r border-line bg-raised px-2 py-2 text-right font-mono text-xs leading-5 text-muted tabular-nums select-none"
    >
      {numbers}
    </pre>
  );
}
