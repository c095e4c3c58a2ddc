import type { Versioned } from "@/documents/wire";
import { ApiError } from "@/wire/client";
import type { DocumentInfo } from "@/wire/types";

export function documentWith(change: Partial<DocumentInfo> = {}): DocumentInfo {
  return {
    id: "0123456789abcdef0123456789abcdef",
    filename: "report.md",
    content_type: "text/markdown",
    size_bytes: 12,
    checksum: "0".repeat(64),
    created_at: "2026-01-24T10:00:00.000000+00:00",
    updated_at: "2026-01-24T10:00:00.000000+00:00",
    tags: [],
    metadata: {},
    url: "http://localhost:8766/documents/0123456789abcdef0123456789abcdef",
    ...change,
  };
}

type Change = { tags?: readonly string[]; description?: string | null };

/** A server with one document, which minds `If-Match`. */
export class OneDocument {
  #document: DocumentInfo;
  #version = 1;
  /** What happens before each PATCH is looked at: somebody else may be faster. */
  before: () => void = () => {};
  patches = 0;

  constructor(change: Partial<DocumentInfo> = {}) {
    this.#document = documentWith(change);
  }

  get now(): Versioned {
    return { document: this.#document, version: `"${this.#version}"` };
  }

  /** Somebody else's change. */
  change({ tags, description }: Change): void {
    const metadata = { ...this.#document.metadata };
    if (description === null) delete metadata.description;
    else if (description !== undefined) metadata.description = description;
    this.#document = { ...this.#document, metadata, tags: [...(tags ?? this.#document.tags)] };
    this.#version += 1;
  }

  read = async (): Promise<Versioned> => this.now;

  patch = async (_id: string, change: Change, version: string): Promise<Versioned> => {
    this.patches += 1;
    this.before();
    if (version !== this.now.version) throw new ApiError("The document has changed meanwhile", 412);
    this.change(change);
    return this.now;
  };

  remove = async (): Promise<void> => {};
}
