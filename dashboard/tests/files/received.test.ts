import { expect, test, vi } from "vitest";

import { blobOf, receive } from "@/files/received";

const piece = (text: string) => new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;

/** A stream of these pieces, which then ends or breaks off. */
function streamOf(pieces: string[], end: "close" | "break" = "close") {
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      const next = pieces.shift();
      if (next !== undefined) controller.enqueue(piece(next));
      else if (end === "close") controller.close();
      else controller.error(new TypeError("network error"));
    },
  });
}

test("all of a stream is in the blob, and how far it is was told", async () => {
  const told: number[] = [];
  const blob = await blobOf(streamOf(["ab", "cde"]), (bytes) => told.push(bytes));
  expect([await blob.text(), told]).toEqual(["abcde", [2, 5]]);
});

test("a stream that breaks off is an error in words, and not a short file", async () => {
  await expect(blobOf(streamOf(["ab"], "break"), () => undefined)).rejects.toThrow("broke off");
});

test("what nobody can take is not read any further", async () => {
  const cancelled = vi.fn();
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.enqueue(piece("ab")),
    cancel: cancelled,
  });
  const full = async () => {
    throw new Error("the disk is full");
  };
  await expect(receive(stream, full, () => undefined, undefined)).rejects.toThrow("the disk is full");
  expect(cancelled).toHaveBeenCalledOnce();
});
