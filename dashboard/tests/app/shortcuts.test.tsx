import { cleanup, render } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useEffect } from "react";
import { afterEach, beforeEach, expect, test } from "vitest";

import { type Command, enableShortcuts, listenForKeys, useOffer } from "@/app/shortcuts";

let ran: string[];

beforeEach(() => {
  ran = [];
  enableShortcuts(true);
});
afterEach(cleanup);

const command = (id: string, keys: string): Command => ({
  id,
  label: id,
  group: "Test",
  keys,
  run: () => ran.push(id),
});

function Page({ commands, children }: { commands: Command[]; children?: React.ReactNode }) {
  useEffect(listenForKeys, []);
  useOffer(commands);
  return <>{children}</>;
}

test("a key runs its command, and the one that was offered last where two want it", async () => {
  render(
    <>
      <Page commands={[command("page", "j")]} />
      <Inner />
    </>,
  );
  await userEvent.keyboard("j");
  expect(ran).toEqual(["inner"]);
});

function Inner() {
  useOffer([command("inner", "j")]);
  return null;
}

test("two keys one after the other are one shortcut", async () => {
  render(<Page commands={[command("go", "g s"), command("stop", "s")]} />);
  await userEvent.keyboard("gss");
  expect(ran).toEqual(["go", "stop"]);
});

test("what is typed into a field is no shortcut, nor is a key with Ctrl", async () => {
  const page = render(
    <Page commands={[command("stop", "s")]}>
      <input aria-label="field" />
    </Page>,
  );
  await userEvent.keyboard("{Control>}s{/Control}");
  await userEvent.type(page.getByLabelText("field"), "s");
  expect(ran).toEqual([]);
});

test("a ticked box takes no letters, and Enter on a button presses the button only", async () => {
  const page = render(
    <Page commands={[command("down", "j"), command("open", "Enter")]}>
      <input type="checkbox" aria-label="box" />
      <button type="button" onClick={() => ran.push("pressed")}>
        press
      </button>
    </Page>,
  );
  page.getByLabelText("box").focus();
  await userEvent.keyboard("j");
  page.getByText("press").focus();
  await userEvent.keyboard("{Enter}");
  expect(ran).toEqual(["down", "pressed"]);
});

test("behind a dialog nothing is run", async () => {
  render(
    <Page commands={[command("stop", "s")]}>
      <div role="dialog" aria-label="open" />
    </Page>,
  );
  await userEvent.keyboard("s");
  expect(ran).toEqual([]);
});

test("single keys can be turned off", async () => {
  render(<Page commands={[command("stop", "s")]} />);
  enableShortcuts(false);
  await userEvent.keyboard("s");
  expect(ran).toEqual([]);
});

test("a command is gone with what offered it, and is always the newest of its name", async () => {
  const page = render(<Page commands={[command("stop", "s")]} />);
  page.rerender(<Page commands={[{ ...command("stop", "s"), run: () => ran.push("newer") }]} />);
  await userEvent.keyboard("s");
  page.unmount();
  await userEvent.keyboard("s");
  expect(ran).toEqual(["newer"]);
});
