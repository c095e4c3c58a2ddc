import { UnfoldVertical } from "lucide-react";
import { Fragment, memo, type ReactNode, useMemo, useState } from "react";

import { whole } from "@/format/numbers";
import { Button } from "@/ui/button";
import { cn } from "@/ui/cn";

import { Code } from "./code";
import { visible } from "./control-characters";
import { type DiffBlock, type DiffLine, diffOf } from "./diff-model";
import { ScrollRegion } from "./scroll-region";

/** Lines that are put on the page without being asked for. */
const MOST_SHOWN = 500;
/** Of one line; in characters. */
const LONGEST = 5_000;

/** What became of a text, line by line. `path` is the file's, where it is one. */
export const Diff = memo(function Diff({ before, after, path }: { before: string; after: string; path?: string }) {
  const model = useMemo(() => diffOf(before, after), [before, after]);
  const [unfolded, setUnfolded] = useState<ReadonlySet<number>>(new Set());
  const [all, setAll] = useState(false);
  const name = path === undefined ? "Changes" : visible(path);
  if (model === null) return <Sides before={before} after={after} path={path} />;
  const isSame = model.added + model.removed === 0;
  const { blocks, cut } = all ? { blocks: model.blocks, cut: 0 } : firstOf(model.blocks, unfolded);
  return (
    <div className="min-w-0 overflow-hidden rounded-md border border-line">
      {isSame && path === undefined ? null : <Head path={path} added={model.added} removed={model.removed} />}
      {isSame ? (
        <p className="px-3 py-2 text-xs text-muted">
          {before === after ? "Nothing has changed." : "No line has changed."}
        </p>
      ) : (
        <ScrollRegion label={`Changes, ${name}`} className="max-h-112 overflow-auto">
          <table className="w-full border-collapse font-mono text-xs leading-5">
            <caption className="sr-only">{name}</caption>
            <thead className="sr-only">
              <tr>
                <th scope="col">Line before</th>
                <th scope="col">Line after</th>
                <th scope="col">Change</th>
                <th scope="col">Text</th>
              </tr>
            </thead>
            <tbody>
              {blocks.map((block, index) =>
                block.folded && !unfolded.has(index) ? (
                  // biome-ignore lint/suspicious/noArrayIndexKey: the blocks of a difference neither move nor change
                  <Wide key={index}>
                    <Button
                      look="quiet"
                      size="small"
                      className="w-full justify-start rounded-none font-sans"
                      onClick={() => setUnfolded(new Set(unfolded).add(index))}
                    >
                      <UnfoldVertical className="size-3.5" aria-hidden />
                      Show {whole(block.lines.length)} unchanged lines
                    </Button>
                  </Wide>
                ) : (
                  // biome-ignore lint/suspicious/noArrayIndexKey: as above
                  <Fragment key={index}>
                    {block.lines.map((line) => (
                      <Line key={`${line.before}:${line.after}`} line={line} />
                    ))}
                  </Fragment>
                ),
              )}
              {cut > 0 ? (
                <Wide>
                  <Button
                    look="quiet"
                    size="small"
                    className="w-full rounded-none font-sans"
                    onClick={() => setAll(true)}
                  >
                    Show all; {whole(cut)} more lines
                  </Button>
                </Wide>
              ) : null}
            </tbody>
          </table>
        </ScrollRegion>
      )}
      {model.endNote === null ? null : (
        <p className="border-t border-line px-3 py-1.5 text-xs text-muted">{model.endNote}</p>
      )}
    </div>
  );
});

function Head({ path, added, removed }: { path: string | undefined; added: number; removed: number }) {
  return (
    <div className="flex min-h-8 items-center gap-3 border-b border-line bg-raised px-3 py-1 text-xs">
      <span className="wrap-anywhere min-w-0 flex-1 font-mono">{path === undefined ? "" : visible(path)}</span>
      <span className="flex gap-2 tabular-nums">
        <span className="text-good">
          +{whole(added)}
          <span className="sr-only"> lines added</span>
        </span>
        <span className="text-bad">
          −{whole(removed)}
          <span className="sr-only"> lines removed</span>
        </span>
      </span>
    </div>
  );
}

const LOOKS = {
  same: { row: "", mark: "", sign: " ", word: "" },
  removed: { row: "bg-bad-soft", mark: "text-bad", sign: "−", word: "removed" },
  added: { row: "bg-good-soft", mark: "text-good", sign: "+", word: "added" },
} as const;

const NUMBER = "w-px px-1.5 text-right align-top whitespace-nowrap text-muted tabular-nums select-none";

function Line({ line }: { line: DiffLine }) {
  const look = LOOKS[line.kind];
  return (
    <tr className={look.row}>
      <td className={cn(NUMBER, "hidden sm:table-cell")}>{line.before}</td>
      <td className={NUMBER}>{line.after ?? <span className="sm:hidden">{line.before}</span>}</td>
      <td className={cn("w-px px-1 align-top select-none", look.mark)}>
        <span aria-hidden>{look.sign}</span>
        <span className="sr-only">{look.word}</span>
      </td>
      <td className="wrap-anywhere pr-3 whitespace-pre-wrap">
        {line.parts.map((part, index) =>
          part.changed ? (
            <mark
              // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a line neither move nor change
              key={index}
              className="rounded-xs bg-transparent font-semibold text-ink underline decoration-2 underline-offset-2"
            >
              {shortened(part.text)}
            </mark>
          ) : (
            // biome-ignore lint/suspicious/noArrayIndexKey: as above
            <span key={index}>{shortened(part.text)}</span>
          ),
        )}
      </td>
    </tr>
  );
}

function Wide({ children }: { children: ReactNode }) {
  return (
    <tr className="bg-raised">
      <td colSpan={4}>{children}</td>
    </tr>
  );
}

/** Both texts as they are, where comparing them would take too long. */
function Sides({ before, after, path }: { before: string; after: string; path: string | undefined }) {
  return (
    <div className="flex min-w-0 flex-col gap-2">
      <p className="text-xs text-muted">These texts are too large, or too different, to be compared line by line.</p>
      <p className="text-xs font-medium">Before</p>
      <Code text={before} language={path} label="Before" />
      <p className="text-xs font-medium">After</p>
      <Code text={after} language={path} label="After" />
    </div>
  );
}

/** The first lines that are to be seen, and how many are left out. A folded block counts as one. */
function firstOf(blocks: readonly DiffBlock[], unfolded: ReadonlySet<number>): { blocks: DiffBlock[]; cut: number } {
  const shown: DiffBlock[] = [];
  let room = MOST_SHOWN;
  let cut = 0;
  blocks.forEach((block, index) => {
    const isFolded = block.folded && !unfolded.has(index);
    const taken = isFolded ? Math.min(room, 1) : Math.min(room, block.lines.length);
    if (taken > 0) shown.push(isFolded ? block : { ...block, lines: block.lines.slice(0, taken) });
    if (!isFolded) cut += block.lines.length - taken;
    else if (taken === 0) cut += block.lines.length;
    room -= taken;
  });
  return { blocks: shown, cut };
}

function shortened(text: string): string {
  return text.length > LONGEST
    ? `${visible(text.slice(0, LONGEST))} … ${whole(text.length - LONGEST)} more characters`
    : visible(text);
}
