import { CircleHelp, Hourglass } from "lucide-react";
import type { ComponentProps, ReactNode } from "react";

import { Badge } from "@/ui/badge";
import type { Session } from "@/wire/types";

import { type Standing, standingOf } from "./facts";

type Look = { tone: NonNullable<ComponentProps<typeof Badge>["tone"]>; word: string; title: string; icon?: ReactNode };

const LOOKS: Record<Standing, Look> = {
  running: { tone: "good", word: "running", title: "The agent works" },
  stopping: {
    tone: "warn",
    word: "stopping",
    title: "A stop was asked for, and the agent has not confirmed it yet",
    icon: <Hourglass className="size-3" aria-hidden />,
  },
  finished: { tone: "neutral", word: "finished", title: "The run came to its own end" },
  stopped: { tone: "accent", word: "stopped", title: "Stopped, and the agent is known to have ceased" },
  "stopped-unconfirmed": {
    tone: "warn",
    word: "stopped",
    title: "Stopped, but no agent has confirmed it",
    icon: <CircleHelp className="size-3" aria-hidden />,
  },
};

/** How a session stands: its status, and whether a stop of it is still open. */
export function StatusBadge({ session }: { session: Session }) {
  const standing = standingOf(session);
  const { tone, word, title, icon } = LOOKS[standing];
  return (
    <Badge tone={tone} title={title}>
      {icon}
      {word}
      {standing === "stopped-unconfirmed" ? <span className="sr-only">, not confirmed</span> : null}
    </Badge>
  );
}
