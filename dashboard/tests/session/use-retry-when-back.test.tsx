import { act, cleanup, renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, expect, test, vi } from "vitest";

import { BackendProvider } from "@/app/backend";
import { useRetryWhenBack } from "@/session/use-retry-when-back";
import { ApiError } from "@/wire/client";

import { fakeBackend } from "../stop/backend";

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function watch(first: unknown) {
  const { backend } = fakeBackend();
  const retry = vi.fn();
  const wrapper = ({ children }: { children: ReactNode }) => (
    <BackendProvider backend={backend}>{children}</BackendProvider>
  );
  const { rerender } = renderHook(({ error }) => useRetryWhenBack(error, retry), {
    wrapper,
    initialProps: { error: first },
  });
  const show = (phase: "live" | "connecting") => act(() => backend.live.store.setState({ connection: { phase } }));
  return { retry, show, fail: (error: unknown) => rerender({ error }) };
}

test("what failed while the server was away is tried again once it is back, and not again and again", () => {
  const { retry, show, fail } = watch(new ApiError("away", 0));
  expect(retry).not.toHaveBeenCalled();
  show("live");
  expect(retry).toHaveBeenCalledOnce();
  fail(new ApiError("trouble", 503));
  expect(retry).toHaveBeenCalledOnce();
  show("connecting");
  show("live");
  expect(retry).toHaveBeenCalledTimes(2);
});

test.each([null, new ApiError("No session", 404), new Error("a fault of the page's own")])(
  "%s is no reason to try again",
  (error) => {
    const { retry, show } = watch(error);
    show("live");
    expect(retry).not.toHaveBeenCalled();
  },
);
