import { useBlocker } from "@tanstack/react-router";

import { ConfirmDialog } from "@/ui/dialog";

/** Asks before changes that are not saved are left, by whatever way. */
export function LeaveGuard({ unsaved }: { unsaved: boolean }) {
  const blocker = useBlocker({
    shouldBlockFn: ({ current, next }) => unsaved && placeOf(next) !== placeOf(current),
    enableBeforeUnload: () => unsaved,
    withResolver: true,
  });
  return (
    <ConfirmDialog
      open={blocker.status === "blocked"}
      onOpenChange={(open) => {
        if (!open) blocker.reset?.();
      }}
      title="Leave without saving?"
      description="What you have changed here is not saved, and will be lost."
      action="Discard the changes"
      onConfirm={async () => blocker.proceed?.()}
    />
  );
}

/** What is shown at an address; filters of the list behind it are not part of that. */
function placeOf({ pathname, search }: { pathname: string; search: object }): string {
  const { open, new: isNew, from } = search as { open?: string; new?: boolean; from?: string };
  return JSON.stringify([pathname, open, isNew, from]);
}
