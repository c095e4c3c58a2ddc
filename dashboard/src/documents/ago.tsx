import { ago, moment } from "@/format/time";
import { useNow } from "@/format/use-now";

/** How long ago something was; the moment itself on hovering. */
export function Ago({ iso }: { iso: string }) {
  return (
    <time dateTime={iso} title={moment(iso)} className="whitespace-nowrap tabular-nums">
      {ago(iso, useNow())}
    </time>
  );
}
