import { CircleStop, Trash2, X } from "lucide-react";
import { useState } from "react";

import { whole } from "@/format/numbers";
import { Button, IconButton } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import type { Session } from "@/wire/types";

import { deletionWarning } from "./session-menu";

type Props = {
  selected: readonly Session[];
  onStop: (ids: readonly string[]) => Promise<void>;
  onDelete: (ids: readonly string[]) => Promise<void>;
  onClear: () => void;
};

/** What can be done with the selected sessions. */
export function SelectionBar({ selected, onStop, onDelete, onClear }: Props) {
  const [asking, setAsking] = useState<"stop" | "delete" | null>(null);
  const running = selected.filter(({ status }) => status === "running");
  const close = (open: boolean) => {
    if (!open) setAsking(null);
  };
  const ids = (sessions: readonly Session[]) => sessions.map(({ session_id }) => session_id);
  return (
    <section
      aria-label="Selection"
      className="flex min-h-9 flex-wrap items-center gap-2 rounded-md bg-accent-soft px-2 text-accent"
    >
      <span className="mr-auto font-medium tabular-nums">{whole(selected.length)} selected</span>
      <Button size="small" disabled={running.length === 0} onClick={() => setAsking("stop")}>
        <CircleStop className="size-3.5" aria-hidden />
        Stop {whole(running.length)}
      </Button>
      <Button size="small" className="text-bad" onClick={() => setAsking("delete")}>
        <Trash2 className="size-3.5" aria-hidden />
        Delete {whole(selected.length)}
      </Button>
      <IconButton label="Clear the selection" size="small" onClick={onClear}>
        <X className="size-4" aria-hidden />
      </IconButton>
      <ConfirmDialog
        open={asking === "stop"}
        onOpenChange={close}
        title={running.length === 1 ? "Stop one session?" : `Stop ${whole(running.length)} sessions?`}
        description="Their agents are told to cease. Sessions that are over already are left alone."
        action={`Stop ${whole(running.length)}`}
        onConfirm={() => onStop(ids(running))}
      />
      <ConfirmDialog
        open={asking === "delete"}
        onOpenChange={close}
        title={selected.length === 1 ? "Delete one session?" : `Delete ${whole(selected.length)} sessions?`}
        description={deletionWarning(selected.length, running.length)}
        action={`Delete ${whole(selected.length)}`}
        onConfirm={() => onDelete(ids(selected))}
      />
    </section>
  );
}
