import { expect, test } from "vitest";

import { describe as inWords } from "@/app/connection-badge";
import type { Connection } from "@/live/socket";

test.each<[Connection, string]>([
  [{ phase: "connecting" }, "Connecting …"],
  [{ phase: "live" }, "Live"],
  [{ phase: "replaying", done: 3, expected: 10 }, "Catching up, 7 messages to go"],
  [{ phase: "replaying", done: 9, expected: 10 }, "Catching up, 1 message to go"],
  [{ phase: "waiting", retryAt: 4200, failures: 2 }, "Reconnecting in 4 s"],
  [{ phase: "waiting", retryAt: 900, failures: 2 }, "Reconnecting …"],
  [{ phase: "refused", reason: "Origin is not allowed" }, "Refused: Origin is not allowed"],
  [{ phase: "refused", reason: "" }, "Refused: the server does not say why"],
])("%j is said as %s", (connection, text) => {
  expect(inWords(connection, 1000).text).toBe(text);
});
