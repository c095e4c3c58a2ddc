import { describe, expect, it } from "vitest";

import { LANES } from "@/session/kinds";
import { Outline, type OutlineEvent, outlined } from "@/session/outline";
import { columnOf, countsAt, nearestColumn, nextColumn, pictureOf } from "@/session/picture";
import { GAP_PX, momentAt, placeOf, scaleOf } from "@/session/scale";
import { placeIn, told } from "@/session/strip-words";

import { event } from "./events";

const SECOND = 1000;
const HOUR = 3600 * SECOND;

function drawn(events: readonly OutlineEvent[], width = 100) {
  const outline = new Outline();
  outline.append(events);
  const scale = scaleOf(outline.times, outline.untils, width);
  return { outline, scale, picture: pictureOf(outline, scale) };
}

describe("the scale", () => {
  it("is even where nothing is left out", () => {
    const times = [0, 5, 10].map((second) => second * SECOND);
    const scale = scaleOf(times, times, 100);
    expect(times.map((time) => placeOf(scale, time))).toEqual([0, 50, 100]);
    expect(momentAt(scale, 25)).toBe(2500);
  });

  it("draws a long silence short, and the rest even beside it", () => {
    const times = [0, 10 * SECOND, HOUR, HOUR + 10 * SECOND];
    const scale = scaleOf(times, times, 116);
    expect(scale.stretches.map(({ gap }) => gap)).toEqual([false, true, false]);
    expect(times.map((time) => placeOf(scale, time))).toEqual([0, 50, 50 + GAP_PX, 116]);
    expect(momentAt(scale, 116)).toBe(HOUR + 10 * SECOND);
  });

  it("takes a long step for work, not for silence", () => {
    const scale = scaleOf([0, HOUR, HOUR + SECOND], [HOUR, HOUR, HOUR + SECOND], 100);
    expect(scale.stretches.some(({ gap }) => gap)).toBe(false);
  });

  it("leaves most of the width to what happened, however many silences there are", () => {
    const times = Array.from({ length: 200 }, (_, at) => at * HOUR);
    const scale = scaleOf(times, times, 500);
    const gaps = scale.stretches.filter(({ gap }) => gap);
    expect(gaps.length * GAP_PX).toBeLessThanOrEqual(0.4 * 500);
    expect(scale.stretches.at(-1)?.end).toBeCloseTo(500);
  });

  it("bears clocks that go back, one moment, and nothing at all", () => {
    const times = [10 * SECOND, 4 * SECOND, 20 * SECOND];
    const places = times.map((time) => placeOf(scaleOf(times, times, 100), time));
    expect(places).toEqual([0, 0, 100]);
    expect(placeOf(scaleOf([5], [5], 100), 5)).toBe(0);
    expect(placeOf(scaleOf([], [], 100), 5)).toBe(0);
    expect(momentAt(scaleOf([], [], 0), 5)).toBe(0);
  });
});

describe("the picture", () => {
  const shell = LANES.indexOf("shell");
  const tool = (id: number, type: string, more: object = {}) =>
    outlined(event(id, type, { tool_name: "Bash", tool_use_id: "a", ...more }));

  it("has each event in its column, and what goes on in all between", () => {
    const { picture } = drawn([tool(1, "pre_tool"), tool(11, "post_tool"), outlined(event(21, "message"))]);
    expect(picture.counts[shell * picture.width]).toBe(1);
    expect(picture.busy[shell * picture.width + 25]).toBe(1);
    expect(picture.busy[shell * picture.width + 75]).toBe(0);
    expect(picture.counts[LANES.indexOf("message") * picture.width + 99]).toBe(1);
  });

  it("marks where it failed", () => {
    const { picture } = drawn([tool(1, "pre_tool"), tool(21, "post_tool", { error: "no" })]);
    expect([picture.failures[0], picture.failures[99]]).toEqual([0, 1]);
  });

  it("counts every one of a hundred thousand events", () => {
    const events = Array.from({ length: 100_000 }, (_, id) => outlined(event(id + 1, "message")));
    const { picture } = drawn(events, 800);
    expect(picture.counts.reduce((sum, count) => sum + count)).toBe(100_000);
    expect(picture.width).toBe(800);
  });

  it("finds its way from column to column in which something happened", () => {
    const { picture } = drawn([outlined(event(1, "message")), outlined(event(11, "message"))]);
    expect(nearestColumn(picture, 40)).toBe(0);
    expect(nearestColumn(picture, 60)).toBe(99);
    expect(nextColumn(picture, 0, 1)).toBe(99);
    expect(nextColumn(picture, 99, 1)).toBe(99);
    expect(nextColumn(picture, 99, -1)).toBe(0);
    expect(nearestColumn(drawn([]).picture, 3)).toBeNull();
  });

  it("is told in words", () => {
    const { outline, picture, scale } = drawn([tool(1, "pre_tool"), tool(2, "post_tool", { error: "no" })]);
    expect(told(outline, picture, scale, columnOf(scale, outline.times[1] ?? 0, picture.width))).toMatch(
      /: 1 Shell, 1 failed$/,
    );
    expect(countsAt(picture, 50, 100)).toMatchObject({ failures: 1 });
    const empty = drawn([]);
    expect(told(empty.outline, empty.picture, empty.scale, 0)).toBe("Nothing has happened yet");
  });

  it("tells how long a silence was", () => {
    const later = new Date(Date.parse(event(0, "message").timestamp) + 2 * HOUR).toISOString();
    const { picture, scale } = drawn([
      outlined(event(1, "message")),
      outlined(event(5, "message")),
      outlined(event(6, "message", { timestamp: later })),
    ]);
    const gap = scale.stretches.find((one) => one.gap);
    expect(placeIn(picture, scale, Math.floor((gap?.start ?? 0) + 1)).silence).toBe("1 h 59 m");
  });
});
