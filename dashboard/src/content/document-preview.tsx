import { FileQuestion } from "lucide-react";
import { useEffect, useState } from "react";

import { bytes } from "@/format/numbers";
import { Button } from "@/ui/button";
import { ErrorNote } from "@/ui/error-note";

import { visible } from "./control-characters";
import { type Decoded, decode } from "./decode";
import { ImageView } from "./image-view";
import { PdfView } from "./pdf-view";
import { isText, limitOf, type Preview, previewOf } from "./preview-kind";
import { TextPreview } from "./text-preview";

export type DocumentPreviewProps = {
  contentType: string;
  filename: string;
  /** In bytes. */
  size: number;
  /** Another function is another document, which is loaded anew: keep it (`useCallback`) while the document is the same. */
  load: Load;
};

/** Loads a document, tells how many bytes of it are here, and stops when it is not wanted any more. */
export type Load = (signal: AbortSignal, progress: (bytes: number) => void) => Promise<Blob>;

/** A document that somebody has uploaded, as far as it can be shown without trusting it. */
export function DocumentPreview({ contentType, filename, size, load }: DocumentPreviewProps) {
  const preview = previewOf(contentType, filename);
  const name = visible(filename);
  if (preview.kind === "none") return <NoPreview contentType={contentType} size={size} />;
  return <Loaded key={keyOf(load)} {...{ contentType, size, load, preview }} filename={name} />;
}

const keys = new WeakMap<Load, number>();
let lastKey = 0;

/** Tells one document's preview from another's, so that nothing of the former is left when the latter is shown. */
function keyOf(load: Load): number {
  const known = keys.get(load);
  if (known !== undefined) return known;
  lastKey += 1;
  keys.set(load, lastKey);
  return lastKey;
}

type Content = { blob: Blob; decoded: Decoded | null };

function Loaded({ contentType, filename, size, load, preview }: DocumentPreviewProps & { preview: Preview }) {
  const [agreed, setAgreed] = useState(size <= limitOf(preview));
  const [attempt, setAttempt] = useState(0);
  const [state, setState] = useState<Content | { error: unknown } | null>(null);
  const [share, setShare] = useState(0);
  const text = isText(preview);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt loads the same document again
  useEffect(() => {
    if (!agreed) return;
    const under = new AbortController();
    const { signal } = under;
    setState(null);
    setShare(0);
    // In hundredths, so that not every piece draws it anew.
    const progress = (count: number) => setShare(size === 0 ? 0 : Math.floor((count / size) * 100));
    read((onBytes) => load(signal, onBytes), progress, text).then(
      (content) => {
        if (!signal.aborted) setState(content);
      },
      (error: unknown) => {
        if (!signal.aborted) setState({ error });
      },
    );
    return () => under.abort();
  }, [agreed, load, size, text, attempt]);

  if (!agreed) {
    return (
      <div className="flex flex-col items-start gap-2 text-sm">
        <p>This document has {bytes(size)}, which takes a while to load and to show.</p>
        <Button size="small" onClick={() => setAgreed(true)}>
          Show it
        </Button>
      </div>
    );
  }
  if (state === null) {
    return (
      <p className="text-muted">
        <span role="status">Loading …</span>
        <span aria-hidden className="tabular-nums">
          {share > 0 && share < 100 ? ` ${share} %` : ""}
        </span>
      </p>
    );
  }
  if ("error" in state) return <ErrorNote error={state.error} onRetry={() => setAttempt((count) => count + 1)} />;
  if (preview.kind === "image") return <ImageView blob={state.blob} type={preview.type} filename={filename} />;
  if (preview.kind === "pdf") return <PdfView blob={state.blob} filename={filename} />;
  if (state.decoded === null) return <NoPreview contentType={contentType} size={size} binary />;
  return (
    <div className="flex min-w-0 flex-col gap-3">
      {state.decoded.note === null ? null : <p className="text-xs text-muted">{state.decoded.note}</p>}
      <TextPreview text={state.decoded.text} preview={preview} filename={filename} />
    </div>
  );
}

async function read(
  load: (progress: (bytes: number) => void) => Promise<Blob>,
  progress: (bytes: number) => void,
  text: boolean,
): Promise<Content> {
  const blob = await load(progress);
  return { blob, decoded: text ? decode(new Uint8Array(await blob.arrayBuffer())) : null };
}

function NoPreview({ contentType, size, binary = false }: { contentType: string; size: number; binary?: boolean }) {
  return (
    <div className="flex flex-col items-center gap-2 rounded-md border border-dashed border-line px-4 py-10 text-center text-muted">
      <FileQuestion className="size-8" aria-hidden />
      <p>{binary ? "No preview: this is no text." : "No preview for documents of this type."}</p>
      <p className="text-xs break-words">
        {visible(contentType) || "Unknown type"}, {bytes(size)}
      </p>
    </div>
  );
}
