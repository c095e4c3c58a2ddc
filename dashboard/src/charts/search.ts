export const HOURS = [1, 6, 24, 168] as const;
export type Hours = (typeof HOURS)[number];
export const DEFAULT_HOURS: Hours = 24;

/** By what tokens and cost are summed up. */
export type By = "agent" | "project";
export const DEFAULT_BY: By = "agent";

/** What the address says of the charts; defaults are left out of it. */
export type ChartsSearch = { hours?: Hours | undefined; by?: By | undefined };

/** Reads what somebody may have typed or linked to; what means nothing is dropped. */
export function readChartsSearch(raw: Record<string, unknown>): ChartsSearch {
  const search: ChartsSearch = {};
  const hours = HOURS.find((one) => String(one) === String(raw.hours));
  if (hours !== undefined && hours !== DEFAULT_HOURS) search.hours = hours;
  if (raw.by === "project") search.by = raw.by;
  return search;
}
