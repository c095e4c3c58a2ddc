import { describe, expect, it } from "vitest";

import { NOTHING, withAll, without, withToggled } from "@/documents/selection";

const a = { id: "a", filename: "a.txt" };
const b = { id: "b", filename: "b.txt" };

describe("a selection", () => {
  it("takes a document, and lets it go", () => {
    const one = withToggled(NOTHING, a);
    expect([...one]).toEqual([["a", "a.txt"]]);
    expect(withToggled(one, a).size).toBe(0);
  });

  it("takes many, each once", () => {
    expect([...withAll(withToggled(NOTHING, a), [a, b]).keys()]).toEqual(["a", "b"]);
  });

  it("loses what is gone, and is the same one where that was not in it", () => {
    const both = withAll(NOTHING, [a, b]);
    expect([...without(both, ["a", "z"]).keys()]).toEqual(["b"]);
    expect(without(both, ["z"])).toBe(both);
  });
});
