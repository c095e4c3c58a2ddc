import { whole } from "@/format/numbers";

import type { Picture } from "./picture";
import type { Scale } from "./scale";
import { placeIn } from "./strip-words";

const WIDTH_PX = 208;
/** In full, since classes are found in the source. */
const DOTS = ["bg-kind-1", "bg-kind-2", "bg-kind-3", "bg-kind-4", "bg-kind-5", "bg-kind-6"];

type Props = { picture: Picture; scale: Scale; column: number };

/** What is at the pointer, or at the cursor; the slider's value says the same. */
export function StripTip({ picture, scale, column }: Props) {
  const { when, silence, lanes, failures } = placeIn(picture, scale, column);
  const left = Math.min(Math.max(0, column - WIDTH_PX / 2), Math.max(0, picture.width - WIDTH_PX));
  return (
    <div
      aria-hidden
      className="pointer-events-none absolute top-full z-20 mt-1 rounded-md border border-line bg-surface px-2.5 py-1.5 text-xs shadow-pop"
      style={{ left, width: WIDTH_PX }}
    >
      <p className="font-medium tabular-nums">{when}</p>
      {silence === null ? null : <p className="text-muted">Nothing for {silence}</p>}
      {lanes.map(({ lane, name, count }) => (
        <p key={lane} className="flex items-center gap-1.5 text-muted">
          <span className={`size-2 rounded-full ${DOTS[lane]}`} />
          {name}
          <span className="ml-auto tabular-nums">{whole(count)}</span>
        </p>
      ))}
      {failures === 0 ? null : (
        <p className="flex items-center justify-between gap-1.5 text-bad">
          ▼ Failed <span className="tabular-nums">{whole(failures)}</span>
        </p>
      )}
    </div>
  );
}
