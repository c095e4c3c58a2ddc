import { ChevronDown, ChevronUp, Search, X } from "lucide-react";
import { type RefObject, useEffect, useState } from "react";

import { whole } from "@/format/numbers";
import { IconButton } from "@/ui/button";
import { messageOf } from "@/ui/error-note";
import { Input } from "@/ui/field";

import type { FinderState } from "./finder";
import { lowerBound } from "./ordered";
import { LONGEST_QUERY } from "./search";

const TYPING_MS = 250;

type Props = {
  input: RefObject<HTMLInputElement | null>;
  q: string;
  state: FinderState;
  /** The match that was gone to last. */
  current: number | null;
  onAsk: (q: string) => void;
  onStep: (by: 1 | -1) => void;
};

/** Searches all of the history: Enter goes to the next match, Shift+Enter to the one before, Escape ends it. */
export function FindBar({ input, q, state, current, onAsk, onStep }: Props) {
  const [typed, setTyped] = useState(q);
  const [asked, setAsked] = useState(q);
  // The address may change under it: by the way back, or by a link.
  if (q !== asked) {
    setAsked(q);
    setTyped(q);
  }
  useEffect(() => {
    if (typed === asked) return;
    const timer = setTimeout(() => {
      setAsked(typed);
      onAsk(typed);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed, asked, onAsk]);
  const clear = () => {
    setTyped("");
    setAsked("");
    onAsk("");
  };
  const onKeyDown = (event: React.KeyboardEvent<HTMLInputElement>) => {
    if (event.key === "Enter") onStep(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      if (typed !== "") clear();
      event.currentTarget.blur();
    } else return;
    event.preventDefault();
  };
  const none = state.matches.ids.length === 0;
  return (
    <search className="flex min-w-0 flex-1 basis-64 items-center gap-1 md:max-w-md">
      <div className="relative min-w-0 flex-1">
        <Search className="pointer-events-none absolute top-2.5 left-2.5 size-4 text-muted" aria-hidden />
        <Input
          ref={input}
          type="search"
          aria-label="Search this session"
          placeholder="Search this session"
          maxLength={LONGEST_QUERY}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          onKeyDown={onKeyDown}
          className="pr-2 pl-8 [&::-webkit-search-cancel-button]:hidden"
        />
      </div>
      {typed === "" ? null : (
        <>
          <span role="status" className="shrink-0 text-xs text-muted tabular-nums">
            {found(state, current)}
          </span>
          <IconButton label="Match before (N)" size="small" disabled={none} onClick={() => onStep(-1)}>
            <ChevronUp className="size-4" aria-hidden />
          </IconButton>
          <IconButton label="Next match (n)" size="small" disabled={none} onClick={() => onStep(1)}>
            <ChevronDown className="size-4" aria-hidden />
          </IconButton>
          <IconButton label="End the search" size="small" onClick={clear}>
            <X className="size-4" aria-hidden />
          </IconButton>
        </>
      )}
    </search>
  );
}

/** How far the search is, in words. */
export function found(state: Pick<FinderState, "q" | "matches" | "done" | "error">, current: number | null): string {
  if (state.q === "") return "";
  if (state.error !== null) return messageOf(state.error);
  const { ids } = state.matches;
  const index = current === null ? -1 : lowerBound(ids, current);
  const place = current !== null && ids[index] === current ? `${whole(index + 1)} of ` : "";
  const count = ids.length === 1 && place === "" ? "1 match" : `${whole(ids.length)}${place === "" ? " matches" : ""}`;
  if (!state.done) return `${place}${count}, still looking …`;
  return ids.length === 0 ? "no match" : `${place}${count}`;
}
