import { cleanup, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { afterEach, expect, test } from "vitest";

import { serversIn } from "@/agents/draft";
import { rowsOf, type Servers } from "@/agents/servers";
import { ServersEditor } from "@/agents/servers-editor";

afterEach(cleanup);

/** Pasted, which is one change where typing is one for each key. */
async function put(element: HTMLElement, text: string) {
  await userEvent.click(element);
  await userEvent.paste(text);
}

let current: Servers;

function Editor({ first }: { first: Servers }) {
  const [servers, setServers] = useState(first);
  current = servers;
  return <ServersEditor servers={servers} problems={[]} onChange={setServers} />;
}

const form = (servers: Record<string, unknown>): Servers => ({ view: "form", rows: rowsOf(servers), text: null });

test("JSON that can't be used says where, and keeps the form from showing", async () => {
  render(<Editor first={{ view: "json", rows: [], text: '{\n  "a": {}\n}' }} />);
  expect(screen.getByRole("status").textContent).toContain("Line 2, column 3: A command is needed.");
  await userEvent.click(screen.getByRole("radio", { name: "Form" }));
  expect(screen.getByRole("status").textContent).toContain("The form can’t show it");
  expect(current.view).toBe("json");
});

test("JSON that can be used shows as a form, with what the form does not know", async () => {
  render(
    <Editor first={{ view: "json", rows: [], text: '{"a": {"command": "npx", "args": ["-y"], "cwd": "/tmp"}}' }} />,
  );
  await userEvent.click(screen.getByRole("radio", { name: "Form" }));
  expect(screen.getByRole("textbox", { name: "Command" })).toHaveProperty("value", "npx");
  expect(screen.getByText(/Also kept.*cwd/)).toBeTruthy();
  await userEvent.type(screen.getByRole("textbox", { name: "Argument 1" }), "{Enter}--fast");
  expect(serversIn(current)).toEqual({ a: { type: "stdio", command: "npx", args: ["-y", "--fast"], cwd: "/tmp" } });
});

test("a server is added, switched to HTTP and removed", async () => {
  render(<Editor first={form({})} />);
  await userEvent.click(screen.getByRole("button", { name: "Add a server" }));
  await userEvent.selectOptions(screen.getByRole("combobox", { name: "Reached by" }), "http");
  await put(screen.getByRole("textbox", { name: "URL" }), "https://example.com");
  await userEvent.click(screen.getByRole("button", { name: "Add a header" }));
  await put(screen.getByRole("textbox", { name: "Name of header 1" }), "Authorization");
  await put(screen.getByLabelText("value of Authorization"), "Bearer x");
  expect(serversIn(current)).toEqual({
    server: { type: "http", url: "https://example.com", headers: { Authorization: "Bearer x" } },
  });
  await userEvent.click(screen.getByRole("button", { name: "Remove server" }));
  expect(serversIn(current)).toEqual({});
});

test("values are hidden until somebody asks to see them", async () => {
  render(<Editor first={form({ a: { command: "x", env: { TOKEN: "secret" } } })} />);
  const environment = within(screen.getByRole("group", { name: "Environment" }));
  expect(environment.getByLabelText("value of TOKEN").getAttribute("type")).toBe("password");
  await userEvent.click(environment.getByRole("button", { name: "Show value of TOKEN" }));
  expect(environment.getByLabelText("value of TOKEN").getAttribute("type")).toBe("text");
});

test("a value of several lines is changed only where its lines are kept", async () => {
  render(<Editor first={form({ a: { command: "x", env: { KEY: "one\ntwo" } } })} />);
  await put(screen.getByLabelText("value of KEY"), "lost");
  expect(serversIn(current)).toMatchObject({ a: { env: { KEY: "one\ntwo" } } });
  await userEvent.click(screen.getByRole("button", { name: "Show value of KEY" }));
  await put(screen.getByRole("textbox", { name: "value of KEY" }), "\nthree");
  expect(serversIn(current)).toMatchObject({ a: { env: { KEY: "one\ntwo\nthree" } } });
});
