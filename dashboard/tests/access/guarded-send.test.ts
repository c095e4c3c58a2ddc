import { afterEach, describe, expect, test, vi } from "vitest";

import { Access } from "@/access/access";
import { guardedSend } from "@/access/guarded-send";
import { bodyOf, createCoordinator } from "@/wire/client";
import type { Role } from "@/wire/types";

import { Memory } from "./access-of";
import { FakeServer } from "./fake-server";

afterEach(() => {
  vi.unstubAllGlobals();
});

async function started(tokens: Record<string, Role>, kept: string | null) {
  const server = new FakeServer(new Map(Object.entries(tokens)));
  const access = new Access("http://api", new Memory(kept));
  await access.find();
  server.asked.length = 0;
  return {
    server,
    access,
    send: guardedSend(access),
    coordinator: createCoordinator("http://api", guardedSend(access)),
  };
}

const get = (signal?: AbortSignal) => new Request("http://api/sessions", signal ? { signal } : {});
const post = () => new Request("http://api/sessions/s/stop", { method: "POST" });

describe("a request", () => {
  test("has the token as a header, whichever server it is for, and never in its address", async () => {
    const { server, send } = await started({ v: "viewer" }, "v");
    await send(get());
    await send(new Request("http://documents/documents"));
    expect(server.asked).toEqual([
      { path: "/sessions", method: "GET", token: "v" },
      { path: "/documents", method: "GET", token: "v" },
    ]);
  });

  test("has no such header where no token is asked for", async () => {
    const { server, send } = await started({}, null);
    await send(get());
    expect(server.asked).toEqual([{ path: "/sessions", method: "GET", token: null }]);
  });

  test("that only reads waits until somebody has signed in", async () => {
    const { server, access, send } = await started({ v: "viewer" }, null);
    const waiting = send(get());
    await access.signIn("v");
    expect(await (await waiting).json()).toEqual({ path: "/sessions", token: "v" });
    expect(server.paths).toEqual(["/whoami", "/sessions"]);
  });

  test("that waits can be given up", async () => {
    const { send, server } = await started({ v: "viewer" }, null);
    const under = new AbortController();
    const waiting = send(get(under.signal));
    under.abort();
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
    expect(server.asked).toEqual([]);
  });

  test("that only reads and is refused is asked again in the name of who signs in next", async () => {
    const { server, access, send } = await started({ o: "operator" }, "o");
    server.tokens.delete("o");
    server.tokens.set("v", "viewer");
    const waiting = send(get());
    await vi.waitFor(() => expect(access.store.getState().phase).toBe("out"));
    await access.signIn("v");
    expect(await (await waiting).json()).toEqual({ path: "/sessions", token: "v" });
  });

  test("that changes something and is refused is not done in the name of who signs in next", async () => {
    const { server, access, coordinator } = await started({ o: "operator" }, "o");
    server.tokens.delete("o");
    server.tokens.set("p", "operator");
    const params = { path: { session_id: "s" } };
    await expect(bodyOf(coordinator.POST("/sessions/{session_id}/stop", { params }))).rejects.toMatchObject({
      status: 401,
    });
    await access.signIn("p");
    expect(server.paths.filter((path) => path.endsWith("/stop"))).toHaveLength(1);
  });

  test("that only the other server refuses is an error, and nobody has to sign in again", async () => {
    const { access, send } = await started({ v: "viewer" }, "v");
    const { fetch } = globalThis;
    vi.stubGlobal("fetch", async (input: Request | string, init?: RequestInit) => {
      const request = new Request(input, init);
      return request.url.startsWith("http://documents") ? new Response("{}", { status: 401 }) : fetch(request);
    });
    expect((await send(new Request("http://documents/documents"))).status).toBe(401);
    expect(access.store.getState().phase).toBe("in");
  });
});

describe("a refusal for the role's sake", () => {
  test("is told in plain words", async () => {
    const { send, coordinator } = await started({ v: "viewer" }, "v");
    expect((await send(post())).status).toBe(403);
    const params = { path: { session_id: "s" } };
    await expect(bodyOf(coordinator.POST("/sessions/{session_id}/stop", { params }))).rejects.toThrow(
      "Your token may not do this (role viewer)",
    );
  });

  test("is told from others", async () => {
    const { access } = await started({ v: "viewer" }, "v");
    vi.stubGlobal("fetch", async () => Response.json({ detail: "Origin 'x' is not allowed" }, { status: 403 }));
    const answer = await guardedSend(access)(post());
    expect(await answer.json()).toEqual({ detail: "Origin 'x' is not allowed" });
  });
});
