import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test } from "vitest";

import { JsonTree } from "@/content/json-tree";

afterEach(cleanup);

const names = () => screen.getAllByRole("treeitem").map((item) => item.textContent);

test("it is a tree of one tab stop, in which the arrow keys move, open and close", async () => {
  const user = userEvent.setup();
  render(<JsonTree value={{ a: { b: { c: 1 } }, d: "x" }} label="input" />);
  expect(screen.getByRole("tree", { name: "input" })).toBeTruthy();
  await user.tab();
  expect(document.activeElement?.textContent).toContain("input");
  await user.keyboard("{ArrowDown}{ArrowDown}");
  expect(document.activeElement?.getAttribute("aria-expanded")).toBe("false");
  await user.keyboard("{ArrowRight}{ArrowRight}");
  expect(document.activeElement?.textContent).toContain("c: 1");
  await user.keyboard("{ArrowLeft}{ArrowLeft}");
  expect(document.activeElement?.getAttribute("aria-expanded")).toBe("false");
  await user.keyboard("{End}");
  expect(document.activeElement?.textContent).toContain('d: "x"');
  await user.keyboard("{Home}{Enter}");
  expect(names()).toHaveLength(1);
});

test("keys of the page's list do not reach the page, others do", async () => {
  const user = userEvent.setup();
  const reached: string[] = [];
  const listen = (event: KeyboardEvent) => reached.push(event.key);
  window.addEventListener("keydown", listen);
  render(<JsonTree value={{ a: 1 }} />);
  await user.tab();
  reached.length = 0;
  await user.keyboard("{Enter}{ArrowDown}j");
  window.removeEventListener("keydown", listen);
  expect(reached).toEqual(["j"]);
});

test("a click opens, and the button of the focused line copies its value", async () => {
  const user = userEvent.setup();
  render(<JsonTree value={{ list: Array.from({ length: 30 }, (_, index) => index), text: "two\nlines" }} />);
  await user.click(screen.getByText(/^\[ 0, 1/));
  expect(names()).toHaveLength(33);
  await user.keyboard("{End}");
  await user.tab();
  await user.keyboard("{Enter}");
  await screen.findByRole("button", { name: "Copied" });
  expect(await navigator.clipboard.readText()).toBe("two\nlines");
});

test("more of a long list is shown when asked", async () => {
  const user = userEvent.setup();
  render(<JsonTree value={Array.from({ length: 5000 }, (_, index) => index)} />);
  expect(names()).toHaveLength(102);
  await user.click(screen.getByText("Show 100 more of 4,900"));
  expect(names()).toHaveLength(202);
});

test("hostile values are text", () => {
  const { container } = render(
    <JsonTree
      value={{
        "<img src=x onerror=alert(1)>": "<script>alert(1)</script>",
        rtl: "a\u202eb",
        huge: "x".repeat(1_000_000),
      }}
    />,
  );
  expect(container.querySelector("img, script")).toBeNull();
  expect(container.textContent).toContain("<script>alert(1)</script>");
  expect(container.textContent).toContain("a⟨U+202E⟩b");
  expect(container.textContent).toContain("999,760 more characters");
});

test("ten thousand levels are shown and opened one by one", async () => {
  const user = userEvent.setup();
  render(<JsonTree value={JSON.parse(`${"[".repeat(10_000)}${"]".repeat(10_000)}`)} />);
  const before = names().length;
  await user.click(screen.getByText("[ […] ]"));
  expect(names().length).toBe(before + 1);
});
