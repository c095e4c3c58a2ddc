import { ChevronDown, ChevronUp, CircleX } from "lucide-react";
import { Toggle } from "radix-ui";
import type { ComponentProps } from "react";

import { whole } from "@/format/numbers";
import { IconButton } from "@/ui/button";
import { cn } from "@/ui/cn";

import { FindBar } from "./find-bar";
import { KIND_NAMES } from "./kinds";
import { KINDS, type SearchChange, shownKinds, switched, type TimelineSearch } from "./search";

type Props = {
  search: TimelineSearch;
  find: Omit<ComponentProps<typeof FindBar>, "q" | "onAsk">;
  failures: number;
  /** Not all of the history has been looked through for failures. */
  counting: boolean;
  onSearch: (change: SearchChange) => void;
  onFailure: (by: 1 | -1) => void;
  onAsk: (q: string) => void;
};

/** Searching, filtering, and the way to what failed. */
export function Toolbar({ search, find, failures, counting, onSearch, onFailure, onAsk }: Props) {
  const shown = shownKinds(search);
  const all = shown.length === KINDS.length;
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-2 px-3 md:px-4">
      <FindBar {...find} q={search.q ?? ""} onAsk={onAsk} />
      <div className="flex min-w-0 items-center gap-x-3 overflow-x-auto py-0.5">
        <fieldset className="flex shrink-0 items-center gap-1">
          <legend className="sr-only">Shown</legend>
          {KINDS.map((kind) => (
            <Chip
              key={kind}
              pressed={!all && shown.includes(kind)}
              onPressedChange={() => onSearch({ kinds: switched(search, kind) })}
            >
              {KIND_NAMES[kind]}
            </Chip>
          ))}
          <Chip
            pressed={search.errors === true}
            onPressedChange={(pressed) => onSearch({ errors: pressed ? true : undefined })}
          >
            Errors
          </Chip>
        </fieldset>
        <div className="flex shrink-0 items-center gap-0.5">
          <span
            className={cn(
              "inline-flex items-center gap-1 text-xs tabular-nums",
              failures === 0 ? "text-muted" : "font-medium text-bad",
            )}
          >
            <CircleX className="size-3.5" aria-hidden />
            {failures === 1 ? "1 error" : `${whole(failures)} errors`}
            {counting ? " so far" : ""}
          </span>
          <IconButton label="Error before (E)" size="small" disabled={failures === 0} onClick={() => onFailure(-1)}>
            <ChevronUp className="size-4" aria-hidden />
          </IconButton>
          <IconButton label="Next error (e)" size="small" disabled={failures === 0} onClick={() => onFailure(1)}>
            <ChevronDown className="size-4" aria-hidden />
          </IconButton>
        </div>
      </div>
    </div>
  );
}

function Chip({ className, ...rest }: ComponentProps<typeof Toggle.Root>) {
  return (
    <Toggle.Root
      className={cn(
        "inline-flex h-7 items-center rounded-full border px-2.5 text-xs whitespace-nowrap",
        "border-line text-muted hover:bg-raised hover:text-ink",
        "data-[state=on]:border-accent data-[state=on]:bg-accent-soft data-[state=on]:font-medium data-[state=on]:text-accent",
        className,
      )}
      {...rest}
    />
  );
}
