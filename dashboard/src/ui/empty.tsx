import type { ReactNode } from "react";

/** What is shown where nothing is yet: what it would be, and the first step to it. */
export function Empty({ icon, title, children }: { icon?: ReactNode; title: string; children?: ReactNode }) {
  return (
    <div className="mx-auto flex max-w-2xl flex-col items-center gap-3 px-4 py-14 text-center">
      {icon ? <div className="text-muted [&>svg]:size-8">{icon}</div> : null}
      <h2 className="text-base font-semibold">{title}</h2>
      <div className="flex w-full flex-col items-center gap-3 text-muted">{children}</div>
    </div>
  );
}
