import type { ReactNode } from "react";

import { useAccess } from "@/app/backend";

import { SignIn } from "./sign-in";

/**
 * What is in it is shown to who may see it. When a token ceases to be good, it stays below the sign-in view: what was
 * being read or written is there again afterwards.
 */
export function Gate({ children }: { children: ReactNode }) {
  const phase = useAccess((state) => state.phase);
  const entered = useAccess((state) => state.phase === "unknown" || state.phase === "in" || hasBefore(state));
  return (
    <>
      {entered ? children : null}
      {phase === "out" ? <SignIn /> : null}
    </>
  );
}

const hasBefore = (state: { phase: string; before?: unknown }): boolean => (state.before ?? null) !== null;
