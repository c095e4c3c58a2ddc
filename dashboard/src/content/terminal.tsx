import "./terminal.css";

import { memo, useMemo, useState } from "react";

import { whole } from "@/format/numbers";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";

import { ScrollRegion } from "./scroll-region";
import { type TerminalLine, terminalOutput } from "./terminal-lines";

/** Of longer output the beginning and the end are shown: what was begun, and how it ended. In lines. */
const HEAD = 100;
const TAIL = 100;
/** More than this is never put on the page. In lines. */
const MOST = 20_000;

/** What a program wrote to its terminal, with its colours in ours. */
export const Terminal = memo(function Terminal({ text }: { text: string }) {
  const [all, setAll] = useState(false);
  const output = useMemo(() => terminalOutput(text, all ? MOST : HEAD, all ? 0 : TAIL), [text, all]);
  const left = output.total - output.head.length - output.tail.length;
  return (
    <div className="relative min-w-0 rounded-md border border-line bg-raised">
      <ScrollRegion label="Terminal output" className="max-h-112 overflow-auto rounded-md">
        <div className="py-2 pr-10 pl-3 font-mono text-xs leading-5">
          <Lines lines={output.head} />
          {left === 0 ? null : all ? (
            <p className="py-1 font-sans text-muted">{whole(left)} more lines are not shown; copying takes them all.</p>
          ) : (
            <Button size="small" className="my-1 font-sans" onClick={() => setAll(true)}>
              Show all {whole(output.total)} lines
            </Button>
          )}
          <Lines lines={output.tail} />
          {output.total === 0 ? <p className="font-sans text-muted">No output.</p> : null}
        </div>
      </ScrollRegion>
      {output.total === 0 ? null : (
        <div className="absolute top-1 right-1 rounded-md bg-raised">
          <CopyButton text={text} />
        </div>
      )}
    </div>
  );
});

const Lines = memo(function Lines({ lines }: { lines: readonly TerminalLine[] }) {
  return lines.map((line) => (
    <div key={line.number} className="wrap-anywhere min-h-5 whitespace-pre-wrap">
      {line.spans.map((span, index) =>
        span.className === "" ? (
          span.text
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a line neither move nor change
          <span key={index} className={span.className}>
            {span.text}
          </span>
        ),
      )}
      {line.cut > 0 ? <span className="text-muted"> … {whole(line.cut)} more characters</span> : null}
    </div>
  ));
});
