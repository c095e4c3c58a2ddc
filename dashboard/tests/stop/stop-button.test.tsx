import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { BackendProvider } from "@/app/backend";
import { askStore, disarm } from "@/stop/asks";
import { pressStop, StopButton } from "@/stop/stop-button";
import { StopTruth } from "@/stop/stop-truth";
import type { Session } from "@/wire/types";

import { session as sessionOf } from "../fixtures";
import { fakeBackend } from "./backend";

const session = (fields: Partial<Session> = {}) =>
  sessionOf("s1", { session_name: "Review", presence: "connected", run: "7", ...fields });

function show(shown: Session = session()) {
  const fake = fakeBackend([shown]);
  const view = (current: Session) => (
    <BackendProvider backend={fake.backend}>
      <StopButton session={current} />
      <StopTruth session={current} />
    </BackendProvider>
  );
  const { rerender } = render(view(shown));
  return { ...fake, change: (next: Session) => rerender(view(next)) };
}

const button = () => screen.getByRole("button", { name: /Review/ });
/** Lets what has been answered come through; the time stands still meanwhile. */
const settle = () => act(() => vi.advanceTimersByTimeAsync(0));
const answerStopped = {
  success: true,
  ok: true,
  session_id: "s1",
  status: "stopped",
  message: "Session stopped successfully",
};

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  cleanup();
  disarm();
  askStore.setState({ asks: new Map() });
  document.body.replaceChildren();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("StopButton", () => {
  it("is not there for who may not stop", () => {
    const { backend } = fakeBackend([session()], "viewer");
    render(
      <BackendProvider backend={backend}>
        <StopButton session={session()} />
      </BackendProvider>,
    );
    expect(screen.queryByRole("button")).toBeNull();
  });

  it("asks the server with the second press, not with the first", async () => {
    const { requests } = show();
    fireEvent.click(button());
    await settle();
    expect(requests).toEqual([]);
    expect(button().textContent).toContain("to stop Review");
    fireEvent.click(button());
    await settle();
    expect(requests).toEqual([{ method: "POST", path: "/sessions/s1/stop", body: null }]);
  });

  it("says to screen readers that it waits for the second press", () => {
    show();
    fireEvent.click(button());
    expect(document.getElementById("announcements")?.textContent).toBe("Press again to stop Review");
  });

  it("forgets the first press after four seconds", async () => {
    const { requests } = show();
    fireEvent.click(button());
    await act(() => vi.advanceTimersByTimeAsync(4000));
    expect(button().dataset.stop).toBe("idle");
    fireEvent.click(button());
    await settle();
    expect(button().dataset.stop).toBe("confirming");
    expect(requests).toEqual([]);
  });

  it("takes the first press back on Escape, which then does nothing else", async () => {
    const { requests } = show();
    const elsewhere = vi.fn();
    window.addEventListener("keydown", elsewhere);
    fireEvent.click(button());
    fireEvent.keyDown(button(), { key: "Escape" });
    expect(button().dataset.stop).toBe("idle");
    expect(elsewhere).not.toHaveBeenCalled();
    fireEvent.keyDown(button(), { key: "Escape" });
    expect(elsewhere).toHaveBeenCalledOnce();
    window.removeEventListener("keydown", elsewhere);
    fireEvent.click(button());
    await settle();
    expect(requests).toEqual([]);
  });

  it("never asks twice, however often it is pressed", async () => {
    const { requests, answer, backend } = show();
    for (let n = 0; n < 6; n += 1) fireEvent.click(button());
    for (let n = 0; n < 6; n += 1) pressStop(backend, "s1");
    await settle();
    expect(requests).toHaveLength(1);
    answer(200, answerStopped);
    await settle();
    for (let n = 0; n < 6; n += 1) fireEvent.click(button());
    await settle();
    expect(requests).toHaveLength(1);
  });

  it("counts a press by key and one by pointer as two", async () => {
    const { requests, backend } = show();
    act(() => pressStop(backend, "s1"));
    expect(button().dataset.stop).toBe("confirming");
    fireEvent.click(button());
    await settle();
    expect(requests).toHaveLength(1);
  });

  it("waits for the second press of one session only", () => {
    const other = session({ session_id: "s2", session_name: "Other" });
    const { backend } = fakeBackend([session(), other]);
    pressStop(backend, "s1");
    pressStop(backend, "s2");
    expect([...askStore.getState().asks.keys()]).toEqual(["s2"]);
  });

  it("can stop a session that is not on the list", async () => {
    const { backend, requests } = fakeBackend();
    pressStop(backend, "old one");
    pressStop(backend, "old one");
    await settle();
    expect(requests).toMatchObject([{ path: "/sessions/old%20one/stop" }]);
  });

  it("stays where it was pressed, and shows nothing in sessions that were over before", () => {
    const { change } = show();
    fireEvent.click(button());
    fireEvent.click(button());
    const over = session({ status: "stopped", presence: "none", stop_confirmed: true });
    change(over);
    expect(button().getAttribute("aria-disabled")).toBe("true");
    expect(button().dataset.stop).toBe("confirmed");
    act(() => askStore.setState({ asks: new Map() }));
    expect(screen.queryByRole("button", { name: /Review/ })).toBeNull();
  });

  it("does not call a run stopped that came to its own end", () => {
    const { change } = show();
    fireEvent.click(button());
    fireEvent.click(button());
    change(session({ status: "finished", presence: "none" }));
    const shown = button().querySelector("span:not(.invisible) > span:not(.invisible)");
    expect(shown?.textContent).toBe("Finished");
  });

  it("begins anew with a new run", () => {
    const { change } = show();
    fireEvent.click(button());
    fireEvent.click(button());
    change(session({ run: "8" }));
    expect(button().dataset.stop).toBe("idle");
  });

  it("asks again after a refusal, by two presses", async () => {
    const { requests, answer } = show();
    fireEvent.click(button());
    fireEvent.click(button());
    await settle();
    answer(503, { detail: "Redis is away" });
    await settle();
    expect(button().dataset.stop).toBe("failed");
    expect(screen.getByText("Redis is away")).toBeTruthy();
    fireEvent.click(button());
    await settle();
    expect(requests).toHaveLength(1);
    fireEvent.click(button());
    await settle();
    expect(requests).toHaveLength(2);
  });
});

describe("StopTruth", () => {
  const spoken = () => screen.getByRole("status", { name: "" });

  it("shows nothing while nobody has asked", () => {
    show();
    expect(screen.queryByRole("region", { name: "Stop" })).toBeNull();
    expect(spoken().textContent).toBe("");
  });

  it("tells a browser that did not ask what another has asked", () => {
    const { change } = show();
    change(session({ stop_confirmed: false, stop_requested_at: new Date(Date.now() - 1000).toISOString() }));
    expect(spoken().textContent).toBe("Stop asked for, waiting for the agent");
  });

  it("asks again at one press, when the agent has not confirmed", async () => {
    const { requests, change } = show();
    change(session({ stop_confirmed: false, stop_requested_at: new Date(Date.now() - 10_000).toISOString() }));
    fireEvent.click(button());
    await settle();
    expect(requests).toMatchObject([{ path: "/sessions/s1/stop" }]);
    expect(spoken().textContent).toBe("Stop asked for, waiting for the agent");
  });

  it("keeps counting from the first time, when it was asked again", async () => {
    const { change, answer } = show();
    change(session({ stop_confirmed: false, stop_requested_at: new Date(Date.now() - 10_000).toISOString() }));
    fireEvent.click(button());
    await settle();
    answer(202, { ...answerStopped, success: false, status: "running", message: "not confirmed" });
    await settle();
    expect(spoken().textContent).toBe("The agent has not confirmed the stop");
  });

  it("says that it is confirmed, and how long it took", () => {
    const { change } = show();
    change(
      session({
        status: "stopped",
        presence: "none",
        stop_confirmed: true,
        stop_requested_at: "2026-01-24T10:00:00.000000+00:00",
        stop_confirmed_at: "2026-01-24T10:00:00.080000+00:00",
      }),
    );
    expect(screen.getByRole("region", { name: "Stop" }).textContent).toContain("80 ms after it was asked");
  });
});
