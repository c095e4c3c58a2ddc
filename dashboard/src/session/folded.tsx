import { type ReactNode, useMemo, useState } from "react";

import { whole } from "@/format/numbers";
import { Button } from "@/ui/button";

const LINES = 40;
const CHARACTERS = 6000;

/** A text of which the beginning is shown, and the rest when it is asked for. */
export function Folded({ text, children }: { text: string; children: (shown: string) => ReactNode }) {
  const [unfolded, setUnfolded] = useState(false);
  const { beginning, lines } = useMemo(() => fold(text), [text]);
  if (beginning === text) return children(text);
  return (
    <>
      {children(unfolded ? text : beginning)}
      <Button
        size="small"
        look="quiet"
        className="mt-1"
        aria-expanded={unfolded}
        onClick={() => setUnfolded(!unfolded)}
      >
        {unfolded
          ? "Show less"
          : lines > 1
            ? `Show all ${whole(lines)} lines`
            : `Show all ${whole(text.length)} characters`}
      </Button>
    </>
  );
}

/** What of a text is shown at first, which is all of it where little would be left out, and how many lines it has. */
export function fold(text: string): { beginning: string; lines: number } {
  let lines = 1;
  let cut = -1;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) {
    if (lines === LINES) cut = at;
    lines += 1;
  }
  if (lines <= LINES * 1.25) cut = -1;
  const end = Math.min(cut === -1 ? text.length : cut, text.length > CHARACTERS * 1.25 ? CHARACTERS : text.length);
  return { beginning: text.slice(0, end), lines };
}
