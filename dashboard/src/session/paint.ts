import { LANES } from "./kinds";
import type { Picture } from "./picture";
import type { Scale } from "./scale";

/** Above the lanes: the marks of failures. Below: the marks of what is searched for. In px. */
export const MARKS_PX = 11;
export const FOUND_PX = 6;

export type Paints = { lanes: readonly string[]; bad: string; warn: string; line: string; muted: string };

/** The theme's colours, as they are on the page now. */
export function paintsOf(element: Element): Paints {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  return {
    lanes: LANES.map((_, lane) => colour(`--kind-${lane + 1}`)),
    bad: colour("--bad"),
    warn: colour("--warn"),
    line: colour("--line"),
    muted: colour("--muted"),
  };
}

type Drawing = {
  picture: Picture;
  scale: Scale;
  laneHeight: number;
  /** Columns in which something was found. */
  found: ReadonlySet<number>;
  paints: Paints;
};

/** Draws a run: a lane a kind, what goes on as a band, what happens as strokes; triangles above where it failed. */
export function paint(context: CanvasRenderingContext2D, drawing: Drawing): void {
  const { picture, scale, laneHeight, found, paints } = drawing;
  const { width, counts, busy, failures } = picture;
  const height = MARKS_PX + LANES.length * laneHeight + FOUND_PX;
  context.clearRect(0, 0, width, height);
  paintGaps(context, scale, paints, height);
  LANES.forEach((_, lane) => {
    const top = MARKS_PX + lane * laneHeight;
    context.fillStyle = paints.lanes[lane] ?? paints.muted;
    let most = 1;
    for (let column = 0; column < width; column += 1) most = Math.max(most, counts[lane * width + column] ?? 0);
    for (let column = 0; column < width; column += 1) {
      const count = counts[lane * width + column] ?? 0;
      if (count > 0) context.globalAlpha = most === 1 ? 1 : 0.6 + 0.4 * (Math.log(count) / Math.log(most));
      else if ((busy[lane * width + column] ?? 0) > 0) context.globalAlpha = 0.35;
      else continue;
      context.fillRect(column, top + 1, 1, laneHeight - 2);
    }
  });
  context.globalAlpha = 1;
  context.fillStyle = paints.warn;
  for (const column of found) context.fillRect(column - 1, height - FOUND_PX + 1, 2, FOUND_PX - 1);
  paintFailures(context, failures, height - FOUND_PX, paints.bad);
}

function paintFailures(context: CanvasRenderingContext2D, failures: Uint32Array, bottom: number, colour: string): void {
  context.fillStyle = colour;
  // Lines are for finding what failed in its lane; where they are many they would hide it.
  const lines = failures.filter((count) => count > 0).length <= failures.length / 24;
  let last = Number.NEGATIVE_INFINITY;
  for (let column = 0; column < failures.length; column += 1) {
    if (failures[column] === 0) continue;
    if (lines) {
      context.globalAlpha = 0.5;
      context.fillRect(column, MARKS_PX, 1, bottom - MARKS_PX);
      context.globalAlpha = 1;
    }
    // Triangles that overlap would be a bar, which is another shape.
    if (column - last < 6) continue;
    last = column;
    context.beginPath();
    context.moveTo(column - 4, 1);
    context.lineTo(column + 5, 1);
    context.lineTo(column + 0.5, MARKS_PX - 2);
    context.fill();
  }
}

/** A silence that is drawn short: a torn band. */
function paintGaps(context: CanvasRenderingContext2D, scale: Scale, paints: Paints, height: number): void {
  for (const { start, end, gap } of scale.stretches) {
    if (!gap) continue;
    context.fillStyle = paints.line;
    context.globalAlpha = 0.5;
    context.fillRect(start, MARKS_PX, end - start, height - MARKS_PX - FOUND_PX);
    context.globalAlpha = 1;
    context.strokeStyle = paints.muted;
    context.lineWidth = 1;
    for (const middle of [start + 5, end - 5]) {
      context.beginPath();
      for (let y = MARKS_PX; y <= height - FOUND_PX; y += 4) {
        const x = middle + ((y - MARKS_PX) % 8 === 0 ? -1.5 : 1.5);
        if (y === MARKS_PX) context.moveTo(x, y);
        else context.lineTo(x, y);
      }
      context.stroke();
    }
  }
}
