import { Info, TriangleAlert } from "lucide-react";

import { Button } from "@/ui/button";

import { type Field, LABELS } from "./draft";

type MeanwhileNoteProps = {
  /** What somebody else has changed, and is shown as they have it. */
  taken: readonly Field[];
  /** What was changed there and here. */
  clashes: readonly Field[];
  onLoad: () => void;
  onKeep: () => void;
};

/** Says what somebody else has changed in the agent that is open. */
export function MeanwhileNote({ taken, clashes, onLoad, onKeep }: MeanwhileNoteProps) {
  const clash = clashes.length > 0;
  return (
    <div
      role="status"
      className={`flex flex-wrap items-center gap-2 rounded-md px-3 py-2 text-sm ${clash ? "bg-warn-soft text-warn" : "bg-accent-soft text-accent"}`}
    >
      {clash ? (
        <TriangleAlert className="size-4 shrink-0" aria-hidden />
      ) : (
        <Info className="size-4 shrink-0" aria-hidden />
      )}
      <p className="min-w-48 flex-1">
        {clash ? `Somebody else has changed ${listed(clashes)}, as you have. Saving replaces theirs with yours. ` : ""}
        {taken.length > 0 ? `Somebody else has changed ${listed(taken)}; you see their version.` : ""}
      </p>
      {clash ? (
        <>
          <Button size="small" onClick={onLoad}>
            Load theirs
          </Button>
          <Button size="small" onClick={onKeep}>
            Keep mine
          </Button>
        </>
      ) : (
        <Button size="small" onClick={onKeep}>
          Close
        </Button>
      )}
    </div>
  );
}

/** Says that somebody has deleted the agent that is open. */
export function GoneNote({ onLeave }: { onLeave: () => void }) {
  return (
    <div role="alert" className="flex flex-wrap items-center gap-2 rounded-md bg-warn-soft px-3 py-2 text-sm text-warn">
      <TriangleAlert className="size-4 shrink-0" aria-hidden />
      <p className="min-w-48 flex-1">
        Somebody has deleted this agent. What you see here is all that is left of it; it can be created again from that.
      </p>
      <Button size="small" onClick={onLeave}>
        To the agents
      </Button>
    </div>
  );
}

const listed = (fields: readonly Field[]): string => new Intl.ListFormat("en").format(fields.map((one) => LABELS[one]));
