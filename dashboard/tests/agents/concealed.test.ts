import { expect, test } from "vitest";

import { concealed } from "@/agents/concealed";

test("values that may be secrets are dots, and all else is as it was", () => {
  const servers = {
    files: { command: "npx", args: ["-y", "x"], env: { KEY: "secret" } },
    web: { type: "http", url: "https://h", headers: { Authorization: "Bearer x" }, more: { env: "kept" } },
    odd: null,
  };
  expect(concealed(servers)).toEqual({
    files: { command: "npx", args: ["-y", "x"], env: { KEY: "••••••••" } },
    web: { type: "http", url: "https://h", headers: { Authorization: "••••••••" }, more: { env: "kept" } },
    odd: null,
  });
});
