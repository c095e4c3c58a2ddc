import "./markdown.css";

import { memo, type ReactNode, useMemo, useState } from "react";
import render, { type Components } from "react-markdown";
import rehypeSanitize from "rehype-sanitize";
import remarkGfm from "remark-gfm";

import { bytes } from "@/format/numbers";
import { Button } from "@/ui/button";

import { Code } from "./code";
import { visible } from "./control-characters";
import { isDeeplyNested, sliceEnd } from "./markdown-limits";
import { fitIntoPage, nameOfPicture, picturesInLinksAsText, rawAsText, safeAddress } from "./markdown-tree";
import { ScrollRegion } from "./scroll-region";
import { type TreeNode, textOf } from "./tree";

/** What is rendered without being asked for, and at each further asking: up to about a second's work. In characters. */
const SLICE = 40_000;
/** The page has the first level, its sections the second. */
const FIRST_HEADING = 3;

/** Markdown that nobody has vouched for. It can show, and link to, but not load or run anything. */
export const Markdown = memo(function Markdown({ text }: { text: string }) {
  const [asked, setAsked] = useState(0);
  const plain = isDeeplyNested(text);
  const slices = useMemo(() => {
    if (plain || (text.length > SLICE && asked === 0)) return [];
    const found: string[] = [];
    let from = 0;
    while (from < text.length && found.length < Math.max(asked, 1)) {
      const end = sliceEnd(text, from, SLICE);
      found.push(text.slice(from, end));
      from = end;
    }
    return found;
  }, [text, plain, asked]);
  const rest = text.slice(slices.reduce((sum, slice) => sum + slice.length, 0));
  return (
    <div className="min-w-0">
      {slices.map((slice, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the slices of a text neither move nor change
        <Slice key={index} text={slice} />
      ))}
      {rest === "" ? null : (
        <div className="flex flex-col gap-2">
          {plain ? (
            <p className="text-xs text-muted">This text is nested too deeply to be rendered.</p>
          ) : (
            <div className="flex flex-wrap items-center gap-3 text-xs text-muted">
              <Button size="small" onClick={() => setAsked((count) => count + 1)}>
                {asked === 0 ? "Render as Markdown" : "Render more"}
              </Button>
              {bytes(rest.length)} of text, shown as it is.
            </div>
          )}
          <Code text={rest} />
        </div>
      )}
    </div>
  );
});

const Slice = memo(function Slice({ text }: { text: string }) {
  const content = useMemo<ReactNode>(() => {
    try {
      // Called rather than mounted, so that a text that the parser can't cope with is caught here.
      return render({
        children: visible(text),
        remarkPlugins: [remarkGfm],
        rehypePlugins: [rawAsText, rehypeSanitize, picturesInLinksAsText, [fitIntoPage, FIRST_HEADING]],
        urlTransform: (address) => safeAddress(address),
        components: COMPONENTS,
      });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return <Code text={text} />;
    }
  }, [text]);
  return (
    <div className="markdown" dir="auto">
      {content}
    </div>
  );
});

const COMPONENTS: Components = {
  a: ({ href, children }) => <SafeLink href={href}>{children}</SafeLink>,
  // Loading it would tell its server that, and when, the text is read.
  img: ({ src, alt }) => <SafeLink href={typeof src === "string" ? src : undefined}>{nameOfPicture(alt)}</SafeLink>,
  pre: ({ node }) => {
    const code = node?.children[0];
    if (code?.type !== "element") return null;
    const names = code.properties.className;
    const language = Array.isArray(names) ? names.map(String).find((name) => name.startsWith("language-")) : undefined;
    return <Code text={textOf(code as TreeNode).replace(/\n$/, "")} language={language?.slice("language-".length)} />;
  },
  table: ({ children }) => (
    <ScrollRegion label="Table" className="overflow-x-auto">
      <table>{children}</table>
    </ScrollRegion>
  ),
  th: ({ children, style }) => (
    <th scope="col" style={style}>
      {children}
    </th>
  ),
  input: ({ checked }) => (
    <input type="checkbox" checked={checked === true} disabled aria-label={checked ? "done" : "not done"} />
  ),
};

function SafeLink({ href, children }: { href: string | undefined; children: ReactNode }) {
  const address = safeAddress(href);
  if (address === null) return <span>{children}</span>;
  return (
    <a href={address} title={address} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}
