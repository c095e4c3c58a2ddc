import { type ReactNode, useEffect } from "react";

/** The top of a page: its name (also the tab's), and what can be done on it. */
export function PageHeader({ title, children }: { title: string; children?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Agent orchestrator`;
  }, [title]);
  return (
    <div className="flex min-h-9 flex-wrap items-center gap-2">
      <h1 className="mr-auto min-w-0 truncate text-lg font-semibold">{title}</h1>
      {children}
    </div>
  );
}
