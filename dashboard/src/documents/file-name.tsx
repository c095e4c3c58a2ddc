import { cn } from "@/ui/cn";

import { splitName, visibleName } from "./name";

/** A file's name, which anybody may have made: only ever text, nothing in it unseen, cut in its middle where it is long. */
export function FileName({ name, className }: { name: string; className?: string }) {
  const shown = visibleName(name);
  const { head, tail } = splitName(shown);
  return (
    // In `bdi`, so that a name in Hebrew does not turn what stands beside it.
    <bdi title={shown} className={cn("relative flex min-w-0", className)}>
      <span className="sr-only">{shown}</span>
      <span aria-hidden className="truncate whitespace-pre">
        {head}
      </span>
      {tail === "" ? null : (
        <span aria-hidden className="shrink-0 whitespace-pre">
          {tail}
        </span>
      )}
    </bdi>
  );
}
