import { describe, expect, it } from "vitest";

import { changesOf, problemsOf } from "@/sessions/rename-dialog";
import { errorFrom } from "@/wire/client";

const BEFORE = { session_name: "Review", agent_name: "a", project_dir: "" };

describe("changesOf", () => {
  it("has only what was changed", () => {
    expect(changesOf(BEFORE, BEFORE)).toEqual({});
    expect(changesOf(BEFORE, { ...BEFORE, project_dir: "/p" })).toEqual({ project_dir: "/p" });
  });

  it("clears an agent, but leaves an empty name for the server to refuse", () => {
    expect(changesOf(BEFORE, { ...BEFORE, agent_name: "", session_name: "" })).toEqual({
      agent_name: null,
      session_name: "",
    });
  });
});

describe("problemsOf", () => {
  it("puts the server's words to their fields", () => {
    const detail = [{ loc: ["body", "session_name"], msg: "too long", type: "string_too_long" }];
    expect(problemsOf(errorFrom(422, { detail }, null))).toEqual({ session_name: "too long" });
  });

  it("has none for what concerns no field", () => {
    expect(problemsOf(errorFrom(404, { detail: "No session" }, null))).toEqual({});
    expect(problemsOf(new Error("offline"))).toEqual({});
  });
});
