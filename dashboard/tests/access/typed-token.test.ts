import { expect, test } from "vitest";

import { typedToken } from "@/access/typed-token";

test.each([
  ["aot_AbC-1_2", "aot_AbC-1_2"],
  ["  aot_x\n", "aot_x"],
  ["Bearer aot_x", "aot_x"],
])("%j is taken for a token", (text, token) => {
  expect(typedToken(text)).toBe(token);
});

test.each(["", "   ", "two words", "aot_…", "a\nb", "tökén"])("%j could not be sent as a header", (text) => {
  expect(typedToken(text)).toBeNull();
});
