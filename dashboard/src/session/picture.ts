import { LANES } from "./kinds";
import type { Outline } from "./outline";
import { placeOf, type Scale } from "./scale";

/** A run, a column a pixel. Two-dimensional arrays are lane after lane. */
export type Picture = {
  width: number;
  /** Events by lane and column. */
  counts: Uint32Array;
  /** Steps that were going on, by lane and column. */
  busy: Uint32Array;
  /** Failures by column. */
  failures: Uint32Array;
  /** The index in the outline of the first event of each column; -1 where there is none. */
  first: Int32Array;
};

/** Draws an outline together into columns: its size shows in the time this takes, not in the picture. */
export function pictureOf(outline: Outline, scale: Scale): Picture {
  const width = Math.max(1, Math.floor(scale.width));
  const counts = new Uint32Array(LANES.length * width);
  const edges = new Int32Array(LANES.length * (width + 1));
  const failures = new Uint32Array(width);
  const first = new Int32Array(width).fill(-1);
  const { times, untils, lanes, errors } = outline;
  for (let index = 0; index < times.length; index += 1) {
    const time = times[index] ?? 0;
    const until = untils[index] ?? time;
    const lane = lanes[index] ?? 0;
    const column = columnOf(scale, time, width);
    counts[lane * width + column] = (counts[lane * width + column] ?? 0) + 1;
    if (first[column] === -1) first[column] = index;
    if (errors[index] === 1) failures[column] = (failures[column] ?? 0) + 1;
    if (until > time) {
      const row = lane * (width + 1);
      const end = columnOf(scale, until, width);
      edges[row + column] = (edges[row + column] ?? 0) + 1;
      edges[row + end + 1] = (edges[row + end + 1] ?? 0) - 1;
    }
  }
  return { width, counts, busy: summed(edges, width), failures, first };
}

export function columnOf(scale: Scale, time: number, width: number): number {
  return Math.min(width - 1, Math.max(0, Math.floor(placeOf(scale, time))));
}

/** The column nearest to one in which anything happened; null in an empty picture. */
export function nearestColumn(picture: Picture, column: number): number | null {
  for (let distance = 0; distance < picture.width; distance += 1) {
    if ((picture.first[column - distance] ?? -1) !== -1) return column - distance;
    if ((picture.first[column + distance] ?? -1) !== -1) return column + distance;
  }
  return null;
}

/** The next column in a direction in which anything happened; the one itself where there is none. */
export function nextColumn(picture: Picture, column: number, by: 1 | -1): number {
  for (let next = column + by; next >= 0 && next < picture.width; next += by) {
    if (picture.first[next] !== -1) return next;
  }
  return column;
}

/** How many events of each lane are in a column and its neighbours, up to a pointer's width away. */
export function countsAt(picture: Picture, column: number, reach: number): { lanes: number[]; failures: number } {
  const from = Math.max(0, column - reach);
  const to = Math.min(picture.width - 1, column + reach);
  const sum = (array: Uint32Array, row: number) => {
    let total = 0;
    for (let at = from; at <= to; at += 1) total += array[row + at] ?? 0;
    return total;
  };
  return {
    lanes: LANES.map((_, lane) => sum(picture.counts, lane * picture.width)),
    failures: sum(picture.failures, 0),
  };
}

function summed(edges: Int32Array, width: number): Uint32Array {
  const sums = new Uint32Array(LANES.length * width);
  for (let lane = 0; lane < LANES.length; lane += 1) {
    let going = 0;
    for (let column = 0; column < width; column += 1) {
      going += edges[lane * (width + 1) + column] ?? 0;
      sums[lane * width + column] = going;
    }
  }
  return sums;
}
