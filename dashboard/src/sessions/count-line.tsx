import { useLive } from "@/app/backend";
import { whole } from "@/format/numbers";
import { MOST_SESSIONS } from "@/live/live";

/** How many sessions are shown, of how many; and what is missing here, if anything is. */
export function CountLine({ shown, known }: { shown: number; known: number }) {
  const total = useLive((state) => state.total);
  const more = useLive((state) => state.next !== null);
  const all = Math.max(total, known);
  return (
    <p className="text-xs text-muted tabular-nums">
      {whole(shown)} of {whole(all)} {all === 1 ? "session" : "sessions"}
      {more ? `, ${missing(known)}` : ""}
    </p>
  );
}

function missing(known: number): string {
  if (known < MOST_SESSIONS) return `${whole(known)} read so far, more are coming`;
  return `looking at the newest ${whole(known)} only: older ones are not on this page`;
}
