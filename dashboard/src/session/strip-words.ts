import { whole } from "@/format/numbers";
import { duration, moment } from "@/format/time";

import { LANE_NAMES, LANES } from "./kinds";
import type { Outline } from "./outline";
import { countsAt, type Picture } from "./picture";
import { momentAt, type Scale } from "./scale";

/** Half a pointer's width, in px: what it covers is what is told. */
const REACH_PX = 2;

export type Place = {
  /** When it was, in words. */
  when: string;
  /** How long nothing happened; null where something did. */
  silence: string | null;
  /** How much happened, by lane. */
  lanes: readonly { lane: number; name: string; count: number }[];
  failures: number;
};

/** What a place in the picture shows. */
export function placeIn(picture: Picture, scale: Scale, column: number): Place {
  const gap = scale.stretches.find((one) => one.gap && column >= one.start && column < one.end);
  const { lanes, failures } = countsAt(picture, column, REACH_PX);
  return {
    when: moment(new Date(momentAt(scale, column + 0.5)).toISOString()),
    silence: gap ? duration(gap.to - gap.from) : null,
    lanes: lanes.flatMap((count, lane) =>
      count === 0 ? [] : [{ lane, name: LANE_NAMES[LANES[lane] ?? "other"], count }],
    ),
    failures,
  };
}

/** The same in a sentence. */
export function told(outline: Outline, picture: Picture, scale: Scale, column: number): string {
  if (outline.length === 0) return "Nothing has happened yet";
  const { when, silence, lanes, failures } = placeIn(picture, scale, column);
  const what = lanes.map(({ name, count }) => `${whole(count)} ${name}`).join(", ");
  const failed = failures === 0 ? "" : `, ${whole(failures)} failed`;
  if (silence !== null) return `${when}: nothing for ${silence}`;
  return what === "" ? when : `${when}: ${what}${failed}`;
}
