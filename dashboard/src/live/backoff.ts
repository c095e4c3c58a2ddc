const FIRST_MS = 500;
const LONGEST_MS = 15_000;
/** So that a server which closes at once is not asked in a tight loop. */
const SHORTEST_MS = 100;

/**
 * How long to wait before the next attempt, in ms: anything up to a bound that doubles with each failure, so that
 * browsers which lost the same server do not come back in step ("full jitter", AWS Architecture Blog, "Exponential
 * Backoff And Jitter", 2015).
 *
 * @param failures how many attempts have failed since the last success.
 * @param random from 0 to 1.
 */
export function backoff(failures: number, random: number): number {
  const bound = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 10));
  return Math.max(SHORTEST_MS, Math.round(bound * random));
}
