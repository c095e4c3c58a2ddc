import { useEffect, useState } from "react";

import { useNow } from "@/format/use-now";
import type { Connection } from "@/live/socket";
import { Button } from "@/ui/button";
import { cn } from "@/ui/cn";

import { useBackend, useLive } from "./backend";

/** What a person is told of the connection. */
export function describe(connection: Connection, now: number): { tone: "good" | "warn" | "bad"; text: string } {
  switch (connection.phase) {
    case "live":
      return { tone: "good", text: "Live" };
    case "connecting":
      return { tone: "warn", text: "Connecting …" };
    case "replaying": {
      const left = connection.expected - connection.done;
      return { tone: "warn", text: `Catching up, ${left} ${left === 1 ? "message" : "messages"} to go` };
    }
    case "waiting": {
      const seconds = Math.max(0, Math.ceil((connection.retryAt - now) / 1000));
      return { tone: "bad", text: seconds ? `Reconnecting in ${seconds} s` : "Reconnecting …" };
    }
    case "refused":
      return { tone: "bad", text: `Refused: ${connection.reason || "the server does not say why"}` };
  }
}

const DOT = { good: "bg-good", warn: "bg-warn", bad: "bg-bad" };
/** A reconnect that takes no longer is not worth a word to a screen reader. */
const WORTH_SAYING_MS = 1500;

/** The state of the connection, always in sight; the page's data is live only while this says so. */
export function ConnectionBadge() {
  const { live } = useBackend();
  const connection = useLive((state) => state.connection);
  const { tone, text } = describe(connection, useNow());
  return (
    <div className="flex items-center gap-2 text-sm" data-connection={connection.phase}>
      <span className={cn("size-2 shrink-0 rounded-full", DOT[tone])} aria-hidden />
      <span className="max-w-72 truncate">{text}</span>
      <Announcement phase={connection.phase} />
      {connection.phase === "waiting" || connection.phase === "refused" ? (
        <Button size="small" onClick={() => live.connect()}>
          Try now
        </Button>
      ) : null}
    </div>
  );
}

function Announcement({ phase }: { phase: Connection["phase"] }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    const timer = setTimeout(
      () => setSaid(phase === "live" ? "Connected" : phase === "refused" ? "Connection refused" : "Connection lost"),
      phase === "live" ? 0 : WORTH_SAYING_MS,
    );
    return () => clearTimeout(timer);
  }, [phase]);
  return (
    <span role="status" className="sr-only">
      {said}
    </span>
  );
}
