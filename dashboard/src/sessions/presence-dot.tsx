import { cn } from "@/ui/cn";
import type { Presence, Session } from "@/wire/types";

const WORDS: Record<Presence, string> = { connected: "connected", hooks: "hooks only", none: "gone" };

const MEANINGS: Record<Presence, string> = {
  connected: "An agent is connected and can be stopped at once",
  hooks: "Reported by hooks: a stop takes effect at the next one",
  none: "No agent is connected",
};

const DOTS: Record<Presence, string> = {
  connected: "bg-good border-good",
  hooks: "border-2 border-accent",
  none: "border border-line-strong",
};

/** Whether an agent is there. Of a session that is over it says so quietly, since nobody is expected. */
export function PresenceDot({ session }: { session: Session }) {
  const presence = session.presence ?? "none";
  const missing = presence === "none" && session.status === "running";
  const over = presence === "none" && !missing;
  return (
    <span
      title={over ? "The run is over, and no agent is connected" : MEANINGS[presence]}
      className={cn("inline-flex items-center gap-1.5 whitespace-nowrap", missing ? "text-warn" : "text-muted")}
    >
      <span
        className={cn("size-2 shrink-0 rounded-full border", DOTS[presence], missing && "border-warn")}
        aria-hidden
      />
      {WORDS[presence]}
    </span>
  );
}
