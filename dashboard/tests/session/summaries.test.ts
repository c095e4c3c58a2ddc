import { describe, expect, it } from "vitest";

import { Items } from "@/session/items";
import { eventName, summaryOf, summaryOfTool, textOfOutput, toolName } from "@/session/summaries";

import { event } from "./events";

describe("what a tool was asked to do", () => {
  it.each<[string, Record<string, unknown>, string]>([
    ["Bash", { command: "npm test", description: "x" }, "npm test"],
    ["Bash", { command: "cd a\nls -la\n" }, "cd a …"],
    ["Read", { file_path: "/home/dev/shop/src/a.ts" }, "src/a.ts"],
    ["Read", { file_path: "/etc/hosts" }, "/etc/hosts"],
    ["Edit", { file_path: "/home/dev/shop/b.ts", old_string: "", new_string: "" }, "b.ts"],
    ["Write", { file_path: "/home/dev/shopping/c.ts", content: "" }, "/home/dev/shopping/c.ts"],
    ["Grep", { pattern: "a+", path: "/home/dev/shop/src" }, "a+ in src"],
    ["Grep", { pattern: "a+", glob: "*.ts" }, "a+ in *.ts"],
    ["Grep", { pattern: "a+" }, "a+"],
    ["Glob", { pattern: "**/*.ts" }, "**/*.ts"],
    ["WebFetch", { url: "https://example.com", prompt: "x" }, "https://example.com"],
    ["Task", { description: "Look", prompt: "Look at it all" }, "Look"],
    [
      "TodoWrite",
      { todos: [{ status: "completed" }, { status: "in_progress", activeForm: "Doing" }] },
      "1 of 2 done: Doing",
    ],
    ["mcp__github__create_issue", { owner: "o", title: "Broken" }, "Broken"],
    ["unheard_of", { deep: { er: 1 } }, '{"deep":{"er":1}}'],
    ["unheard_of", {}, ""],
    ["Bash", { command: 7 }, "7"],
    ["Bash", { command: null }, '{"command":null}'],
  ])("%s %j", (tool, input, summary) => {
    expect(summaryOfTool(tool, input, "/home/dev/shop")).toBe(summary);
  });

  it("is one line of bounded length, in which nothing hides", () => {
    expect(summaryOfTool("Bash", { command: "x".repeat(9999) }, null).length).toBeLessThan(310);
    expect(summaryOfTool("Bash", { command: "a\u001b[31mb\u202ec\td" }, null)).toBe("a [31mb c d");
  });

  it("is nothing where there is no input", () => {
    expect(summaryOfTool("Bash", null, null)).toBe("");
  });
});

describe("an item in a line", () => {
  const line = (type: string, more: Record<string, unknown>) => {
    const item = new Items([event(1, type, more)]).top[0];
    return item && summaryOf(item, null);
  };

  it.each<[string, Record<string, unknown>, string]>([
    ["message", { role: "assistant", content: [{ type: "text", text: "One\ntwo" }] }, "One …"],
    ["message", { role: "user", content: [{ type: "image" }] }, "[image]"],
    ["message", { role: "user", content: null }, ""],
    ["session_stop", { reason: "the turn has ended" }, "the turn has ended"],
    ["session_stop", { reason: "lost", exit_code: 0 }, "lost, exit code 0"],
    ["events_dropped", { count: 7 }, "7 events are missing here: Redis was away for too long"],
    ["notification", { message: "Claude waits" }, "Claude waits"],
    ["never_heard_of", { deep: {} }, ""],
    ["output", { text: "one\ntwo\n" }, "two"],
  ])("%s %j", (type, more, summary) => {
    expect(line(type, more)).toBe(summary);
  });

  it("is called by words", () => {
    expect(toolName("mcp__github__create_issue")).toBe("github: create_issue");
    expect(toolName("Bash")).toBe("Bash");
    expect(eventName("events_dropped")).toBe("Events dropped");
    expect(
      textOfOutput([event(1, "output", { text: "a" }), event(2, "output"), event(3, "output", { text: "b" })]),
    ).toBe("ab");
  });
});
