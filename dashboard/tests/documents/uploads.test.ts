import { beforeEach, describe, expect, it, vi } from "vitest";

import { summary, type Upload, Uploads } from "@/documents/uploads";

import { accessOf } from "../access/access-of";

type Progress = { loaded: number; total: number };

/** A request that does what it is told to. */
class FakeRequest {
  readonly upload: { onprogress: ((event: Progress) => void) | null; onload: ((event: Progress) => void) | null } = {
    onprogress: null,
    onload: null,
  };
  onload: (() => void) | null = null;
  onerror: (() => void) | null = null;
  onabort: (() => void) | null = null;
  status = 0;
  responseText = "";
  address = "";
  body: FormData | null = null;
  aborted = false;

  headers: Record<string, string> = {};
  challenge: string | null = null;

  setRequestHeader(name: string, value: string): void {
    this.headers[name] = value;
  }

  open(method: string, address: string): void {
    this.address = `${method} ${address}`;
  }

  send(body: FormData): void {
    this.body = body;
  }

  abort(): void {
    this.aborted = true;
    this.onabort?.();
  }

  getResponseHeader(name: string): string | null {
    return name === "WWW-Authenticate" ? this.challenge : null;
  }

  answer(status: number, body: unknown): void {
    this.status = status;
    this.responseText = typeof body === "string" ? body : JSON.stringify(body);
    this.onload?.();
  }
}

const SERVER = { address: "http://localhost:8766", access: accessOf("operator") };
const files = (...names: string[]) => names.map((name) => new File([name], name));

let requests: FakeRequest[];
let ended: Upload[];
let queue: Uploads;

beforeEach(() => {
  SERVER.access = accessOf("operator");
  requests = [];
  ended = [];
  queue = new Uploads(
    () => {
      const request = new FakeRequest();
      requests.push(request);
      return request as unknown as XMLHttpRequest;
    },
    (upload) => ended.push(upload),
  );
});

const states = () => queue.store.getState().uploads.map(({ state }) => state);
const upload = (index: number): Upload => {
  const found = queue.store.getState().uploads[index];
  if (found === undefined) throw new Error(`no upload ${index}`);
  return found;
};
const request = (index: number): FakeRequest => {
  const found = requests[index];
  if (found === undefined) throw new Error(`no request ${index}`);
  return found;
};

describe("the queue", () => {
  it("sends three at once, and the next when one has ended, however it ended", () => {
    queue.add(SERVER, files("a", "b", "c", "d", "e", "f"));
    expect(states()).toEqual(["sending", "sending", "sending", "waiting", "waiting", "waiting"]);
    request(1).answer(201, { id: "x" });
    expect(states()).toEqual(["sending", "done", "sending", "sending", "waiting", "waiting"]);
    request(0).answer(422, { detail: "no" });
    request(2).onerror?.();
    expect(states()).toEqual(["failed", "done", "failed", "sending", "sending", "sending"]);
    expect(requests).toHaveLength(6);
  });

  it("sends the file with the tags that were chosen when it was added", () => {
    queue.setTags(["a", "b-1"]);
    queue.add(SERVER, files("one.md"));
    queue.setTags([]);
    queue.add(SERVER, files("two.md"));
    expect(request(0).address).toBe("POST http://localhost:8766/documents");
    expect(request(0).body?.get("tags")).toBe("a,b-1");
    expect(request(0).body?.get("file")).toHaveProperty("name", "one.md");
    expect(request(1).body?.has("tags")).toBe(false);
  });

  it("tells how far a file is, and that it is being stored when all of it is sent", () => {
    queue.add(SERVER, files("a"));
    request(0).upload.onprogress?.({ loaded: 25, total: 100 });
    expect(upload(0)).toMatchObject({ state: "sending", sent: 25, total: 100 });
    request(0).upload.onload?.({ loaded: 100, total: 100 });
    expect(upload(0)).toMatchObject({ state: "storing", sent: 100 });
    request(0).answer(201, { id: "the-id" });
    expect(upload(0)).toMatchObject({ state: "done", documentId: "the-id" });
  });
});

describe("a file that is not taken", () => {
  it.each([
    [
      413,
      { detail: "The file is larger than the limit of 10 bytes" },
      "The file is larger than the limit of 10 bytes (413)",
    ],
    [422, { detail: "'a b' is not a tag" }, "'a b' is not a tag (422)"],
    [502, "<html>bad gateway</html>", "HTTP status 502 (502)"],
  ])("says so in the server's words: %i", (status, body, words) => {
    queue.add(SERVER, files("a"));
    request(0).answer(status, body);
    expect(upload(0)).toMatchObject({ state: "failed", error: words });
  });

  it("says that nothing was heard when the connection broke off", () => {
    queue.add(SERVER, files("a"));
    request(0).onerror?.();
    expect(upload(0).error).toContain("broke off");
  });

  it("is sent again from its beginning, with the tags that are chosen by then", () => {
    queue.setTags(["wrong"]);
    queue.add(SERVER, files("a"));
    request(0).upload.onprogress?.({ loaded: 50, total: 100 });
    request(0).answer(422, { detail: "no" });
    queue.setTags(["right"]);
    queue.retry(upload(0).id);
    expect(upload(0)).toMatchObject({ state: "sending", sent: 0, error: null });
    expect(request(1).body?.get("tags")).toBe("right");
    expect(request(1).address).toBe("POST http://localhost:8766/documents");
  });
});

describe("cancelling", () => {
  it("breaks off a file that is under way, and lets the next begin", () => {
    queue.add(SERVER, files("a", "b", "c", "d"));
    queue.cancel(upload(0).id);
    expect(request(0).aborted).toBe(true);
    expect(states()).toEqual(["cancelled", "sending", "sending", "sending"]);
  });

  it("keeps a file that waits from ever being sent", () => {
    queue.add(SERVER, files("a", "b", "c", "d"));
    queue.cancel(upload(3).id);
    for (const one of [...requests]) one.answer(201, { id: "x" });
    expect(states()).toEqual(["done", "done", "done", "cancelled"]);
    expect(requests).toHaveLength(3);
  });

  it("of all begins none of those that wait", () => {
    queue.add(SERVER, files("a", "b", "c", "d", "e"));
    queue.cancelAll();
    expect(new Set(states())).toEqual(new Set(["cancelled"]));
    expect(requests).toHaveLength(3);
  });

  it("does nothing to a file that is uploaded already", () => {
    queue.add(SERVER, files("a"));
    request(0).answer(201, { id: "x" });
    queue.cancel(upload(0).id);
    queue.retry(upload(0).id);
    expect(states()).toEqual(["done"]);
  });

  it("can be taken back", () => {
    queue.add(SERVER, files("a"));
    queue.cancel(upload(0).id);
    queue.retry(upload(0).id);
    expect(states()).toEqual(["sending"]);
  });
});

describe("the list of uploads", () => {
  it("forgets those that have ended, and those alone", () => {
    queue.add(SERVER, files("a", "b", "c", "d"));
    request(0).answer(201, { id: "x" });
    queue.cancel(upload(1).id);
    queue.clear();
    expect(states()).toEqual(["sending", "sending"]);
  });

  it("tells of each that is done or failed, and not of those that were cancelled", () => {
    queue.add(SERVER, files("a", "b", "c"));
    request(0).answer(201, { id: "x" });
    request(1).answer(422, { detail: "no" });
    queue.cancel(upload(2).id);
    expect(ended.map(({ state }) => state)).toEqual(["done", "failed"]);
  });

  it("sums up by bytes, without those that were cancelled", () => {
    queue.add(SERVER, [new File(["x".repeat(99)], "a"), new File(["x".repeat(99)], "b"), new File(["x"], "c")]);
    request(0).answer(201, { id: "x" });
    request(1).upload.onprogress?.({ loaded: 50, total: 100 });
    queue.cancel(upload(2).id);
    expect(summary(queue.store.getState().uploads)).toEqual({ under: 1, done: 1, failed: 0, share: 0.75 });
  });
});

describe("with tokens", () => {
  it("sends the token of the moment, also when a file is tried again", () => {
    queue.add(SERVER, files("a"));
    expect(request(0).headers).toEqual({ Authorization: "Bearer aot_test" });
    expect(request(0).address).not.toContain("aot_test");
    request(0).onerror?.();
    SERVER.access.forget();
    queue.retry(1);
    expect(request(1).headers).toEqual({});
  });

  it("says in plain words that the role does not allow it", async () => {
    const target = { ...SERVER, access: accessOf("viewer") };
    vi.spyOn(target.access, "find").mockResolvedValue();
    queue.add(target, files("a"));
    request(0).challenge = 'Bearer error="insufficient_scope"';
    request(0).answer(403, { detail: "The token has the role viewer; this needs operator" });
    await vi.waitFor(() => expect(upload(0).error).toBe("Your token may not do this (role viewer)"));
  });

  it("asks whose the token is when it was refused", () => {
    const target = { ...SERVER, access: accessOf("operator") };
    const refused = vi.spyOn(target.access, "refused").mockResolvedValue(true);
    queue.add(target, files("a"));
    request(0).answer(401, { detail: "This token is not known here, or no longer" });
    expect(refused).toHaveBeenCalledWith("aot_test");
    expect(upload(0)).toMatchObject({ state: "failed", error: "This token is not known here, or no longer (401)" });
  });
});
