import { expect, test } from "vitest";

import { Live } from "@/live/live";
import { type Coordinator, createCoordinator } from "@/wire/client";

import { session } from "../fixtures";
import { FakePlatform } from "./fake-platform";

type Page = { sessions: unknown[]; total: number; next: string | null };

/** A coordinator whose pages of sessions are answered by the test, one after the other. */
function answering(pages: (() => Page | number)[]): { coordinator: Coordinator; asked: URL[] } {
  const asked: URL[] = [];
  const coordinator = createCoordinator("http://h");
  coordinator.use({
    onRequest({ request }) {
      asked.push(new URL(request.url));
      const answer = pages.shift()?.() ?? 500;
      return typeof answer === "number" ? new Response("{}", { status: answer }) : Response.json(answer);
    },
  });
  return { coordinator, asked };
}

const init = (next: string | null) => ({
  type: "init",
  seq: 1,
  epoch: "e",
  sessions: [session("new")],
  total: 3,
  next,
});

async function settled(platform: FakePlatform): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) {
    await platform.pass(100);
    await new Promise((resolve) => setTimeout(resolve));
  }
}

test("what init does not carry is read page by page", async () => {
  const { coordinator, asked } = answering([
    () => ({ sessions: [session("old")], total: 3, next: "c2" }),
    () => ({ sessions: [session("older")], total: 3, next: null }),
  ]);
  const platform = new FakePlatform();
  const live = new Live("ws://h/ws", coordinator, platform);
  live.connect();
  await platform.settle();
  platform.socket.send(init("c1"));
  await settled(platform);
  expect(asked.map((url) => url.searchParams.get("cursor"))).toEqual(["c1", "c2"]);
  expect([...live.store.getState().sessions.keys()].sort()).toEqual(["new", "old", "older"]);
});

test("a page that the server could not give is asked for again", async () => {
  const { coordinator, asked } = answering([() => 503, () => ({ sessions: [session("old")], total: 2, next: null })]);
  const platform = new FakePlatform();
  const live = new Live("ws://h/ws", coordinator, platform);
  live.connect();
  await platform.settle();
  platform.socket.send(init("c1"));
  await settled(platform);
  expect([asked.length, live.store.getState().sessions.has("old")]).toEqual([2, true]);
});

test("a session that is deleted while its page is on its way stays deleted", async () => {
  const platform = new FakePlatform();
  const { coordinator } = answering([
    () => {
      platform.socket.send({ type: "session_deleted", seq: 2, session_id: "old" });
      return { sessions: [session("old"), session("older")], total: 2, next: null };
    },
  ]);
  const live = new Live("ws://h/ws", coordinator, platform);
  live.connect();
  await platform.settle();
  platform.socket.send(init("c1"));
  await settled(platform);
  expect([...live.store.getState().sessions.keys()].sort()).toEqual(["new", "older"]);
});

test("listeners are told each batch, after the store has it, until they leave", async () => {
  const platform = new FakePlatform();
  const live = new Live("ws://h/ws", answering([]).coordinator, platform);
  const heard: [string, boolean][] = [];
  const leave = live.listen((batch) => {
    for (const { type } of batch) heard.push([type, live.store.getState().sessions.has("new")]);
  });
  live.connect();
  await platform.settle();
  platform.socket.send(init(null));
  await platform.pass(16);
  leave();
  platform.socket.send({ type: "session_deleted", seq: 2, session_id: "new" });
  await platform.pass(16);
  expect(heard).toEqual([["init", true]]);
});
