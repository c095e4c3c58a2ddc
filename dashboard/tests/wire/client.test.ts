import { describe, expect, test } from "vitest";

import { ApiError, answerTo, bodyOf, errorFrom } from "@/wire/client";

describe("an error", () => {
  test("has the server's own words", () => {
    expect(errorFrom(404, { detail: "No session 'x'" }, null)).toMatchObject({
      message: "No session 'x'",
      status: 404,
    });
  });

  test("names the fields that were wrong, and has them for forms", () => {
    const detail = [
      { loc: ["body", "tags", 0], msg: "String should match pattern", type: "string_pattern_mismatch" },
      { loc: ["body"], msg: "name something", type: "value_error" },
    ];
    const error = errorFrom(422, { detail }, null);
    expect(error.message).toBe("tags.0: String should match pattern; name something");
    expect(error.fields.map((field) => field.loc)).toEqual([["body", "tags", 0], ["body"]]);
  });

  test.each([undefined, "", "<html>", {}, { detail: 5 }, { detail: [] }, { detail: [1, null] }])(
    "without words (%j) at least says its status",
    (body) => {
      expect(errorFrom(502, body, null).message).toBe("HTTP status 502");
    },
  );

  test("knows when to try again", () => {
    expect(errorFrom(503, { detail: "later" }, "7").retryAfter).toBe(7);
    expect(errorFrom(503, { detail: "later" }, "soon").retryAfter).toBeNull();
  });
});

describe("an answer", () => {
  test("is its body", async () => {
    expect(await bodyOf(Promise.resolve({ data: 1, response: new Response() }))).toBe(1);
  });

  test("that says no is an ApiError", async () => {
    const response = new Response(null, { status: 409, headers: { "Retry-After": "2" } });
    const request = Promise.resolve({ error: { detail: "taken" }, response });
    await expect(answerTo(request)).rejects.toMatchObject({ message: "taken", status: 409, retryAfter: 2 });
  });

  test("that did not come is an ApiError of status 0", async () => {
    const error = await bodyOf(Promise.reject(new TypeError("Failed to fetch"))).catch((problem: unknown) => problem);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 0 });
  });

  test("that was given up is no error of the server's", async () => {
    const request = Promise.reject(new DOMException("left", "AbortError"));
    await expect(bodyOf(request)).rejects.toMatchObject({ name: "AbortError" });
  });
});
