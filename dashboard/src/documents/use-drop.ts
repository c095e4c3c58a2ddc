import { useEffect, useRef, useState } from "react";

import { carriesFiles, type Dropped, filesOf } from "./dropped";

/**
 * Takes files that are dropped anywhere in the window. Returns whether some are being dragged over it.
 *
 * @param onDrop null: they are not taken, and do not take the page's place either.
 */
export function useDrop(onDrop: ((dropped: Dropped) => void) | null): boolean {
  const [over, setOver] = useState(false);
  const latest = useRef(onDrop);
  latest.current = onDrop;
  useEffect(() => {
    // Each element that is entered or left tells so; the window is left with the last of them.
    let depth = 0;
    const enter = (event: DragEvent) => {
      if (!carriesFiles(event.dataTransfer)) return;
      event.preventDefault();
      depth += 1;
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (!carriesFiles(event.dataTransfer)) return;
      depth -= 1;
      if (depth <= 0) end();
    };
    const hover = (event: DragEvent) => {
      if (event.dataTransfer === null || !carriesFiles(event.dataTransfer)) return;
      // Else the browser would open the file in the place of the page.
      event.preventDefault();
      event.dataTransfer.dropEffect = latest.current === null ? "none" : "copy";
    };
    const drop = (event: DragEvent) => {
      if (event.dataTransfer === null || !carriesFiles(event.dataTransfer)) return;
      event.preventDefault();
      end();
      latest.current?.(filesOf(event.dataTransfer));
    };
    const end = () => {
      depth = 0;
      setOver(false);
    };
    window.addEventListener("dragenter", enter);
    window.addEventListener("dragleave", leave);
    window.addEventListener("dragover", hover);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragenter", enter);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("dragover", hover);
      window.removeEventListener("drop", drop);
    };
  }, []);
  return over && onDrop !== null;
}
