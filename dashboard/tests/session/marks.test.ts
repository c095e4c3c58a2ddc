import { describe, expect, it } from "vitest";

import { placesOf } from "@/session/use-marks";

function page(html: string): HTMLElement {
  const root = document.createElement("div");
  root.innerHTML = html;
  return root;
}

describe("marks", () => {
  it("are wherever a text is written, in any case", () => {
    const root = page("<p>Red and <b>RED</b></p><pre>red red</pre>");
    expect(placesOf(root, "rEd").map(String)).toEqual(["Red", "RED", "red", "red"]);
  });

  it("do not overlap, and are bounded", () => {
    expect(placesOf(page("aaaa"), "aa")).toHaveLength(2);
    expect(placesOf(page("a".repeat(5000)), "a")).toHaveLength(1000);
  });

  it("are none where the text is not", () => {
    expect(placesOf(page("<p title='red'>blue</p>"), "red")).toEqual([]);
  });
});
