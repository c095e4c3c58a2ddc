import { describe, expect, it } from "vitest";

import { itemsOf, listSessions, runningByAgent } from "@/sessions/listing";
import type { SessionsSearch } from "@/sessions/search";
import type { Session, Status } from "@/wire/types";

import { session } from "../fixtures";

const at = (minute: number) => `2026-01-24T10:${String(minute).padStart(2, "0")}:00.000000+00:00`;
const NOW = Date.parse(at(30));

const SESSIONS = [
  session("a", { session_name: "Build", agent_name: "nightly", project_dir: "/src/shop", created_at: at(1) }),
  session("b", {
    session_name: "build docs",
    agent_name: "writer",
    project_dir: "/src/docs",
    status: "finished",
    created_at: at(2),
  }),
  session("c", {
    session_name: "Review",
    agent_name: "writer",
    project_dir: "/src/shop",
    status: "stopped",
    created_at: at(3),
  }),
  session("d", { session_name: "Anything", created_at: at(4) }),
];

const list = (search: SessionsSearch, sessions: Iterable<Session> = SESSIONS) => listSessions(sessions, search, NOW);
const ids = (search: SessionsSearch, sessions: Iterable<Session> = SESSIONS) =>
  list(search, sessions).matching.map(({ session_id }) => session_id);

describe("what matches", () => {
  it("is everything, newest first, by default", () => {
    expect(ids({})).toEqual(["d", "c", "b", "a"]);
  });

  it.each([
    [{ q: "BUILD" }, ["b", "a"]],
    [{ q: "shop" }, ["c", "a"]],
    [{ q: "writ" }, ["c", "b"]],
    [{ q: "  shop   review " }, ["c"]],
    [{ q: "nowhere" }, []],
    [{ status: "running" }, ["d", "a"]],
    [{ agent: "writer" }, ["c", "b"]],
    [{ agent: "" }, ["d"]],
    [{ project: "/src/shop" }, ["c", "a"]],
    [{ project: "" }, ["d"]],
    [{ project: "/src/shop", status: "stopped", q: "re" }, ["c"]],
  ] as [SessionsSearch, string[]][])("%j: %j", (search, expected) => {
    expect(ids(search)).toEqual(expected);
  });

  it("is found by what a session has become, not by what it was", () => {
    const [first] = SESSIONS as [Session];
    expect(ids({ q: "renamed" }, [first])).toEqual([]);
    expect(ids({ q: "renamed" }, [{ ...first, session_name: "renamed" }])).toEqual(["a"]);
  });
});

describe("the counts beside the filters", () => {
  it("say what would be shown if that were chosen instead", () => {
    const { statuses, agents, projects } = list({ agent: "writer", status: "stopped" });
    expect(statuses).toEqual({ all: 2, running: 0, finished: 1, stopped: 1 });
    expect(agents).toEqual([{ value: "writer", count: 1 }]);
    expect(projects).toEqual([{ value: "/src/shop", count: 1 }]);
  });

  it("heed the search", () => {
    expect(list({ q: "build" }).statuses).toEqual({ all: 2, running: 1, finished: 1, stopped: 0 });
  });

  it("are by name, and have those that name nothing first", () => {
    expect(list({}).agents).toEqual([
      { value: "", count: 1 },
      { value: "nightly", count: 1 },
      { value: "writer", count: 2 },
    ]);
  });

  it("have what is chosen though nothing matches it", () => {
    expect(list({ agent: "gone" }).agents).toContainEqual({ value: "gone", count: 0 });
  });
});

describe("the order", () => {
  it.each([
    [{ sort: "name" }, ["d", "a", "b", "c"]],
    [{ sort: "name", dir: "desc" }, ["c", "b", "a", "d"]],
    [{ sort: "status" }, ["d", "a", "c", "b"]],
    [{ sort: "created", dir: "asc" }, ["a", "b", "c", "d"]],
  ] as [SessionsSearch, string[]][])("%j: %j", (search, expected) => {
    expect(ids(search)).toEqual(expected);
  });

  it("has what names nothing last, whichever the direction", () => {
    expect(ids({ sort: "agent" })).toEqual(["a", "c", "b", "d"]);
    expect(ids({ sort: "agent", dir: "desc" })).toEqual(["c", "b", "a", "d"]);
  });

  it("is by figures where there are any", () => {
    const usage = (input_tokens: number) => ({
      usage: { input_tokens, output_tokens: 1, cache_read_tokens: 1, cache_write_tokens: 1 },
      cost_usd: input_tokens / 1000,
      events: input_tokens,
    });
    const sessions = [session("few", usage(9)), session("many", usage(100)), session("none")];
    for (const sort of ["tokens", "cost", "events"] as const) {
      expect(ids({ sort }, sessions)).toEqual(["many", "few", "none"]);
    }
  });

  it("is by how long a run has gone on, or went on", () => {
    const sessions = [
      session("ended", { status: "finished", started_at: at(0), ended_at: at(20) }),
      session("young", { started_at: at(25) }),
      session("old", { started_at: at(1) }),
    ];
    expect(ids({ sort: "duration" }, sessions)).toEqual(["old", "ended", "young"]);
  });
});

describe("groups", () => {
  const items = (collapsed: readonly string[] = []) =>
    itemsOf(list({}).matching, "project", new Set(collapsed)).map((item) =>
      item.kind === "group"
        ? `${item.project || "none"} ${item.count}/${item.running}${item.collapsed ? " folded" : ""}`
        : item.session.session_id,
    );

  it("are in the order of their first session, with their counts", () => {
    expect(items()).toEqual(["none 1/1", "d", "/src/shop 2/1", "c", "a", "/src/docs 1/0", "b"]);
  });

  it("hide their sessions when they are folded", () => {
    expect(items(["/src/shop", ""])).toEqual(["none 1/1 folded", "/src/shop 2/1 folded", "/src/docs 1/0", "b"]);
  });

  it("have keys of their own, whatever a session's id is", () => {
    const keys = itemsOf(list({}).matching, "project", new Set()).map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("are not there unless they are asked for", () => {
    expect(itemsOf(list({}).matching, undefined, new Set([""])).every(({ kind }) => kind === "session")).toBe(true);
  });
});

it("counts what runs, by agent", () => {
  expect(runningByAgent(SESSIONS)).toEqual({ agents: [{ value: "nightly", count: 1 }], running: 2 });
});

it("has an answer for ten thousand sessions, each exactly once", () => {
  const statuses: readonly Status[] = ["running", "finished", "stopped"];
  const many = Array.from({ length: 10_000 }, (_, n) =>
    session(`s${n}`, { status: statuses[n % 3] ?? "running", created_at: at(n % 60), events: n % 97 }),
  );
  for (const search of [{}, { sort: "events" }, { sort: "name" }, { sort: "duration" }] as SessionsSearch[]) {
    expect(new Set(ids(search, many)).size).toBe(10_000);
  }
});
