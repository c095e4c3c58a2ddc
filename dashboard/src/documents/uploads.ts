import { createStore, type StoreApi } from "zustand/vanilla";

import type { Access } from "@/access/access";
import { roleRefusal } from "@/access/guarded-send";
import { headersOf } from "@/access/questions";
import { errorFrom } from "@/wire/client";
import type { DocumentInfo } from "@/wire/types";

/** `storing`: all bytes are sent and the server has not answered yet. */
export type UploadState = "waiting" | "sending" | "storing" | "done" | "failed" | "cancelled";

/** A file on its way, or what has become of it. */
export type Upload = {
  id: number;
  file: File;
  tags: readonly string[];
  state: UploadState;
  /** Bytes of the request that have gone out, of how many; 0 of 0 until that is known. */
  sent: number;
  total: number;
  /** In the server's words, or why it was not heard. */
  error: string | null;
  documentId: string | null;
};

/** Where files go, and in whose name. */
export type Target = { address: string; access: Access };

/** More at once would only share the same line, and hold the requests that the page itself needs. */
const AT_ONCE = 3;

const UNHEARD =
  "The connection broke off before the server answered: it may be away, or have refused a file of this size. " +
  "Trying again is safe.";

export type UploadsState = {
  uploads: readonly Upload[];
  /** What files that are added next are tagged with. */
  tags: readonly string[];
};

const isOver = (upload: Upload): boolean =>
  upload.state === "done" || upload.state === "failed" || upload.state === "cancelled";

/** Files on their way to the document server, a few at a time. They go on whichever page is shown. */
export class Uploads {
  readonly store: StoreApi<UploadsState> = createStore(() => ({ uploads: [], tags: [] }));
  readonly #requests = new Map<number, XMLHttpRequest>();
  readonly #targets = new Map<number, Target>();
  #last = 0;

  /**
   * @param open makes a request: `fetch` does not tell how much of a body has gone out.
   * @param onEnd is told of each upload that is done or failed.
   */
  constructor(
    private readonly open: () => XMLHttpRequest,
    private readonly onEnd: (upload: Upload) => void = () => {},
  ) {}

  /** @param target the document server. */
  add(target: Target, files: Iterable<File>): void {
    const { tags } = this.store.getState();
    const added = Array.from(files, (file): Upload => {
      this.#last += 1;
      this.#targets.set(this.#last, target);
      return { ...fresh(this.#last, file, tags) };
    });
    this.store.setState(({ uploads }) => ({ uploads: [...uploads, ...added] }));
    this.#fill();
  }

  setTags(tags: readonly string[]): void {
    this.store.setState({ tags });
  }

  cancel(id: number): void {
    const request = this.#requests.get(id);
    if (request !== undefined) request.abort();
    else if (this.#find(id)?.state === "waiting") this.#change(id, { state: "cancelled" });
  }

  cancelAll(): void {
    // Those that wait first: ending one that is under way would begin the next.
    const under = this.store.getState().uploads;
    for (const { id, state } of under) if (state === "waiting") this.cancel(id);
    for (const { id } of under) this.cancel(id);
  }

  /** Sends a file again that was not taken, with the tags that are chosen now: they may have been what was wrong. */
  retry(id: number): void {
    const upload = this.#find(id);
    if (upload?.state !== "failed" && upload?.state !== "cancelled") return;
    this.#change(id, fresh(id, upload.file, this.store.getState().tags));
    this.#fill();
  }

  /** Forgets those that have come to their end. */
  clear(): void {
    this.store.setState(({ uploads }) => ({ uploads: uploads.filter((upload) => !isOver(upload)) }));
    for (const id of this.#targets.keys()) if (this.#find(id) === undefined) this.#targets.delete(id);
  }

  #find(id: number): Upload | undefined {
    return this.store.getState().uploads.find((upload) => upload.id === id);
  }

  #change(id: number, change: Partial<Upload>): void {
    this.store.setState(({ uploads }) => ({
      uploads: uploads.map((upload) => (upload.id === id ? { ...upload, ...change } : upload)),
    }));
  }

  #fill(): void {
    for (const upload of this.store.getState().uploads) {
      if (this.#requests.size >= AT_ONCE) return;
      if (upload.state === "waiting") this.#send(upload);
    }
  }

  #send({ id, file, tags }: Upload): void {
    const target = this.#targets.get(id);
    if (target === undefined) return;
    const request = this.open();
    this.#requests.set(id, request);
    this.#change(id, { state: "sending" });
    const end = (change: Partial<Upload>) => {
      this.#requests.delete(id);
      this.#change(id, change);
      const ended = this.#find(id);
      if (ended !== undefined && ended.state !== "cancelled") this.onEnd(ended);
      this.#fill();
    };
    request.upload.onprogress = ({ loaded, total }) => this.#change(id, { sent: loaded, total });
    request.upload.onload = ({ loaded, total }) => this.#change(id, { state: "storing", sent: loaded, total });
    const { token } = target.access;
    request.onload = () => {
      const outcome = outcomeOf(request);
      if (request.status === 401) void target.access.refused(token);
      if (request.status !== 403) return end(outcome);
      void roleRefusal(target.access, 403, request.getResponseHeader("WWW-Authenticate")).then((words) =>
        end(words === null ? outcome : { state: "failed", error: words }),
      );
    };
    request.onerror = () => end({ state: "failed", error: UNHEARD });
    request.onabort = () => end({ state: "cancelled" });
    request.open("POST", `${target.address}/documents`);
    for (const [name, value] of Object.entries(headersOf(token))) request.setRequestHeader(name, value);
    const form = new FormData();
    if (tags.length > 0) form.append("tags", tags.join(","));
    form.append("file", file);
    request.send(form);
  }
}

function fresh(id: number, file: File, tags: readonly string[]): Upload {
  return { id, file, tags, state: "waiting", sent: 0, total: 0, error: null, documentId: null };
}

function outcomeOf(request: XMLHttpRequest): Partial<Upload> {
  const { status } = request;
  const body = parsed(request.responseText);
  if (status === 201) return { state: "done", documentId: (body as DocumentInfo).id };
  const { message } = errorFrom(status, body, request.getResponseHeader("Retry-After"));
  return { state: "failed", error: `${message} (${status})` };
}

/** What stands between may answer with something that is not JSON; then the status has to do. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** How it goes with all of them, to be told in one line. */
export function summary(uploads: readonly Upload[]): {
  under: number;
  done: number;
  failed: number;
  /** From 0 to 1, by bytes; those that were cancelled count for nothing. */
  share: number;
} {
  let [under, done, failed, sent, size] = [0, 0, 0, 0, 0];
  for (const upload of uploads) {
    if (upload.state === "cancelled") continue;
    if (upload.state === "done") done += 1;
    else if (upload.state === "failed") failed += 1;
    else under += 1;
    // A file without bytes is something to do, too.
    const weight = upload.file.size + 1;
    size += weight;
    sent += weight * (isOver(upload) ? 1 : shareOf(upload));
  }
  return { under, done, failed, share: size === 0 ? 0 : sent / size };
}

export const shareOf = (upload: Upload): number =>
  upload.state === "done" ? 1 : upload.total === 0 ? 0 : upload.sent / upload.total;
