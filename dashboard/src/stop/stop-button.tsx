import { Check, CircleStop, LoaderCircle } from "lucide-react";

import { type Backend, useBackend, useMayChange } from "@/app/backend";
import { useNow } from "@/format/use-now";
import { Button } from "@/ui/button";
import { cn } from "@/ui/cn";
import type { Session } from "@/wire/types";

import { type Pressed, press, useAsk } from "./asks";
import { canBeStopped, isOf, type StopStep, stopStep } from "./stop-steps";

const LABELS = ["Stop", "Press again", "Stopping …", "Ask again", "Stopped", "Finished"] as const;
type Label = (typeof LABELS)[number];

/**
 * Stops a session by two presses. Shows nothing for a session that is over, except where this page has asked: then it
 * stays, so that the focus does too. Nothing, either, for who may not stop it.
 */
export function StopButton({ session, size = "normal" }: { session: Session; size?: "small" | "normal" }) {
  const backend = useBackend();
  const ask = useAsk(session.session_id);
  const mayChange = useMayChange();
  const now = useNow();
  const open = canBeStopped(session);
  if (!mayChange) return null;
  if (!open && (ask === null || !isOf(ask, session))) return null;

  const { step } = stopStep(session, ask, now);
  const shown = labelOf(step, open);
  const inert = !open || shown === "Stopping …";
  return (
    <Button
      size={size}
      look={step === "confirming" ? "danger" : !open ? "quiet" : "plain"}
      data-stop={step}
      // Disabled for real it would lose the focus.
      aria-disabled={inert}
      className={cn(inert && "cursor-default!")}
      onClick={() => {
        if (!inert) press(backend, session);
      }}
    >
      {/* All labels take their place at once, so that the button keeps its width and nothing moves under the pointer. */}
      <span className="grid">
        {LABELS.map((label) => (
          <span
            key={label}
            aria-hidden={label !== shown}
            className={cn(
              "col-start-1 row-start-1 inline-flex items-center justify-center gap-1.5",
              label !== shown && "invisible",
            )}
          >
            <Icon step={step} />
            {label}
          </span>
        ))}
      </span>
      <span className="sr-only">
        {step === "confirming" ? "to stop " : ""}
        {session.session_name}
      </span>
    </Button>
  );
}

/** As pressing the button of that session, by key: the first call arms, the second asks. */
export function pressStop(backend: Backend, sessionId: string): void {
  const session = backend.live.store.getState().sessions.get(sessionId);
  press(backend, session ?? unlisted(sessionId));
}

/** A session older than those that are listed here; the server knows whether it runs. */
function unlisted(sessionId: string): Pressed {
  const unknown = { presence: "none", stop_confirmed: null, run: null } as const;
  return { session_id: sessionId, session_name: sessionId, status: "running", ...unknown };
}

function labelOf(step: StopStep["step"], open: boolean): Label {
  if (!open) return step === "confirmed" || step === "unattended" ? "Stopped" : "Finished";
  if (step === "confirming") return "Press again";
  if (step === "asked") return "Stopping …";
  if (step === "unconfirmed") return "Ask again";
  return "Stop";
}

function Icon({ step }: { step: StopStep["step"] }) {
  if (step === "asked") return <LoaderCircle className="size-3.5 animate-spin" aria-hidden />;
  if (step === "confirmed") return <Check className="size-3.5" aria-hidden />;
  return <CircleStop className={cn("size-3.5", step !== "confirming" && "text-bad")} aria-hidden />;
}
