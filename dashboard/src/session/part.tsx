import type { ReactNode } from "react";

import { cn } from "@/ui/cn";

/** A part of an opened item, under a word that says what it is. */
export function Part({ label, tone, children }: { label: string; tone?: "bad"; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <p className={cn("mb-0.5 text-xs font-medium", tone === "bad" ? "text-bad" : "text-muted")}>{label}</p>
      {children}
    </div>
  );
}
