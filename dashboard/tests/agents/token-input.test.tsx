import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { afterEach, expect, test } from "vitest";

import { checkSkill, checkTag } from "@/agents/rules";
import { TokenInput } from "@/agents/token-input";

afterEach(cleanup);

function Tags({ first = [], commas = true }: { first?: readonly string[]; commas?: boolean }) {
  const [tokens, setTokens] = useState(first);
  return (
    <>
      <TokenInput
        label="Tags"
        noun="tag"
        hint="Enter adds one."
        tokens={tokens}
        commas={commas}
        check={commas ? checkTag : checkSkill}
        onChange={setTokens}
      />
      <output>{JSON.stringify(tokens)}</output>
    </>
  );
}

const tokens = (): unknown => JSON.parse(document.querySelector("output")?.textContent ?? "null");
const field = () => screen.getByRole("textbox", { name: "Tags" });

test("Enter, a comma and leaving the field add what is typed, trimmed and once", async () => {
  render(<Tags />);
  await userEvent.type(field(), " a {Enter}b c,a{Enter}d");
  await userEvent.tab();
  expect(tokens()).toEqual(["a", "b c", "d"]);
});

test("where a comma belongs to the text, it does not end it", async () => {
  render(<Tags commas={false} />);
  await userEvent.type(field(), "a, b{Enter}");
  expect(tokens()).toEqual(["a, b"]);
});

test("a list that is pasted becomes its parts", async () => {
  render(<Tags />);
  await userEvent.click(field());
  await userEvent.paste("a, b\nc,,\n");
  expect(tokens()).toEqual(["a", "b", "c"]);
});

test("Backspace in the empty field takes the last away, and a button any", async () => {
  render(<Tags first={["a", "b", "c"]} />);
  await userEvent.click(field());
  await userEvent.keyboard("{Backspace}");
  expect(tokens()).toEqual(["a", "b"]);
  await userEvent.click(screen.getByRole("button", { name: "Remove a" }));
  expect(tokens()).toEqual(["b"]);
  expect(document.activeElement).toBe(field());
});

test("what can't be added stays in the field, with the reason", async () => {
  render(<Tags />);
  const long = "x".repeat(65);
  await userEvent.click(field());
  await userEvent.paste(`good,${long}`);
  expect(tokens()).toEqual(["good"]);
  expect(field()).toHaveProperty("value", long);
  expect(screen.getByRole("alert").textContent).toContain("over the limit");
  expect(field().getAttribute("aria-invalid")).toBe("true");
});
