import { CircleAlert, CircleCheck, Clock, TriangleAlert } from "lucide-react";

import { clock } from "@/format/time";
import { useNow } from "@/format/use-now";
import { cn } from "@/ui/cn";
import type { Session } from "@/wire/types";

import { useAsk } from "./asks";
import { stopStep, type Telling, tell } from "./stop-steps";

const TONES: Record<Telling["tone"], string> = {
  neutral: "bg-raised text-ink",
  good: "bg-good-soft text-good",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
};

const ICONS = { neutral: Clock, good: CircleCheck, warn: TriangleAlert, bad: CircleAlert };

/** How the stop of a session's run stands, in words; nothing while none was asked for. */
export function StopTruth({ session }: { session: Session }) {
  const ask = useAsk(session.session_id);
  const telling = tell(stopStep(session, ask, useNow()));
  const asked = session.stop_requested_at ?? null;
  const confirmed = session.stop_confirmed_at ?? null;
  const Icon = ICONS[telling?.tone ?? "neutral"];
  return (
    <>
      {/* Apart from what is shown, where seconds tick; they are not to be read out. */}
      <p role="status" className="sr-only">
        {telling?.title}
      </p>
      {telling === null ? null : (
        <section
          aria-label="Stop"
          className={cn("flex flex-wrap items-start gap-x-3 gap-y-1 rounded-md px-3 py-2 text-sm", TONES[telling.tone])}
        >
          <Icon className="mt-0.5 size-4 shrink-0" aria-hidden />
          <div className="min-w-0 flex-1 basis-60">
            <p className="font-medium">{telling.title}</p>
            <p className="break-words">{telling.detail}</p>
          </div>
          <dl className="flex items-center gap-3 text-xs tabular-nums">
            {asked ? <Moment label="Asked" iso={asked} /> : null}
            {confirmed ? <Moment label="Confirmed" iso={confirmed} /> : null}
          </dl>
        </section>
      )}
    </>
  );
}

function Moment({ label, iso }: { label: string; iso: string }) {
  return (
    <div className="flex gap-1">
      <dt>{label}</dt>
      <dd>
        <time dateTime={iso}>{clock(iso)}</time>
      </dd>
    </div>
  );
}
