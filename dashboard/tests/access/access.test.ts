import { afterEach, describe, expect, test, vi } from "vitest";

import { Access, identityOf, mayChange } from "@/access/access";
import type { Role } from "@/wire/types";

import { Memory } from "./access-of";
import { FakeServer } from "./fake-server";

afterEach(() => {
  vi.unstubAllGlobals();
});

function started(tokens: Record<string, Role>, kept: string | null = null) {
  const server = new FakeServer(new Map(Object.entries(tokens)));
  const memory = new Memory(kept);
  const access = new Access("http://api", memory);
  return { server, memory, access, state: () => access.store.getState() };
}

describe("at the start", () => {
  test("a server that asks for no token lets everybody in as an operator, and is sent none", async () => {
    const { server, access, memory, state } = started({}, "left over");
    expect(await access.admit(false)).toEqual({ ticket: null });
    expect(state()).toMatchObject({ phase: "in", identity: { authentication: "none", role: "operator" } });
    expect([memory.token, access.token]).toEqual([null, null]);
    expect(server.paths).toEqual(["/whoami"]);
  });

  test("without a token nobody is in, and nothing is said against anybody", async () => {
    const { access, state } = started({ v: "viewer" });
    expect(await access.admit(false)).toBe("out");
    expect(state()).toEqual({ phase: "out", why: null, before: null });
  });

  test("a kept token is used, with a ticket for each WebSocket", async () => {
    const { server, access } = started({ v: "viewer" }, "v");
    expect(await access.admit(false)).toEqual({ ticket: "for v" });
    expect(await access.admit(false)).toEqual({ ticket: "for v" });
    expect(server.paths).toEqual(["/whoami", "/ws-ticket", "/ws-ticket"]);
  });

  test("a kept token that is known no more is forgotten, and that is said", async () => {
    const { access, memory, state } = started({ v: "viewer" }, "old");
    await access.find();
    expect(state()).toMatchObject({ phase: "out", why: expect.stringContaining("revoked") });
    expect([memory.token, access.token]).toEqual([null, null]);
  });

  test("a server that can't be reached is asked again with the next connection", async () => {
    const { server, access, memory, state } = started({ v: "viewer" }, "v");
    server.away = true;
    expect(await access.admit(false)).toBe("away");
    expect([state().phase, memory.token]).toEqual(["unknown", "v"]);
    server.away = false;
    expect(await access.admit(false)).toEqual({ ticket: "for v" });
  });

  test("a server of an older version, which knows nothing of tokens, is used as it is", async () => {
    vi.stubGlobal("fetch", async () => Response.json({ detail: "Not Found" }, { status: 404 }));
    const access = new Access("http://api", new Memory());
    expect(await access.admit(false)).toEqual({ ticket: null });
    expect(mayChange(access.store.getState())).toBe(true);
  });

  test("several that want to know ask once", async () => {
    const { server, access } = started({ v: "viewer" }, "v");
    await Promise.all([access.find(), access.find(), access.find()]);
    expect(server.paths).toEqual(["/whoami"]);
  });
});

describe("signing in", () => {
  test("keeps the token and says who one is", async () => {
    const { access, memory, state } = started({ o: "operator" });
    await access.find();
    expect(await access.signIn("o")).toBeNull();
    expect(memory.token).toBe("o");
    expect(state()).toEqual({ phase: "in", identity: { authentication: "token", name: "of o", role: "operator" } });
  });

  test("with a wrong token, or an agent's, says what is wrong and keeps nothing", async () => {
    const { access, memory, state } = started({ a: "agent" });
    await access.find();
    expect(await access.signIn("x")).toContain("not known here");
    expect(await access.signIn("a")).toContain("“of a” belongs to an agent");
    expect([memory.token, state().phase]).toEqual([null, "out"]);
  });

  test("when the server is away says so, and not that the token is wrong", async () => {
    const { server, access } = started({ v: "viewer" });
    await access.find();
    server.away = true;
    expect(await access.signIn("v")).toContain("can't be reached");
  });
});

describe("a token that is refused while it is used", () => {
  test("leads out where the coordinator does not know it either, and who was in is remembered", async () => {
    const { server, access, state } = started({ o: "operator" }, "o");
    await access.find();
    server.tokens.delete("o");
    server.tokens.set("other", "viewer");
    expect(await access.refused("o")).toBe(true);
    expect(state()).toMatchObject({ phase: "out", before: { name: "of o" } });
    // What was being written is still there to be read.
    expect(mayChange(state())).toBe(true);
    expect(await access.admit(true)).toBe("out");
  });

  test("does not lead out where only the other server does not know it", async () => {
    const { access, state } = started({ o: "operator" }, "o");
    await access.find();
    expect(await access.refused("o")).toBe(false);
    expect(state().phase).toBe("in");
  });

  test("is no news when another is in use by now", async () => {
    const { server, access } = started({ o: "operator" }, "o");
    await access.find();
    expect(await access.refused("before")).toBe(true);
    expect(server.paths).toEqual(["/whoami"]);
  });

  test("is asked about once, however many requests were refused", async () => {
    const { server, access } = started({ o: "operator" }, "o");
    await access.find();
    server.tokens.delete("o");
    server.tokens.set("other", "viewer");
    await Promise.all([access.refused("o"), access.refused("o"), access.admit(true)]);
    expect(server.paths).toEqual(["/whoami", "/whoami"]);
  });

  test("for a WebSocket with a new ticket leads out with the server's words", async () => {
    const { access, state } = started({ o: "operator" }, "o");
    await access.find();
    access.turnedAway("this ticket was used");
    expect(state()).toMatchObject({ phase: "out", why: expect.stringContaining("this ticket was used") });
  });
});

test("a role that has become another is noticed when a connection was refused", async () => {
  const { server, access, state } = started({ t: "operator" }, "t");
  await access.find();
  server.tokens.set("t", "viewer");
  expect(await access.admit(true)).toEqual({ ticket: "for t" });
  expect([mayChange(state()), identityOf(state())?.role]).toEqual([false, "viewer"]);
  server.tokens.set("t", "agent");
  expect(await access.admit(true)).toBe("out");
  expect(state()).toMatchObject({ why: expect.stringContaining("belongs to an agent") });
});

test("a server that begins to ask for tokens is noticed", async () => {
  const { server, access, state } = started({});
  await access.find();
  server.tokens.set("v", "viewer");
  expect(await access.refused(null)).toBe(true);
  expect(state()).toMatchObject({ phase: "out", why: null, before: { authentication: "none" } });
});

test("until it is known who one is, nothing that changes something is offered", () => {
  const { access } = started({ o: "operator" }, "o");
  expect(mayChange(access.store.getState())).toBe(false);
});
