import { getNonce } from "get-nonce";
import { type ReactNode, useMemo, useState } from "react";

import { Segmented } from "@/ui/segmented";

import { Code } from "./code";
import { CsvTable } from "./csv-table";
import { JsonTree } from "./json-tree";
import { Markdown } from "./markdown";
import type { Preview } from "./preview-kind";
import { sandboxedDocument } from "./sandboxed-html";
import { Terminal } from "./terminal";

/** How colours begin in a terminal's output. */
const SELECT_RENDITION = "\u001b[";

type TextPreviewProps = { text: string; preview: Preview; filename: string };

/** A text as what it is, or as it is written. */
export function TextPreview({ text, preview, filename }: TextPreviewProps) {
  switch (preview.kind) {
    case "markdown":
      return (
        <TwoWays other="Rendered" text={text} language="markdown">
          {() => <Markdown text={text} />}
        </TwoWays>
      );
    case "json":
      return <JsonPreview text={text} filename={filename} />;
    case "table":
      return (
        <TwoWays other="Table" text={text}>
          {() => <CsvTable text={text} delimiter={preview.delimiter} />}
        </TwoWays>
      );
    case "html":
      return (
        <TwoWays other="Rendered, without scripts" text={text} language="html" sourceFirst>
          {() => <SandboxedHtml html={text} filename={filename} />}
        </TwoWays>
      );
    case "code":
      return <Code text={text} language={preview.language} numbers full />;
    default:
      // A log that was written with colours.
      return text.includes(SELECT_RENDITION) ? <Terminal text={text} /> : <Code text={text} full />;
  }
}

type TwoWaysProps = {
  other: string;
  text: string;
  language?: string;
  sourceFirst?: boolean;
  children: () => ReactNode;
};

function TwoWays({ other, text, language, sourceFirst = false, children }: TwoWaysProps) {
  const [way, setWay] = useState<"other" | "source">(sourceFirst ? "source" : "other");
  const options = [
    { value: "other" as const, label: other },
    { value: "source" as const, label: "Source" },
  ];
  return (
    <div className="flex min-w-0 flex-col gap-3">
      <div>
        <Segmented
          label="Shown as"
          value={way}
          options={sourceFirst ? options.toReversed() : options}
          onChange={setWay}
        />
      </div>
      {way === "other" ? children() : <Code text={text} language={language} numbers full />}
    </div>
  );
}

function JsonPreview({ text, filename }: { text: string; filename: string }) {
  const parsed = useMemo(() => parseJson(text), [text]);
  if ("problem" in parsed) {
    return (
      <div className="flex min-w-0 flex-col gap-3">
        <p className="rounded-md bg-warn-soft px-3 py-2 text-xs break-words text-warn">
          This is not valid JSON: {parsed.problem}
        </p>
        <Code text={text} language="json" numbers full />
      </div>
    );
  }
  return (
    <TwoWays other="Tree" text={text} language="json">
      {() => <JsonTree value={parsed.value} label={filename} />}
    </TwoWays>
  );
}

function parseJson(text: string): { value: unknown } | { problem: string } {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    return { problem: error.message };
  }
}

function SandboxedHtml({ html, filename }: { html: string; filename: string }) {
  const document = useMemo(() => sandboxedDocument(html, getNonce() ?? null), [html]);
  return (
    <iframe
      title={`${filename}, rendered without scripts`}
      sandbox=""
      referrerPolicy="no-referrer"
      srcDoc={document}
      className="h-[75dvh] w-full rounded-md border border-line bg-white"
    />
  );
}
