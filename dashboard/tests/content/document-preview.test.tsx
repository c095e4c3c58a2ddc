import { act, cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { DocumentPreview, type DocumentPreviewProps } from "@/content/document-preview";

beforeEach(() => {
  vi.spyOn(URL, "createObjectURL").mockImplementation(() => "blob:page/1");
  vi.spyOn(URL, "revokeObjectURL").mockImplementation(() => undefined);
});
afterEach(cleanup);

const holding = (content: BlobPart) => () => Promise.resolve(new Blob([content]));
const preview = (props: Partial<DocumentPreviewProps>) => (
  <DocumentPreview contentType="text/plain" filename="a.txt" size={10} load={holding("content")} {...props} />
);

test("text is shown", async () => {
  render(preview({}));
  expect(screen.getByRole("status").textContent).toBe("Loading …");
  expect(await screen.findByText("content")).toBeTruthy();
});

test("Markdown is rendered, and its source shown on request", async () => {
  render(preview({ contentType: "text/markdown", load: holding("# Hi <script>alert(1)</script>") }));
  expect((await screen.findByRole("heading")).textContent).toBe("Hi <script>alert(1)</script>");
  await userEvent.click(screen.getByRole("radio", { name: "Source" }));
  expect(screen.queryByRole("heading")).toBeNull();
});

test("JSON is a tree, and what is none says where", async () => {
  const { unmount } = render(preview({ contentType: "application/json", load: holding('{"a": [1]}') }));
  expect(await screen.findByRole("tree")).toBeTruthy();
  unmount();
  render(preview({ contentType: "application/json", load: holding('{"a": 1,}') }));
  expect(await screen.findByText(/This is not valid JSON/)).toBeTruthy();
});

test("CSV is a table", async () => {
  render(preview({ contentType: "text/csv", load: holding("a,b\n<b>1</b>,=2") }));
  expect(await screen.findByRole("cell", { name: "<b>1</b>" })).toBeTruthy();
});

test("HTML is source first, and rendered only in a sandbox that allows nothing", async () => {
  render(preview({ contentType: "text/html", load: holding("<h1>Hi</h1><script>alert(1)</script>") }));
  await screen.findByRole("radio", { name: "Source", checked: true });
  expect(document.querySelector("iframe")).toBeNull();
  await userEvent.click(screen.getByRole("radio", { name: "Rendered, without scripts" }));
  const frame = document.querySelector("iframe");
  expect(frame?.getAttribute("sandbox")).toBe("");
  expect(frame?.getAttribute("srcdoc")).toContain("default-src 'none'");
  expect(frame?.getAttribute("srcdoc")).not.toContain("script>");
});

test("a picture is shown by an address of its own, as what its type says, until it is left", async () => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
  const { unmount, container } = render(
    preview({ contentType: "image/svg+xml", filename: "x.svg", load: holding(svg) }),
  );
  const image = await screen.findByRole<HTMLImageElement>("img", { name: "x.svg" });
  expect(image.getAttribute("src")).toBe("blob:page/1");
  expect(vi.mocked(URL.createObjectURL).mock.calls[0]?.[0]).toMatchObject({ type: "image/svg+xml" });
  expect(container.querySelector("svg script")).toBeNull();
  unmount();
  expect(URL.revokeObjectURL).toHaveBeenCalledWith("blob:page/1");
});

test("what is no text, or of no known type, has no preview", async () => {
  const { unmount } = render(preview({ load: holding(new Uint8Array([1, 0, 2])) }));
  expect(await screen.findByText(/this is no text/)).toBeTruthy();
  unmount();
  const load = vi.fn(holding(""));
  render(preview({ contentType: "application/zip", filename: "a.zip", size: 123_456, load }));
  expect(screen.getByText("application/zip, 123 KB")).toBeTruthy();
  expect(load).not.toHaveBeenCalled();
});

test("a large document is loaded only when asked for", async () => {
  const load = vi.fn(holding("big"));
  render(preview({ size: 6_000_000, load }));
  expect(load).not.toHaveBeenCalled();
  await userEvent.click(screen.getByRole("button", { name: "Show it" }));
  expect(await screen.findByText("big")).toBeTruthy();
});

test("a failure is said in its words, and can be tried again", async () => {
  const load = vi
    .fn<() => Promise<Blob>>()
    .mockRejectedValueOnce(new Error("No such document."))
    .mockImplementation(holding("there"));
  render(preview({ load }));
  expect((await screen.findByRole("alert")).textContent).toContain("No such document.");
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("there")).toBeTruthy();
});

test("what arrives for a document that is no longer shown is not shown", async () => {
  const first = Promise.withResolvers<Blob>();
  const { rerender } = render(preview({ load: () => first.promise }));
  rerender(preview({ load: holding("second") }));
  expect(await screen.findByText("second")).toBeTruthy();
  await act(async () => first.resolve(new Blob(["first"])));
  await waitFor(() => expect(screen.getByText("second")).toBeTruthy());
  expect(screen.queryByText("first")).toBeNull();
});

test("bytes that are no UTF-8 are replaced, and that is said", async () => {
  render(preview({ load: holding(new Uint8Array([0x48, 0xe4, 0x62])) }));
  expect(await screen.findByText("H�b")).toBeTruthy();
  expect(screen.getByText(/Some bytes are not UTF-8/)).toBeTruthy();
});
