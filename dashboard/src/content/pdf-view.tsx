import { useEffect, useState } from "react";

import { whole } from "@/format/numbers";
import { ErrorNote } from "@/ui/error-note";

import { type OpenPdf, openPdf } from "./pdf";
import { PdfPage } from "./pdf-page";

/** More pages than this are not laid out. */
const MOST_PAGES = 1_000;
/** Height by width, until the first page is known. */
const A4 = Math.SQRT2;

type State = { pdf: OpenPdf; ratio: number } | { error: unknown } | null;

/** The pages of a PDF, below one another, each drawn when it comes near what is seen. */
export function PdfView({ blob, filename }: { blob: Blob; filename: string }) {
  const [attempt, setAttempt] = useState(0);
  const [state, setState] = useState<State>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt opens the same file again
  useEffect(() => {
    let wanted = true;
    let opened: OpenPdf | null = null;
    const open = async () => {
      const pdf = await openPdf(blob);
      if (!wanted) return pdf.close();
      opened = pdf;
      const { width, height } = (await pdf.document.getPage(1)).getViewport({ scale: 1 });
      if (wanted) setState({ pdf, ratio: width > 0 ? height / width : A4 });
    };
    setState(null);
    open().catch((error: unknown) => {
      if (wanted) setState({ error });
    });
    return () => {
      wanted = false;
      opened?.close();
    };
  }, [blob, attempt]);
  if (state === null) return <p role="status">Opening …</p>;
  if ("error" in state) return <ErrorNote error={state.error} onRetry={() => setAttempt((count) => count + 1)} />;
  const { pages } = state.pdf;
  return (
    <div className="flex min-w-0 flex-col gap-3">
      <p className="text-xs text-muted tabular-nums">{pages === 1 ? "1 page" : `${whole(pages)} pages`}</p>
      {Array.from({ length: Math.min(pages, MOST_PAGES) }, (_, index) => index + 1).map((number) => (
        <PdfPage
          key={number}
          document={state.pdf.document}
          number={number}
          ratio={state.ratio}
          label={`${filename}, page ${number} of ${pages}`}
        />
      ))}
      {pages > MOST_PAGES ? (
        <p className="text-xs text-muted">
          {whole(pages - MOST_PAGES)} more pages are not shown; download it to see them.
        </p>
      ) : null}
    </div>
  );
}
