import { Check, ChevronDown } from "lucide-react";
import { Popover } from "radix-ui";
import { useState } from "react";

import { short, whole } from "@/format/numbers";
import { Button } from "@/ui/button";
import { cn } from "@/ui/cn";
import { Input } from "@/ui/field";
import type { TagCount } from "@/wire/types";

/** So many tags are in sight; the others are in the list behind the button. */
const MOST_CHIPS = 12;
const MOST_LISTED = 200;

type TagFilterProps = { tags: readonly TagCount[]; chosen: readonly string[]; onToggle: (tag: string) => void };

/** Which tags documents must have, all of them; with how many documents have each, live. */
export function TagFilter({ tags, chosen, onToggle }: TagFilterProps) {
  if (tags.length === 0 && chosen.length === 0) return null;
  const counts = new Map(tags.map((tag) => [tag.name, tag.count]));
  const first = chosen.map((name) => ({ name, count: counts.get(name) ?? 0 }));
  const rest = tags.filter((tag) => !chosen.includes(tag.name));
  const shown = [...first, ...rest].slice(0, Math.max(MOST_CHIPS, chosen.length));
  return (
    <div className="flex min-w-0 items-center gap-2">
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset can't be scrolled in all browsers */}
      <div role="group" aria-label="Filter by tags" className="flex min-w-0 gap-1.5 overflow-x-auto p-1 -m-1">
        {shown.map(({ name, count }) => {
          const pressed = chosen.includes(name);
          return (
            <button
              key={name}
              type="button"
              aria-pressed={pressed}
              onClick={() => onToggle(name)}
              className={cn(
                "inline-flex h-7 shrink-0 items-center gap-1.5 rounded-full border px-2.5 text-xs whitespace-nowrap",
                pressed
                  ? "border-accent bg-accent-soft font-medium text-accent"
                  : "border-line bg-surface text-ink hover:bg-raised",
              )}
            >
              {pressed ? <Check className="size-3" aria-hidden /> : null}
              <span className="max-w-48 truncate">{name}</span>
              <Count count={count} quiet={!pressed} />
            </button>
          );
        })}
      </div>
      {tags.length > MOST_CHIPS ? <AllTags tags={tags} chosen={chosen} onToggle={onToggle} /> : null}
    </div>
  );
}

function Count({ count, quiet }: { count: number; quiet: boolean }) {
  return (
    <span className={cn("tabular-nums", quiet && "text-muted")}>
      {short(count)}
      <span className="sr-only"> {count === 1 ? "document" : "documents"}</span>
    </span>
  );
}

function AllTags({ tags, chosen, onToggle }: TagFilterProps) {
  const [text, setText] = useState("");
  const wanted = text.trim().toLowerCase();
  const found = tags.filter((tag) => tag.name.toLowerCase().includes(wanted));
  return (
    <Popover.Root onOpenChange={() => setText("")}>
      <Popover.Trigger asChild>
        <Button size="small" look="quiet">
          All {whole(tags.length)} tags
          <ChevronDown className="size-3.5" aria-hidden />
        </Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="end"
          sideOffset={4}
          aria-label="All tags"
          className="z-40 flex max-h-[min(24rem,var(--radix-popover-content-available-height))] w-72 flex-col gap-2 rounded-lg border border-line bg-surface p-2 shadow-pop"
        >
          <Input
            aria-label="Search tags"
            placeholder="Search tags"
            className="shrink-0"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <ul className="min-h-0 flex-1 overflow-auto" aria-label="Tags">
            {found.slice(0, MOST_LISTED).map(({ name, count }) => (
              <li key={name}>
                <button
                  type="button"
                  aria-pressed={chosen.includes(name)}
                  onClick={() => onToggle(name)}
                  className="flex min-h-8 w-full items-center gap-2 rounded-md px-2 text-left text-sm hover:bg-raised"
                >
                  <Check
                    className={cn("size-3.5 shrink-0", chosen.includes(name) ? "text-accent" : "invisible")}
                    aria-hidden
                  />
                  <span className="min-w-0 flex-1 truncate">{name}</span>
                  <Count count={count} quiet />
                </button>
              </li>
            ))}
          </ul>
          <p className="px-2 text-xs text-muted" role="status">
            {found.length === 0
              ? "No tag has that in its name."
              : found.length > MOST_LISTED
                ? `The first ${MOST_LISTED} of ${whole(found.length)}; type to find others.`
                : ""}
          </p>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
