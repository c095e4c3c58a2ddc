import { describe, expect, it } from "vitest";

import { folderOf, runLength, standingOf, tokensOf } from "@/sessions/facts";

import { session } from "../fixtures";

const START = "2026-01-24T10:00:00.000000+00:00";
const END = "2026-01-24T10:00:30.000000+00:00";
const NOW = Date.parse("2026-01-24T10:01:00+00:00");

describe("runLength", () => {
  it("goes on while the session runs", () => {
    expect(runLength(session("s", { started_at: START }), NOW)).toBe(60_000);
  });

  it("ends with the run", () => {
    expect(runLength(session("s", { status: "finished", started_at: START, ended_at: END }), NOW)).toBe(30_000);
  });

  it("goes by what else is known of sessions that an older version has written", () => {
    const old = { started_at: null, ended_at: null, created_at: START, modified_at: END };
    expect(runLength(session("s", { ...old, status: "stopped" }), NOW)).toBe(30_000);
    expect(runLength(session("s", old), NOW)).toBe(60_000);
  });

  it("is never below zero when clocks differ", () => {
    expect(runLength(session("s", { started_at: END }), Date.parse(START))).toBe(0);
  });
});

it("adds up all tokens, and knows when none were reported", () => {
  const usage = { input_tokens: 1, output_tokens: 20, cache_read_tokens: 300, cache_write_tokens: 4000 };
  expect(tokensOf(session("s", { usage }))).toBe(4321);
  expect(tokensOf(session("s"))).toBeNull();
});

it.each([
  ["/home/anna/src/shop", "shop"],
  ["/home/anna/src/shop/", "shop"],
  ["C:\\work\\shop", "shop"],
  ["shop", "shop"],
  ["/", "/"],
])("the folder of %s is %s", (path, folder) => {
  expect(folderOf(path)).toBe(folder);
});

it.each([
  ["running", null, "running"],
  ["running", false, "stopping"],
  ["stopped", false, "stopped-unconfirmed"],
  ["stopped", true, "stopped"],
  ["finished", null, "finished"],
  ["finished", false, "finished"],
] as const)("%s, confirmed %s: %s", (status, stop_confirmed, standing) => {
  expect(standingOf({ status, stop_confirmed })).toBe(standing);
});

it("stands by its status alone where the server does not know of confirmations", () => {
  expect(standingOf({ status: "running" })).toBe("running");
});
