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
  load: () => Promise<Blob>;
};

/** A document that somebody has uploaded, as far as it can be shown without trusting it. */
export function DocumentPreview({ contentType, filename, size, load }: DocumentPreviewProps) {
  const preview = previewOf(contentType, filename);
  const name = visible(filename);
  if (preview.kind === "none") return <NoPreview contentType={contentType} size={size} />;
  return <Loaded key={keyOf(load)} {...{ contentType, size, load, preview }} filename={name} />;
}

const keys = new WeakMap<() => Promise<Blob>, number>();
let lastKey = 0;

/** Tells one document's preview from another's, so that nothing of the former is left when the latter is shown. */
function keyOf(load: () => Promise<Blob>): number {
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
  const text = isText(preview);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt loads the same document again
  useEffect(() => {
    if (!agreed) return;
    let wanted = true;
    setState(null);
    read(load, text).then(
      (content) => {
        if (wanted) setState(content);
      },
      (error: unknown) => {
        if (wanted) setState({ error });
      },
    );
    return () => {
      wanted = false;
    };
  }, [agreed, load, text, attempt]);

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
      <p role="status" className="text-muted">
        Loading …
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

async function read(load: () => Promise<Blob>, text: boolean): Promise<Content> {
  const blob = await load();
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
