import { act, renderHook } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import { useFollow } from "@/session/use-follow";

const VIEW = 500;

/** A list of 1000 px of which 500 are seen, with its end in view. */
function setUp({ complete = true, initially = true } = {}) {
  const element = { scrollTop: 500, scrollHeight: 1000, clientHeight: VIEW } as HTMLElement;
  const { result } = renderHook(() => useFollow({ current: element }, complete, initially));
  const { handlers } = result.current;
  act(() => handlers.onScroll());
  const scrollTo = (top: number) =>
    act(async () => {
      element.scrollTop = top;
      handlers.onScroll();
      for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
    });
  return { element, result, handlers, scrollTo, following: () => result.current.following };
}

describe("follow mode", () => {
  it("lets go as soon as one scrolls up, however little", () => {
    const { handlers, following } = setUp();
    expect(following()).toBe(true);
    act(() => handlers.onWheel({ deltaY: 3 }));
    expect(following()).toBe(true);
    act(() => handlers.onWheel({ deltaY: -1 }));
    expect(following()).toBe(false);
  });

  it.each(["PageUp", "ArrowUp", "Home"])("lets go at %s", (key) => {
    const { handlers, following } = setUp();
    act(() => handlers.onKeyDownCapture({ key: "PageDown" }));
    expect(following()).toBe(true);
    act(() => handlers.onKeyDownCapture({ key }));
    expect(following()).toBe(false);
  });

  it("lets go when the scrollbar is dragged up", async () => {
    const { scrollTo, following } = setUp();
    await scrollTo(300);
    expect(following()).toBe(false);
  });

  it("stays when rows go and the place changes by itself", async () => {
    const { element, scrollTo, following } = setUp();
    Object.assign(element, { scrollHeight: 900 });
    await scrollTo(200);
    expect(following()).toBe(true);
  });

  it("begins anew when one comes to the end", async () => {
    const { handlers, scrollTo, following } = setUp();
    act(() => handlers.onWheel({ deltaY: -1 }));
    await scrollTo(400);
    await scrollTo(450);
    expect(following()).toBe(false);
    await scrollTo(500);
    expect(following()).toBe(true);
  });

  it("does not begin at the end of what is loaded while the history goes on", async () => {
    const { handlers, scrollTo, following } = setUp({ complete: false });
    act(() => handlers.onWheel({ deltaY: -1 }));
    await scrollTo(400);
    await scrollTo(500);
    expect(following()).toBe(false);
  });

  it("does not begin by itself where the page has gone to an event near the end", async () => {
    const { result, handlers, scrollTo, following } = setUp();
    act(() => result.current.hold());
    await scrollTo(400);
    await scrollTo(500);
    expect(following()).toBe(false);
    await scrollTo(400);
    act(() => handlers.onWheel({ deltaY: 9 }));
    await scrollTo(500);
    expect(following()).toBe(true);
  });

  it("is off at first where an event is linked to, and on when it is asked for", () => {
    const { result, following } = setUp({ initially: false });
    expect(following()).toBe(false);
    act(() => result.current.start());
    expect(following()).toBe(true);
  });
});
