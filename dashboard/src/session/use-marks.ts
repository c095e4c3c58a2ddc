import "./marks.css";

import { type RefObject, useEffect } from "react";

const NAME = "timeline-match";
const MOST_MARKS = 1000;
/** So much text is looked through at a time, in characters. */
const MOST_TEXT = 400_000;

/**
 * Marks a text wherever it is written in an element, in any letter case.
 *
 * The browser draws the marks over what is there, so nothing that draws text has to know of them. A browser that can't
 * shows none; the items that match are marked all the same.
 */
export function useMarks(element: RefObject<HTMLElement | null>, q: string): void {
  useEffect(() => {
    const root = element.current;
    if (root === null || q === "" || !("highlights" in CSS)) return;
    let frame: number | null = null;
    const mark = () => {
      frame = null;
      CSS.highlights.set(NAME, new Highlight(...placesOf(root, q)));
    };
    const later = () => {
      frame ??= requestAnimationFrame(mark);
    };
    const observer = new MutationObserver(later);
    observer.observe(root, { childList: true, characterData: true, subtree: true });
    later();
    return () => {
      observer.disconnect();
      if (frame !== null) cancelAnimationFrame(frame);
      CSS.highlights.delete(NAME);
    };
  }, [element, q]);
}

/** Where a text is written below an element. One that is spread over several elements is not found. */
export function placesOf(root: HTMLElement, q: string): Range[] {
  const wanted = q.toLowerCase();
  const places: Range[] = [];
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  let looked = 0;
  for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
    const text = node.nodeValue?.toLowerCase() ?? "";
    looked += text.length;
    if (looked > MOST_TEXT) break;
    for (let at = text.indexOf(wanted); at !== -1; at = text.indexOf(wanted, at + wanted.length)) {
      // A few letters change their length with their case.
      if (at + wanted.length > (node.nodeValue?.length ?? 0)) break;
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + wanted.length);
      places.push(range);
      if (places.length >= MOST_MARKS) return places;
    }
  }
  return places;
}
