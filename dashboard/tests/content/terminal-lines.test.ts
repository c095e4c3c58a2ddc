import { describe, expect, test } from "vitest";

import { classesOf, PLAIN, styleAfter } from "@/content/ansi-style";
import { terminalOutput } from "@/content/terminal-lines";

const ESC = "\u001b";
const BEL = "\u0007";

const textOf = (text: string) =>
  terminalOutput(text, 100, 100).head.map((line) => line.spans.map((span) => span.text).join(""));
const spansOf = (text: string) => terminalOutput(text, 100, 100).head.flatMap((line) => line.spans);

describe("lines", () => {
  test("end at newlines, and the last needs none", () => {
    expect(textOf("a\nb\n")).toEqual(["a", "b"]);
    expect(textOf("a\r\nb")).toEqual(["a", "b"]);
    expect(textOf("\n\n")).toEqual(["", ""]);
    expect(terminalOutput("", 10, 10)).toEqual({ total: 0, head: [], tail: [] });
  });

  test("that are written over are their last state", () => {
    expect(textOf(" 10%\r 50%\r100% done\nnext")).toEqual(["100% done", "next"]);
  });

  test("keep colours that were set in what was written over", () => {
    expect(spansOf(`${ESC}[31mold\rnew`)).toEqual([{ text: "new", className: "ansi-fg-1" }]);
  });

  test("take back what was struck over", () => {
    expect(textOf("b\bbo\bold\b\b\b\b\b\bx")).toEqual(["x"]);
  });

  test("are kept from the beginning and from the end, with the colour that holds there", () => {
    const text = `${ESC}[32m${Array.from({ length: 1000 }, (_, index) => `line ${index}`).join("\n")}`;
    const { total, head, tail } = terminalOutput(text, 2, 3);
    expect(total).toBe(1000);
    expect(head.map((line) => line.number)).toEqual([1, 2]);
    expect(tail.map((line) => [line.number, line.spans])).toEqual([
      [998, [{ text: "line 997", className: "ansi-fg-2" }]],
      [999, [{ text: "line 998", className: "ansi-fg-2" }]],
      [1000, [{ text: "line 999", className: "ansi-fg-2" }]],
    ]);
  });

  test("are all in the head where they are few", () => {
    const { head, tail } = terminalOutput("a\nb\nc", 2, 5);
    expect(head.length + tail.length).toBe(3);
  });
});

describe("escape sequences", () => {
  test("that select colours become classes", () => {
    expect(spansOf(`a${ESC}[1;31mb${ESC}[0mc`)).toEqual([
      { text: "a", className: "" },
      { text: "b", className: "ansi-fg-1 ansi-bold" },
      { text: "c", className: "" },
    ]);
  });

  test("of other kinds are dropped", () => {
    expect(textOf(`a${ESC}[2Kb${ESC}[1;1Hc${ESC}[?25ld${ESC}(Be${ESC}7f`)).toEqual(["abcdef"]);
    expect(textOf(`${ESC}]0;title${BEL}a${ESC}]8;;https://x.example${ESC}\\link${ESC}]8;;${ESC}\\`)).toEqual(["alink"]);
    expect(textOf(`a${ESC}P1$q${ESC}\\b`)).toEqual(["ab"]);
  });

  test("without an end swallow no text", () => {
    expect(textOf(`${ESC}]0;never ends\nnext`)).toEqual(["0;never ends", "next"]);
    expect(textOf(`${ESC}[`)).toEqual([""]);
    expect(textOf(`a${ESC}`)).toEqual(["a"]);
    expect(textOf(`${ESC}[${"1;".repeat(100)}m`)[0]).toContain("1;");
  });
});

describe("hostile output", () => {
  test("has its unseen characters written out", () => {
    expect(textOf("a\u0000b\u202ec\u009bd")).toEqual(["a␀b⟨U+202E⟩c⟨U+009B⟩d"]);
  });

  test("of a long line is cut and counted", () => {
    const { head } = terminalOutput("x".repeat(1_000_000), 10, 10);
    expect(head[0]?.cut).toBe(990_000);
    expect(head[0]?.spans[0]?.text).toHaveLength(10_000);
  });

  test("of a hundred thousand colours makes a bounded number of elements", () => {
    const { head } = terminalOutput(`${ESC}[31ma${ESC}[32mb`.repeat(50_000), 10, 10);
    expect(head[0]?.spans.length).toBeLessThanOrEqual(1_000);
  });

  test("that sets a style a million times is plain work", () => {
    expect(spansOf(`${ESC}[1m`.repeat(200_000).concat("end"))).toEqual([{ text: "end", className: "ansi-bold" }]);
  });

  test("of a million lines keeps what is shown", () => {
    const { total, head, tail } = terminalOutput("\n".repeat(1_000_000), 5, 5);
    expect(total).toBe(1_000_000);
    expect(head.length + tail.length).toBe(10);
  });
});

describe("styles", () => {
  const classesAfter = (parameters: string) => classesOf(styleAfter(PLAIN, parameters));

  test("of 256 and 16 million colours become the nearest of those that are readable here", () => {
    expect(classesAfter("38;5;1")).toBe("ansi-fg-1");
    expect(classesAfter("38;5;196")).toBe("ansi-fg-1");
    expect(classesAfter("38;2;10;190;10")).toBe("ansi-fg-2");
    expect(classesAfter("38;5;240")).toBe("ansi-fg-8");
    expect(classesAfter("48;5;21;1")).toBe("ansi-bg-4 ansi-bold");
    expect(classesAfter("38;5")).toBe("");
    expect(classesAfter("38;5;999")).toBe("");
  });

  test("hide nothing", () => {
    expect(classesAfter("8")).toBe("ansi-dim");
    expect(classesAfter("30;40")).toBe("ansi-bg-0");
    expect(classesAfter("7")).toBe("ansi-bg-7");
    expect(classesAfter("31;7")).toBe("ansi-bg-1");
  });

  test("end one by one, and all at once", () => {
    const bold = styleAfter(PLAIN, "1;3;4;9;31;42");
    expect(classesOf(styleAfter(bold, "22;23;24;29;39;49"))).toBe("");
    expect(styleAfter(bold, "")).toEqual(PLAIN);
  });
});
