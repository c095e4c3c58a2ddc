import { TriangleAlert } from "lucide-react";

import { ApiError } from "@/wire/client";

import { Button } from "./button";

/** What to tell people of an error: the server's own words where there are any. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An error where it happened, with a way to try again where that may help. */
export function ErrorNote({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  // That something is not allowed is all that 403 says.
  const status = error instanceof ApiError && error.status > 0 && error.status !== 403 ? ` (${error.status})` : "";
  return (
    <div role="alert" className="flex items-start gap-2 rounded-md bg-bad-soft px-3 py-2 text-sm text-bad">
      <TriangleAlert className="mt-0.5 size-4 shrink-0" aria-hidden />
      <p className="min-w-0 flex-1 break-words">
        {messageOf(error)}
        {status}
      </p>
      {onRetry ? (
        <Button size="small" onClick={onRetry}>
          Try again
        </Button>
      ) : null}
    </div>
  );
}
