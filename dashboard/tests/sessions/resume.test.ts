import { describe, expect, it } from "vitest";

import { quoted, waysToResume } from "@/sessions/resume";

const UUID = "0b0f8c9e-53b5-4d0c-9d44-0a4c4f0a8f11";
const titles = (session_id: string) => waysToResume({ session_id, project_dir: null }).map(({ title }) => title);
const claude = (project_dir: string | null) => waysToResume({ session_id: UUID, project_dir })[0]?.text;

it("offers Claude Code for its own sessions, and first", () => {
  expect(titles(UUID)[0]).toBe("Claude Code");
  expect(titles("demo")).toEqual(["An agent in Python", "A command"]);
});

it("goes to the project where that is known", () => {
  expect(claude("/src/shop")).toBe(`cd /src/shop && claude --resume ${UUID}`);
  expect(claude(null)).toBe(`claude --resume ${UUID}`);
});

it("writes the id as Python and as the shell need it", () => {
  const [python, command] = waysToResume({ session_id: `it's "1"`, project_dir: null });
  expect(python?.text).toBe('AgentBridge(session_id="it\'s \\"1\\"")');
  expect(command?.text).toBe(`.venv/bin/agent-bridge run --session-id='it'\\''s "1"' -- CMD`);
});

describe("quoted", () => {
  it.each(["/src/shop", "a-b_c.d@e", "C:/x"])("leaves %s as it is", (text) => {
    expect(quoted(text)).toBe(text);
  });

  it.each([
    ["my shop", "'my shop'"],
    ["$(rm -rf ~)", "'$(rm -rf ~)'"],
    ["'; rm x; '", "''\\''; rm x; '\\'''"],
    ["-rf", "'-rf'"],
    ["a\nb", "'a\nb'"],
    ["", "''"],
  ])("%j becomes %j", (text, expected) => {
    expect(quoted(text)).toBe(expected);
  });
});
