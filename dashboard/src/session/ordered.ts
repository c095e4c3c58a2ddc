/** The index of the first of some growing numbers that is this one or a greater one. */
export function lowerBound(numbers: readonly number[], wanted: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Where the reader is among some ids.
 *
 * current: the one gone to last, as long as it is in view. first, last: what is in view.
 */
export type Standpoint = { current: number | null; first: number | null; last: number | null };

/** The id to go to next, or before; beyond either end it goes on at the other. Null where there are none. */
export function stepped(ids: readonly number[], by: 1 | -1, from: Standpoint): number | null {
  const { current, first, last } = from;
  const index =
    by === 1
      ? lowerBound(ids, current === null ? (first ?? 0) : current + 1)
      : lowerBound(ids, current ?? (last ?? Number.POSITIVE_INFINITY) + 1) - 1;
  return ids[index] ?? (by === 1 ? ids[0] : ids.at(-1)) ?? null;
}
