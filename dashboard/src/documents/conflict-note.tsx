import { TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";

import { ScrollRegion } from "@/content/scroll-region";
import { Button } from "@/ui/button";

type ConflictNoteProps = {
  theirs: ReactNode;
  mine: ReactNode;
  busy: boolean;
  onTheirs: () => void;
  onMine: () => void;
};

/** Two people have changed the same thing: what each has made of it, for one of them to decide. */
export function ConflictNote({ theirs, mine, busy, onTheirs, onMine }: ConflictNoteProps) {
  return (
    <div role="alert" className="flex flex-col gap-3 rounded-md bg-warn-soft p-3">
      <p className="flex items-start gap-2 text-sm font-medium text-warn">
        <TriangleAlert className="mt-0.5 size-4 shrink-0" aria-hidden />
        Somebody changed it meanwhile.
      </p>
      <dl className="grid gap-3 sm:grid-cols-2">
        <Version name="Theirs">{theirs}</Version>
        <Version name="Yours">{mine}</Version>
      </dl>
      <div className="flex flex-wrap gap-2">
        <Button size="small" aria-disabled={busy} onClick={onTheirs}>
          Take theirs
        </Button>
        <Button size="small" look="primary" aria-disabled={busy} onClick={onMine}>
          Keep mine
        </Button>
      </div>
    </div>
  );
}

function Version({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="min-w-0 rounded-md bg-surface p-2">
      <dt className="mb-1 text-xs text-muted">{name}</dt>
      <dd>
        <ScrollRegion label={name} className="max-h-48 overflow-auto">
          <div className="text-sm break-words whitespace-pre-wrap">{children}</div>
        </ScrollRegion>
      </dd>
    </div>
  );
}
