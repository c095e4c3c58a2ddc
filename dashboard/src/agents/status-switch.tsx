import { Switch } from "radix-ui";

import { useMayChange } from "@/app/backend";
import { Badge } from "@/ui/badge";
import { cn } from "@/ui/cn";
import type { Blueprint } from "@/wire/types";

type StatusSwitchProps = {
  status: Blueprint["status"];
  /** Whose it is, for screen readers. */
  label: string;
  onChange: (status: Blueprint["status"]) => void;
};

/** Whether an agent is offered for new sessions; only told, to who may not change it. */
export function StatusSwitch({ status, label, onChange }: StatusSwitchProps) {
  const mayChange = useMayChange();
  if (!mayChange)
    return <Badge tone={status === "active" ? "good" : "neutral"}>{status === "active" ? "Active" : "Inactive"}</Badge>;
  return (
    <span className="inline-flex items-center gap-2">
      <Switch.Root
        checked={status === "active"}
        onCheckedChange={(checked) => onChange(checked ? "active" : "inactive")}
        aria-label={label}
        title="Offered for new sessions"
        className={cn(
          "inline-flex h-6 w-10 shrink-0 items-center rounded-full border border-line-strong bg-raised p-0.5",
          "data-[state=checked]:border-transparent data-[state=checked]:bg-accent-fill",
        )}
      >
        <Switch.Thumb
          className={cn(
            "block size-4 rounded-full bg-line-strong transition-transform",
            "data-[state=checked]:translate-x-4 data-[state=checked]:bg-on-accent",
          )}
        />
      </Switch.Root>
      <span aria-hidden className="hidden w-14 text-xs text-muted sm:inline">
        {status === "active" ? "Active" : "Inactive"}
      </span>
    </span>
  );
}
