import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test } from "vitest";

import { Code } from "@/content/code";
import { Diff } from "@/content/diff";
import { Terminal } from "@/content/terminal";

afterEach(cleanup);

const codeOf = (container: HTMLElement) => container.querySelector("code")?.textContent ?? "";

test("code is highlighted by its file's name", () => {
  const { container } = render(<Code text="const a = 1;" language="src/a.ts" />);
  expect(container.querySelector(".hljs-keyword")?.textContent).toBe("const");
});

test("code with line numbers counts its lines beside them", () => {
  const { container } = render(<Code text={"a\nb\nc\n"} numbers />);
  expect(container.querySelector("pre[aria-hidden]")?.textContent).toBe("1\n2\n3");
  expect(codeOf(container)).toBe("a\nb\nc\n");
});

test("hostile code is text", () => {
  const text = '</code><script>alert(1)</script><img src=x onerror="alert(1)">';
  for (const language of ["html", "unknown", "xml"]) {
    const { container } = render(<Code text={text} language={language} />);
    expect(codeOf(container)).toBe(text);
    expect(container.querySelector("script, img")).toBeNull();
    cleanup();
  }
});

test("an override of the text's direction is seen in code", () => {
  const { container } = render(<Code text={"if (a) { /*\u202e } */ }"} language="js" />);
  expect(codeOf(container)).toContain("⟨U+202E⟩");
});

test("long code is not highlighted, and longer code is shown part by part", async () => {
  const { container } = render(<Code text={"const a = 1;\n".repeat(40_000)} language="ts" />);
  expect(container.querySelector(".hljs-keyword")).toBeNull();
  const shown = codeOf(container).length;
  expect(shown).toBe(200_000);
  await userEvent.click(screen.getByRole("button", { name: "Show more" }));
  expect(codeOf(container).length).toBe(520_000);
});

test("a line of a megabyte is shown in part", () => {
  const { container } = render(<Code text={"x".repeat(1_000_000)} language="js" />);
  expect(codeOf(container)).toHaveLength(200_000);
});

test("a difference says in words what became of each line", () => {
  render(<Diff before={"a\nb\n"} after={"a\nc\n"} path="src/<b>.ts" />);
  expect(screen.getByRole("table", { name: "src/<b>.ts" })).toBeTruthy();
  expect(screen.getAllByRole("row").map((row) => row.textContent)).toEqual(
    expect.arrayContaining([expect.stringContaining("removedb"), expect.stringContaining("addedc")]),
  );
});

test("unchanged lines of a difference can be unfolded", async () => {
  const before = Array.from({ length: 40 }, (_, index) => `line ${index}`).join("\n");
  render(<Diff before={before} after={`${before}\nmore`} />);
  const rows = screen.getAllByRole("row").length;
  await userEvent.click(screen.getByRole("button", { name: "Show 37 unchanged lines" }));
  expect(screen.getAllByRole("row").length).toBe(rows + 36);
});

test("a long difference shows its beginning", async () => {
  const { container } = render(<Diff before="" after={"line\n".repeat(700)} />);
  const rows = () => container.querySelectorAll("tbody tr").length;
  expect(rows()).toBe(501);
  await userEvent.click(screen.getByText("Show all; 200 more lines"));
  expect(rows()).toBe(700);
});

test("texts that can't be compared are shown one after the other", () => {
  render(<Diff before={"a".repeat(600_000)} after={"b".repeat(600_000)} />);
  expect(screen.getByText(/too large, or too different/)).toBeTruthy();
});

test("terminal output shows its beginning and end, and all of it when asked", async () => {
  const text = Array.from({ length: 1_234 }, (_, index) => `<b>${index}</b>`).join("\n");
  const { container } = render(<Terminal text={text} />);
  expect(container.textContent).toContain("<b>0</b>");
  expect(container.textContent).toContain("<b>1233</b>");
  expect(container.textContent).not.toContain("<b>500</b>");
  await userEvent.click(screen.getByText("Show all 1,234 lines"));
  expect(container.textContent).toContain("<b>500</b>");
  expect(container.querySelector("b")).toBeNull();
});

test("code that opens thousands of levels is shown whole, in a bounded number of them", () => {
  const text = "`${\n".repeat(5_000);
  const { container } = render(<Code text={text} language="ts" />);
  expect(codeOf(container)).toBe(text);
  let depth = 0;
  for (
    let element: Element | null = container.querySelector("code");
    element !== null;
    element = element.querySelector("span")
  )
    depth += 1;
  expect(depth).toBeGreaterThan(10);
  expect(depth).toBeLessThan(60);
});
