import { beforeEach, describe, expect, test } from "vitest";

import { type Connection, LiveSocket } from "@/live/socket";
import type { BrowserMessage } from "@/wire/types";

import { FakePlatform } from "./fake-platform";

const INIT = { type: "init", seq: 5, epoch: "e", sessions: [], total: 0, next: null };
const deleted = (seq: number) => ({ type: "session_deleted", seq, session_id: `s${seq}` });

let platform: FakePlatform;
let states: Connection[];
let batches: (readonly BrowserMessage[])[];
let socket: LiveSocket;

beforeEach(async () => {
  platform = new FakePlatform();
  states = [];
  batches = [];
  socket = new LiveSocket(
    "ws://h/ws",
    { connection: (state) => states.push(state), messages: (batch) => batches.push(batch) },
    platform,
  );
  socket.connect();
  await platform.settle();
});

const seqs = () => batches.flat().map((message) => message.seq);
const phases = () => states.map((state) => state.phase);

describe("a connection", () => {
  test("is live with init, and hands on in one batch what comes within a frame", async () => {
    platform.socket.send(INIT, deleted(6), deleted(7));
    expect(phases()).toEqual(["connecting", "live", "live", "live"]);
    expect(batches).toEqual([]);
    await platform.pass(16);
    expect(batches.map((batch) => batch.length)).toEqual([3]);
  });

  test("that was lost comes back after a while, with what follows the last message", async () => {
    platform.socket.send(INIT, deleted(6));
    platform.socket.end(1006);
    expect(states.at(-1)).toEqual({ phase: "waiting", retryAt: 250, failures: 0 });
    await platform.pass(249);
    expect(platform.sockets).toHaveLength(1);
    await platform.pass(1);
    expect(platform.socket.url).toBe("ws://h/ws?since=6&epoch=e&resumed=1");
  });

  test("says how many messages it is catching up with, until it has them all", async () => {
    platform.socket.send(INIT);
    platform.socket.end(1012);
    await platform.pass(250);
    platform.socket.send({ type: "resumed", seq: 5, head: 7, epoch: "e" });
    expect(states.at(-1)).toEqual({ phase: "replaying", done: 0, expected: 2 });
    platform.socket.send(deleted(6));
    expect(states.at(-1)).toEqual({ phase: "replaying", done: 1, expected: 2 });
    platform.socket.send(deleted(7));
    expect(states.at(-1)).toEqual({ phase: "live" });
    await platform.pass(16);
    expect(seqs()).toEqual([5, 6, 7]);
  });

  test("is live at once when it has missed nothing", async () => {
    platform.socket.send(INIT);
    platform.socket.end(1012);
    await platform.pass(250);
    platform.socket.send({ type: "resumed", seq: 5, head: 5, epoch: "e" });
    expect(states.at(-1)).toEqual({ phase: "live" });
  });

  test("waits longer after each failure, and starts again from the shortest once it was live", async () => {
    const waits: number[] = [];
    for (let attempt = 0; attempt < 3; attempt += 1) {
      platform.socket.end(1006);
      const state = states.at(-1);
      if (state?.phase !== "waiting") throw new Error("it does not wait");
      waits.push(state.retryAt - platform.now());
      await platform.pass(waits.at(-1) ?? 0);
    }
    expect(waits).toEqual([250, 500, 1000]);
    platform.socket.send(INIT);
    platform.socket.end(1006);
    expect(states.at(-1)).toMatchObject({ phase: "waiting", failures: 0 });
  });

  test("comes back at once for messages that are missing, without handing on what follows them", async () => {
    platform.socket.send(INIT, deleted(8));
    await platform.settle();
    expect(platform.sockets).toHaveLength(2);
    expect(platform.sockets[0]?.closed).toBe(true);
    expect(platform.socket.url).toContain("since=5");
    await platform.pass(16);
    expect(seqs()).toEqual([5]);
  });

  test("drops what it has had already", async () => {
    platform.socket.send(INIT, deleted(6), deleted(6));
    await platform.pass(16);
    expect(seqs()).toEqual([5, 6]);
  });

  test("forgets where it was when the server says that it must start over", async () => {
    platform.socket.send(INIT);
    platform.socket.end(4009);
    await platform.pass(250);
    expect(platform.socket.url).toBe("ws://h/ws");
  });

  test.each([4400, 4403])("that was refused with %i does not come back by itself", async (code) => {
    platform.socket.end(code, "Origin 'x' is not allowed");
    await platform.pass(60_000);
    expect(platform.sockets).toHaveLength(1);
    expect(states.at(-1)).toEqual({ phase: "refused", reason: "Origin 'x' is not allowed" });
  });

  test("can be tried again at once, and then is one connection only", async () => {
    platform.socket.end(1006);
    socket.connect();
    await platform.settle();
    expect(platform.sockets).toHaveLength(2);
    await platform.pass(10_000);
    expect(platform.sockets).toHaveLength(2);
  });
});

describe("with tokens", () => {
  test("each connection has a ticket of its own, and goes on where the one before ended", async () => {
    platform.socket.send(INIT);
    platform.admission = { ticket: "t2" };
    platform.socket.end(1012);
    await platform.pass(250);
    expect(platform.socket.url).toBe("ws://h/ws?since=5&epoch=e&resumed=1&ticket=t2");
  });

  test("a connection that is unauthorised is tried once more at once, in doubt of the token", async () => {
    platform.socket.send(INIT);
    platform.socket.end(4401, "this token is not known here, or no longer");
    await platform.settle();
    expect([platform.sockets.length, platform.doubts]).toEqual([2, [false, true]]);
    expect(platform.refusals).toEqual([]);
    platform.socket.send({ type: "resumed", seq: 5, head: 5, epoch: "e" });
    platform.socket.end(4401);
    await platform.settle();
    // It was let in meanwhile, so this is another first time.
    expect([platform.sockets.length, platform.refusals]).toEqual([3, []]);
  });

  test("the second refusal in a row is told, and is the last until somebody tries again", async () => {
    for (let turn = 0; turn < 2; turn += 1) {
      platform.socket.end(4401, "this ticket was used");
      await platform.pass(60_000);
    }
    expect([platform.sockets.length, platform.refusals]).toEqual([2, ["this ticket was used"]]);
    expect(states.at(-1)).toEqual({ phase: "refused", reason: "this ticket was used" });
    socket.connect();
    await platform.settle();
    expect(platform.doubts).toEqual([false, true, false]);
  });

  test("nothing is opened while nobody is signed in", async () => {
    platform.socket.send(INIT);
    platform.admission = "out";
    platform.socket.end(4401);
    await platform.pass(60_000);
    expect(platform.sockets).toHaveLength(1);
    expect(states.at(-1)?.phase).toBe("refused");
  });

  test("a server that gives no ticket is asked again later", async () => {
    platform.admission = "away";
    platform.socket.end(1006);
    await platform.pass(250);
    expect([platform.sockets.length, states.at(-1)?.phase]).toEqual([1, "waiting"]);
    platform.admission = { ticket: "late" };
    await platform.pass(15_000);
    expect(platform.socket.url).toBe("ws://h/ws?ticket=late");
  });

  test("an admission that comes after another attempt was begun opens nothing", async () => {
    platform.socket.end(1006);
    socket.connect();
    socket.connect();
    await platform.settle();
    expect(platform.sockets).toHaveLength(2);
    socket.connect();
    socket.close();
    await platform.settle();
    expect(platform.sockets).toHaveLength(2);
  });
});

describe("a quiet connection", () => {
  test("stays while the server answers", async () => {
    platform.socket.send(INIT);
    await platform.pass(100_000);
    expect(platform.sockets).toHaveLength(1);
  });

  test("is given up when the server does not answer: a dead network closes no socket", async () => {
    platform.socket.send(INIT);
    platform.reachable = false;
    await platform.pass(20_000);
    expect(platform.sockets[0]?.closed).toBe(true);
    expect(states.at(-1)?.phase).toBe("waiting");
    await platform.pass(250);
    expect(platform.socket.url).toContain("since=5");
  });

  test("is given up when its handshake does not come to an end", async () => {
    await platform.pass(20_000);
    expect(platform.sockets[0]?.closed).toBe(true);
    expect(states.at(-1)?.phase).toBe("waiting");
  });
});

test("nothing comes from a socket that was left", async () => {
  platform.socket.send(INIT);
  await platform.pass(16);
  const left = platform.socket;
  socket.close();
  left.send(deleted(6));
  left.end(1006);
  await platform.pass(60_000);
  expect([seqs(), platform.sockets.length]).toEqual([[5], 1]);
});
