import { expect, test } from "vitest";

import { NAMELESS, topSpenders, usageSince } from "@/charts/usage";
import type { Session } from "@/wire/types";

import { session } from "../fixtures";

const NOON = "2026-01-24T12:00:00.000000+00:00";
const SINCE = Date.parse(NOON);

const used = (agent_name: string | null, tokens: number | null, cost_usd: number | null, rest: Partial<Session> = {}) =>
  session("s", {
    agent_name,
    modified_at: NOON,
    usage:
      tokens === null ? null : { input_tokens: tokens, output_tokens: 1, cache_read_tokens: 2, cache_write_tokens: 3 },
    cost_usd,
    ...rest,
  });

test("sessions are summed up by agent, and it is known over how many", () => {
  const overview = usageSince(
    [
      used("a", 10, 0.5),
      used("a", 20, null),
      used(null, 5, 0.25),
      used("a", null, null),
      used("b", null, 2),
      used("a", 99, 9, { modified_at: "2026-01-24T11:59:59.999000+00:00" }),
    ],
    SINCE,
    "agent",
  );
  expect(overview).toMatchObject({ looked: 5, telling: 3, costing: 3 });
  expect(overview.spenders).toEqual([
    { name: "a", sessions: 2, input: 30, output: 2, cacheRead: 4, cacheWrite: 6, tokens: 42, cost: 0.5 },
    { name: NAMELESS.agent, sessions: 1, input: 5, output: 1, cacheRead: 2, cacheWrite: 3, tokens: 11, cost: 0.25 },
    { name: "b", sessions: 1, input: 0, output: 0, cacheRead: 0, cacheWrite: 0, tokens: 0, cost: 2 },
  ]);
});

test("they are summed up by project as well", () => {
  const overview = usageSince([used("a", 1, 1, { project_dir: "/src/app" }), used("b", 1, 1)], SINCE, "project");
  expect(overview.spenders.map((one) => one.name)).toEqual(["/src/app", NAMELESS.project]);
});

test("the first are named, the rest are one, and who used nothing is left out", () => {
  const { spenders } = usageSince(
    [used("a", 1, 1), used("b", 30, null), used("c", 20, 3), used("d", 10, 2)],
    SINCE,
    "agent",
  );
  const named = (what: "tokens" | "cost", most: number) => topSpenders(spenders, what, most).map((one) => one.name);
  expect(named("tokens", 4)).toEqual(["b", "c", "d", "a"]);
  expect(named("tokens", 3)).toEqual(["b", "c", "2 others"]);
  expect(named("cost", 4)).toEqual(["c", "d", "a"]);
  const rest = topSpenders(spenders, "tokens", 3).at(-1);
  expect(rest).toMatchObject({ sessions: 2, tokens: 23, input: 11, cost: 3 });
});
