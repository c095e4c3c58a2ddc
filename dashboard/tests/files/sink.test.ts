import { afterEach, expect, test, vi } from "vitest";

import { offered, openSink } from "@/files/sink";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function offering() {
  const made: Blob[] = [];
  vi.spyOn(URL, "createObjectURL").mockImplementation((blob) => `blob:${made.push(blob as Blob)}`);
  const revoked = vi.spyOn(URL, "revokeObjectURL").mockImplementation(() => undefined);
  const clicked: string[] = [];
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
    clicked.push(this.download);
  });
  return { made, revoked, clicked };
}

test("a file is offered when it is complete, under its name, and its address is taken back", async () => {
  const { made, revoked, clicked } = offering();
  const sink = offered("a.txt", "text/plain");
  await sink.write("ab");
  await sink.write(new TextEncoder().encode("c") as Uint8Array<ArrayBuffer>);
  expect(clicked).toEqual([]);
  await sink.close();
  expect([clicked, await made[0]?.text(), made[0]?.type]).toEqual([["a.txt"], "abc", "text/plain"]);
  await vi.waitFor(() => expect(revoked).toHaveBeenCalledWith("blob:1"));
});

test("a file that was given up is not offered", async () => {
  const { clicked } = offering();
  const sink = offered("a.txt", "text/plain");
  await sink.write("ab");
  await sink.abort();
  expect(clicked).toEqual([]);
});

test("where the browser can, it asks where to, and writes there", async () => {
  const file = { write: vi.fn(async () => undefined), close: vi.fn(), abort: vi.fn() };
  vi.stubGlobal("showSaveFilePicker", async () => ({ createWritable: async () => file }));
  const sink = await openSink("a.txt", "text/plain");
  await sink?.write("ab");
  expect(file.write).toHaveBeenCalledWith("ab");
});

test("who closes the question wants no file", async () => {
  vi.stubGlobal("showSaveFilePicker", async () => {
    throw new DOMException("closed", "AbortError");
  });
  expect(await openSink("a.txt", "text/plain")).toBeNull();
});
