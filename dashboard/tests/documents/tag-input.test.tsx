import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { afterEach, describe, expect, it } from "vitest";

import { objectionToAny, TagInput } from "@/documents/tag-input";

afterEach(cleanup);

function Form() {
  const [tags, setTags] = useState<readonly string[]>(["first"]);
  return (
    <>
      <TagInput id="tags" aria-describedby="x" tags={tags} onChange={setTags} suggestions={["known"]} />
      <output>{tags.join("|")}</output>
      <button type="button">Elsewhere</button>
    </>
  );
}

const input = () => screen.getByRole("combobox");
const shown = () => screen.getByRole("status").textContent;

describe("typing tags", () => {
  it("ends one by Enter, by a comma and by leaving, each tag once", async () => {
    const user = userEvent.setup();
    render(<Form />);
    await user.type(input(), "a{Enter}b,first, c");
    await user.click(screen.getByRole("button", { name: "Elsewhere" }));
    expect(shown()).toBe("first|a|b|c");
  });

  it("takes a pasted list", async () => {
    const user = userEvent.setup();
    render(<Form />);
    await user.click(input());
    await user.paste("x, y,,z");
    expect(shown()).toBe("first|x|y|z");
  });

  it("removes one by its button, and the last by Backspace", async () => {
    const user = userEvent.setup();
    render(<Form />);
    await user.type(input(), "a{Enter}b{Enter}");
    await user.click(screen.getByRole("button", { name: "Remove the tag first" }));
    await user.type(input(), "{Backspace}");
    expect(shown()).toBe("a");
  });
});

describe("an objection to tags", () => {
  it("names the one that is none", () => {
    expect(objectionToAny(["ok", "not ok"])).toContain("“not ok”");
    expect(objectionToAny(["ok", "Also-1"])).toBeUndefined();
  });
});
