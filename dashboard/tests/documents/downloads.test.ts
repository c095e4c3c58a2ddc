import { expect, test, vi } from "vitest";

import { Downloads } from "@/documents/downloads";
import type { Sink } from "@/files/sink";
import { ApiError } from "@/wire/client";

import { documentWith } from "./documents";

type Controller = ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;

/** A document's bytes, which come when the test says so. */
function source() {
  let controller: Controller | undefined;
  const stream = async (_id: string, signal?: AbortSignal) =>
    new ReadableStream<Uint8Array<ArrayBuffer>>({
      start(made) {
        controller = made;
        signal?.addEventListener("abort", () => made.error(signal.reason));
      },
    });
  const opened = () => controller !== undefined;
  const send = (text: string) => controller?.enqueue(new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>);
  return { api: { stream }, opened, send, end: () => controller?.close() };
}

function sink() {
  const written: string[] = [];
  const made: Sink = {
    write: async (piece) => void written.push(typeof piece === "string" ? piece : new TextDecoder().decode(piece)),
    close: vi.fn(async () => undefined),
    abort: vi.fn(async () => undefined),
  };
  return { made, written };
}

const document = documentWith({ id: "d", size_bytes: 4 });

test("a document is written as it comes, and how far it is can be seen", async () => {
  const { api, opened, send, end } = source();
  const { made, written } = sink();
  const downloads = new Downloads(async () => made);
  const saving = downloads.save(api, document);
  await vi.waitFor(() => expect(opened()).toBe(true));
  expect(downloads.store.getState().get("d")).toEqual({ received: 0, size: 4 });
  send("ab");
  await vi.waitFor(() => expect(downloads.store.getState().get("d")).toEqual({ received: 2, size: 4 }));
  send("cd");
  end();
  expect(await saving).toEqual({ kind: "done" });
  expect([written, downloads.store.getState().size]).toEqual([["ab", "cd"], 0]);
  expect(made.close).toHaveBeenCalledOnce();
});

test("one that breaks off or is refused leaves nothing behind, and says why", async () => {
  const { made } = sink();
  const downloads = new Downloads(async () => made);
  const refused = { stream: async () => Promise.reject(new ApiError("No document", 404)) };
  expect(await downloads.save(refused, document)).toMatchObject({ kind: "failed", error: { message: "No document" } });
  expect([vi.mocked(made.abort).mock.calls.length, vi.mocked(made.close).mock.calls.length]).toEqual([1, 0]);
  expect(downloads.store.getState().size).toBe(0);
});

test("one that is cancelled is no failure", async () => {
  const { api } = source();
  const { made } = sink();
  const downloads = new Downloads(async () => made);
  const saving = downloads.save(api, document);
  await vi.waitFor(() => expect(downloads.store.getState().has("d")).toBe(true));
  downloads.cancel("d");
  expect(await saving).toEqual({ kind: "cancelled" });
  expect(made.abort).toHaveBeenCalledOnce();
});

test("nothing is asked of the server when nobody says where to", async () => {
  const stream = vi.fn();
  expect(await new Downloads(async () => null).save({ stream }, document)).toEqual({ kind: "cancelled" });
  expect(stream).not.toHaveBeenCalled();
});
