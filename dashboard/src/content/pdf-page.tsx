import "./pdf-page.css";

import type { PDFDocumentProxy, RenderTask } from "pdfjs-dist";
import { type RefObject, useEffect, useRef, useState } from "react";

import { messageOf } from "@/ui/error-note";

/** How far outside of what is seen a page is drawn. */
const NEAR = "600px";
/** A canvas of more pixels is drawn coarser. */
const MOST_PIXELS = 12_000_000;

type PdfPageProps = { document: PDFDocumentProxy; number: number; ratio: number; label: string };

/** One page: drawn, with its text over it, so that it can be selected and read aloud. Far away it is an empty sheet. */
export function PdfPage({ document, number, ratio, label }: PdfPageProps) {
  const sheet = useRef<HTMLElement>(null);
  const [shape, setShape] = useState(ratio);
  const [problem, setProblem] = useState<string | null>(null);
  const near = useNear(sheet);
  const width = useWidth(sheet);
  useEffect(() => {
    const target = sheet.current;
    if (!near || width === 0 || target === null) return;
    const drawing = new AbortController();
    draw(document, number, width, target, drawing.signal).then(
      (drawn) => {
        if (drawn !== null && !drawing.signal.aborted) setShape(drawn);
      },
      (error: unknown) => {
        if (!drawing.signal.aborted) setProblem(messageOf(error));
      },
    );
    return () => {
      drawing.abort();
      target.replaceChildren();
    };
  }, [document, number, near, width]);
  return (
    <div
      className="relative overflow-hidden rounded-sm border border-line bg-white"
      style={{ aspectRatio: `1 / ${shape}` }}
    >
      <section ref={sheet} aria-label={label} className="pdf-page absolute inset-0" />
      {problem === null ? null : (
        <p role="alert" className="relative m-3 rounded-md bg-bad-soft px-3 py-2 text-bad">
          Page {number} can't be drawn: {problem}
        </p>
      )}
    </div>
  );
}

/** Draws the page into the sheet, as wide as that is. Returns height by width; null when it was no longer wanted. */
async function draw(
  document: PDFDocumentProxy,
  number: number,
  width: number,
  sheet: HTMLElement,
  signal: AbortSignal,
): Promise<number | null> {
  const { setLayerDimensions, TextLayer } = await import("pdfjs-dist");
  const page = await document.getPage(number);
  if (signal.aborted) return null;
  const plain = page.getViewport({ scale: 1 });
  const scale = width / plain.width;
  const viewport = page.getViewport({ scale });
  const density = Math.min(window.devicePixelRatio, 2, Math.sqrt(MOST_PIXELS / (viewport.width * viewport.height)));
  const canvas = window.document.createElement("canvas");
  canvas.width = Math.max(Math.floor(viewport.width * density), 1);
  canvas.height = Math.max(Math.floor(viewport.height * density), 1);
  canvas.ariaHidden = "true";
  const drawing = page.render({ canvas, viewport, transform: [density, 0, 0, density, 0, 0] });
  cancelOn(signal, drawing);
  try {
    await drawing.promise;
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
  const layer = window.document.createElement("div");
  layer.className = "pdf-text";
  layer.style.setProperty("--total-scale-factor", String(scale));
  const text = new TextLayer({ textContentSource: page.streamTextContent(), container: layer, viewport });
  setLayerDimensions(layer, viewport);
  signal.addEventListener("abort", () => text.cancel(), { once: true });
  sheet.replaceChildren(canvas, layer);
  try {
    await text.render();
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
  return plain.height / plain.width;
}

function cancelOn(signal: AbortSignal, drawing: RenderTask): void {
  signal.addEventListener("abort", () => drawing.cancel(), { once: true });
}

function useNear(ref: RefObject<Element | null>): boolean {
  const [near, setNear] = useState(false);
  useEffect(() => {
    if (ref.current === null) return;
    const observer = new IntersectionObserver(([entry]) => setNear(entry?.isIntersecting ?? false), {
      rootMargin: NEAR,
      // The margin of what scrolls inside the page, where the sheet is in such a part.
      scrollMargin: NEAR,
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, [ref]);
  return near;
}

/** In whole pixels; 0 until it is known. A window that is being resized is followed once it rests. */
function useWidth(ref: RefObject<Element | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (ref.current === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const observer = new ResizeObserver(([entry]) => {
      const next = Math.floor(entry?.contentRect.width ?? 0);
      clearTimeout(timer);
      timer = setTimeout(() => setWidth(next), RESTING_MS);
    });
    observer.observe(ref.current);
    return () => {
      clearTimeout(timer);
      observer.disconnect();
    };
  }, [ref]);
  return width;
}

const RESTING_MS = 80;
