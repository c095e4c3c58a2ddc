import { type ReactNode, type RefObject, useEffect, useRef, useState } from "react";

/** A part of the page that scrolls in itself. While it does, it can be focused, so that keys can scroll it, too. */
export function ScrollRegion({
  label,
  className,
  children,
}: {
  label: string;
  className: string;
  children: ReactNode;
}) {
  const ref = useRef<HTMLDivElement>(null);
  const scrolls = useScrolls(ref);
  return (
    <div ref={ref} {...(scrolls ? { role: "group", "aria-label": label, tabIndex: 0 } : {})} className={className}>
      {children}
    </div>
  );
}

function useScrolls(ref: RefObject<HTMLElement | null>): boolean {
  const [scrolls, setScrolls] = useState(false);
  useEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const measure = () =>
      setScrolls(element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight);
    // It calls once by itself, when the layout is known; asking here would force one for each row that scrolls in.
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    // What is inside grows without its frame growing.
    if (element.firstElementChild) observer.observe(element.firstElementChild);
    return () => observer.disconnect();
  }, [ref]);
  return scrolls;
}
