import { LoaderCircle } from "lucide-react";

import { whole } from "@/format/numbers";
import { Button } from "@/ui/button";
import { ErrorNote } from "@/ui/error-note";

import type { History, HistoryState } from "./history";

export const TOP_NOTE_PX = 44;

type Props = { history: History; state: HistoryState; filtered: boolean };

/** What is above the first row: more is being read, could be read, or there is no more. */
export function TopNote({ history, state, filtered }: Props) {
  const { window, reading, error } = state;
  return (
    <div className="absolute inset-x-0 top-0 flex h-11 items-center justify-center gap-2 px-4 text-xs text-muted">
      {window === null || reading === "older" ? (
        <Busy words={filtered && window !== null ? `${whole(window.events.length)} events looked at …` : "Reading …"} />
      ) : error !== null ? (
        <ErrorNote error={error} onRetry={() => void history.retry()} />
      ) : window.older ? (
        <Button size="small" onClick={() => void history.older()}>
          Show older events
        </Button>
      ) : (
        "The session begins here"
      )}
    </div>
  );
}

/** Below the last row, where the history goes on that is not loaded. */
export function BottomNote({ history, state }: Omit<Props, "filtered">) {
  if (!state.window?.newer) return null;
  return (
    <div className="flex h-11 items-center justify-center text-xs text-muted">
      {state.reading === "newer" ? (
        <Busy words="Reading …" />
      ) : (
        <Button size="small" onClick={() => void history.newer()}>
          Show newer events
        </Button>
      )}
    </div>
  );
}

function Busy({ words }: { words: string }) {
  return (
    <>
      <LoaderCircle className="size-3.5 animate-spin" aria-hidden />
      {words}
    </>
  );
}
