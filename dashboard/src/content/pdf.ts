import type { PDFDocumentProxy } from "pdfjs-dist";
import workerUrl from "pdfjs-dist/build/pdf.worker.min.mjs?url";
import dingbats from "pdfjs-dist/standard_fonts/FoxitDingbats.pfb?url";
import symbols from "pdfjs-dist/standard_fonts/FoxitSymbol.pfb?url";

/** Fonts for signs that systems do not have; letters in fonts that a file does not carry are drawn with the system's. */
const FONTS: Record<string, string> = { "FoxitDingbats.pfb": dingbats, "FoxitSymbol.pfb": symbols };

/** Pictures of more pixels are left out rather than taking the memory of the browser. */
const MOST_PIXELS = 64_000_000;

/** Hands pdf.js the files that it asks for by name; under Vite each has an address of its own. */
class OwnFiles {
  async fetch({ filename }: { kind: string; filename: string }): Promise<Uint8Array> {
    const url = Object.hasOwn(FONTS, filename) ? FONTS[filename] : undefined;
    if (url === undefined) throw new Error(`${filename} is not part of the page`);
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${filename} can't be loaded (${answer.status})`);
    return new Uint8Array(await answer.arrayBuffer());
  }
}

export type OpenPdf = { pages: number; document: PDFDocumentProxy; close: () => void };

/**
 * Opens a PDF. It is read in a worker; its scripts are not run, and the page's policy forbids WebAssembly, so pictures
 * in JPEG 2000 and JBIG2 stay blank.
 */
export async function openPdf(blob: Blob): Promise<OpenPdf> {
  const pdfjs = await import("pdfjs-dist");
  pdfjs.GlobalWorkerOptions.workerSrc = workerUrl;
  const task = pdfjs.getDocument({
    data: new Uint8Array(await blob.arrayBuffer()),
    useWasm: false,
    useWorkerFetch: false,
    BinaryDataFactory: OwnFiles,
    disableWorkerRendering: true,
    enableXfa: false,
    maxImageSize: MOST_PIXELS,
    verbosity: pdfjs.VerbosityLevel.ERRORS,
  });
  const close = () => void task.destroy();
  try {
    const document = await task.promise;
    return { pages: document.numPages, document, close };
  } catch (error) {
    close();
    throw readable(error);
  }
}

function readable(error: unknown): Error {
  const name = error instanceof Error ? error.name : "";
  if (name === "PasswordException") return new Error("This PDF is protected by a password; download it to open it.");
  if (name === "InvalidPDFException") return new Error("This is no PDF, or it is damaged.");
  return error instanceof Error ? error : new Error(String(error));
}
