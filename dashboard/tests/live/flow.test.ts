import { describe, expect, test } from "vitest";

import { Flow, type Received } from "@/live/flow";

const init = (seq: number, epoch = "e1"): Received => ({
  type: "init",
  seq,
  epoch,
  sessions: [],
  total: 0,
  next: null,
});
const deleted = (seq: number): Received => ({ type: "session_deleted", seq, session_id: "s" });
const resumed = (seq: number, head: number): Received => ({ type: "resumed", seq, head, epoch: "e1" });

function flowOf(...messages: Received[]): Flow {
  const flow = new Flow();
  for (const message of messages) flow.accept(message);
  return flow;
}

describe("a flow of messages", () => {
  test("begins with init, and nothing before it is taken", () => {
    const flow = new Flow();
    expect(flow.accept(deleted(5))).toBe("gap");
    expect(flow.accept(resumed(5, 9))).toBe("gap");
    expect(flow.accept(init(5))).toBe("apply");
    expect(flow.position).toEqual({ seq: 5, epoch: "e1" });
  });

  test("takes each number once and in order", () => {
    const flow = flowOf(init(5));
    expect([6, 7, 7, 6, 8].map((seq) => flow.accept(deleted(seq)))).toEqual([
      "apply",
      "apply",
      "repeat",
      "repeat",
      "apply",
    ]);
    expect(flow.position?.seq).toBe(8);
  });

  test("notices a number that is missing, and stays where it was", () => {
    const flow = flowOf(init(5));
    expect(flow.accept(deleted(7))).toBe("gap");
    expect(flow.position?.seq).toBe(5);
  });

  test("goes on from where it was on the next connection", () => {
    const flow = flowOf(init(5), deleted(6));
    expect(flow.accept(resumed(6, 8))).toBe("apply");
    expect(flow.accept(deleted(7))).toBe("apply");
  });

  test("does not take a resumption from elsewhere for its own", () => {
    expect(flowOf(init(5)).accept(resumed(4, 8))).toBe("gap");
  });

  test("starts over with an init of another epoch, whatever its number", () => {
    const flow = flowOf(init(500, "e1"));
    expect(flow.accept(init(3, "e2"))).toBe("apply");
    expect(flow.position).toEqual({ seq: 3, epoch: "e2" });
  });
});

describe("the address of the next connection", () => {
  test("asks for everything at first, and after the past was forgotten", () => {
    const flow = flowOf(init(5));
    flow.forget();
    expect(flow.address("ws://h/ws")).toBe("ws://h/ws");
    expect(new Flow().address("ws://h/ws")).toBe("ws://h/ws");
  });

  test("has a ticket where one is needed, whatever else is asked for", () => {
    expect(new Flow().address("ws://h/ws", "t/+")).toBe("ws://h/ws?ticket=t%2F%2B");
    expect(flowOf(init(5)).address("ws://h/ws", "t")).toBe("ws://h/ws?since=5&epoch=e1&resumed=1&ticket=t");
  });

  test("asks for what follows the last message, and keeps what else is in it", () => {
    expect(flowOf(init(5, "a b")).address("ws://h/ws?x=1")).toBe("ws://h/ws?x=1&since=5&epoch=a+b&resumed=1");
  });
});
