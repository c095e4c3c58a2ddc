import { act, cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Access } from "@/access/access";
import { Gate } from "@/access/gate";
import { type Backend, BackendProvider } from "@/app/backend";
import type { Role } from "@/wire/types";

import { Memory } from "./access-of";
import { FakeServer } from "./fake-server";

let server: FakeServer;
let access: Access;

function Draft() {
  const [text, setText] = useState("");
  return <input aria-label="Draft" value={text} onChange={(event) => setText(event.target.value)} />;
}

function open(tokens: Record<string, Role>, kept: string | null = null): void {
  server = new FakeServer(new Map(Object.entries(tokens)));
  access = new Access("http://api", new Memory(kept));
  const backend = { access, addresses: { api: "http://api" } } as unknown as Backend;
  render(
    <BackendProvider backend={backend}>
      <Gate>
        <Draft />
      </Gate>
    </BackendProvider>,
  );
}

const field = () => screen.getByLabelText<HTMLInputElement>("Token");
const signIn = async (token: string) => {
  fireEvent.change(field(), { target: { value: token } });
  await act(async () => {
    fireEvent.submit(field().form as HTMLFormElement);
  });
};

beforeEach(() => {
  document.title = "Sessions · Agent orchestrator";
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

test("where no token is asked for, the page is shown and nothing else", async () => {
  open({});
  expect(screen.queryByLabelText("Draft")).toBeNull();
  await act(() => access.find());
  expect(screen.getByLabelText("Draft")).toBeTruthy();
  expect(screen.queryByLabelText("Token")).toBeNull();
});

test("where one is asked for, nothing of the page is there before somebody has signed in", async () => {
  open({ v: "viewer" });
  await act(() => access.find());
  expect(screen.queryByLabelText("Draft")).toBeNull();
  expect([field().type, field().autocomplete, document.title]).toEqual([
    "password",
    "current-password",
    "Sign in · Agent orchestrator",
  ]);
  await signIn("v");
  expect(screen.getByLabelText("Draft")).toBeTruthy();
  expect(screen.queryByLabelText("Token")).toBeNull();
  expect(document.title).toBe("Sessions · Agent orchestrator");
});

test.each([
  ["x", /not known here/],
  ["a", /belongs to an agent/],
  ["two words", /A token is one word/],
])("%j is refused with words at the field", async (token, words) => {
  open({ a: "agent" });
  await act(() => access.find());
  await signIn(token);
  expect(screen.getByRole("alert", { hidden: true }).textContent).toMatch(words);
  expect(field().getAttribute("aria-invalid")).toBe("true");
});

test("what was being written is there again after a token was revoked", async () => {
  open({ o: "operator" }, "o");
  await act(() => access.find());
  fireEvent.change(screen.getByLabelText("Draft"), { target: { value: "half a thought" } });
  server.tokens.delete("o");
  server.tokens.set("next", "operator");
  await act(() => access.refused("o"));
  expect(screen.getByText(/it was revoked/)).toBeTruthy();
  await signIn("next");
  await waitFor(() => expect(screen.queryByLabelText("Token")).toBeNull());
  expect(screen.getByLabelText<HTMLInputElement>("Draft").value).toBe("half a thought");
});

test("a server that can't be asked leaves the page to say so", async () => {
  open({ v: "viewer" }, "v");
  server.away = true;
  await act(() => access.find());
  expect(screen.getByLabelText("Draft")).toBeTruthy();
  expect(screen.queryByLabelText("Token")).toBeNull();
});
