import { expect, test } from "vitest";

import { outdatedBy } from "@/app/queries";

import { event, session } from "../fixtures";

test("messages of documents and agents make untrue what was read of them, others nothing", () => {
  expect(outdatedBy({ type: "document_deleted", seq: 1, document_id: "d" })).toBe("documents");
  expect(outdatedBy({ type: "agent_deleted", seq: 1, name: "a" })).toBe("agents");
  expect(outdatedBy({ type: "session_created", seq: 1, session: session("s") })).toBeNull();
  expect(outdatedBy({ type: "event", seq: 1, data: event(1) })).toBeNull();
  expect(outdatedBy({ type: "tags_updated", seq: 1, tags: [] })).toBeNull();
});
