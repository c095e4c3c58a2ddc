import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, test } from "vitest";

import { Markdown } from "@/content/markdown";

afterEach(cleanup);

const show = (text: string) => render(<Markdown text={text} />).container;

describe("what is written is shown", () => {
  test("with headings below the page's own, none left out", () => {
    show("# One\n\n#### Two\n\n## Three\n\n# Four");
    expect(screen.getAllByRole("heading").map((heading) => `${heading.tagName} ${heading.textContent}`)).toEqual([
      "H3 One",
      "H4 Two",
      "H4 Three",
      "H3 Four",
    ]);
  });

  test("with code highlighted, and copied by a button", () => {
    const container = show('```python\ndef f(): return "x"\n```');
    expect(container.querySelector(".hljs-keyword")?.textContent).toBe("def");
    expect(screen.getByRole("button", { name: "Copy" })).toBeTruthy();
  });

  test("with tables and tasks", () => {
    show("|a|b|\n|-|-|\n|1|2|\n\n- [x] this\n- [ ] that");
    expect(screen.getByRole("table")).toBeTruthy();
    expect(screen.getByRole<HTMLInputElement>("checkbox", { name: "done" }).checked).toBe(true);
    expect(screen.getByRole<HTMLInputElement>("checkbox", { name: "not done" }).checked).toBe(false);
  });

  test("with footnotes that give no names to the page", () => {
    const container = show("a[^1]\n\n[^1]: note");
    expect(container.textContent).toContain("note");
    expect(container.querySelector("[id], a")).toBeNull();
  });
});

describe("hostile text", () => {
  test.each([
    "<script>window.pwned = 1</script>",
    "<img src=x onerror=alert(1)>",
    'before <b onclick="alert(1)">x</b>',
    "<svg><script>alert(1)</script></svg>",
    '<iframe src="https://evil.example"></iframe>',
    "<style>body { display: none }</style>",
    "<!-- hidden -->",
  ])("in HTML is text: %s", (text) => {
    const container = show(text);
    expect(container.textContent).toContain(text);
    expect(container.querySelector("script, img, b, svg, iframe, style")).toBeNull();
  });

  test.each([
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "[x](file:///etc/passwd)",
    "[x](//evil.example)",
    "[x](/sessions)",
    "[x](#/sessions)",
    "[x](https://)",
    "<javascript:alert(1)>",
  ])("leads nowhere: %s", (text) => {
    expect(show(text).querySelector("a")).toBeNull();
  });

  test("leads outside only by links that say so", () => {
    show("[bank](https://evil.example/a) <me@example.org>");
    const link = screen.getByRole("link", { name: "bank" });
    expect(link.getAttribute("href")).toBe("https://evil.example/a");
    expect(link.getAttribute("title")).toBe("https://evil.example/a");
    expect(link.getAttribute("rel")).toBe("noopener noreferrer nofollow");
    expect(link.getAttribute("target")).toBe("_blank");
    expect(screen.getByRole("link", { name: "me@example.org" }).getAttribute("href")).toBe("mailto:me@example.org");
  });

  test("loads no pictures", () => {
    const container = show(
      "![cat](https://evil.example/c.png) ![](data:image/png;base64,x) [![b](https://e.example/b.svg)](https://ci.example)",
    );
    expect(container.querySelector("img")).toBeNull();
    expect(screen.getByRole("link", { name: "Image: cat" }).getAttribute("href")).toBe("https://evil.example/c.png");
    expect(screen.getByRole("link", { name: "Image: b" }).getAttribute("href")).toBe("https://ci.example/");
    expect(container.textContent).toContain("Image: without description");
  });

  test("does not turn the text around", () => {
    expect(show("a\u202eb").textContent).toBe("a⟨U+202E⟩b");
  });

  test("nested ten thousand levels deep is shown as it is", () => {
    expect(show(`${">".repeat(10_000)} deep`).textContent).toContain("nested too deeply");
  });

  test("of a megabyte is shown as it is, and rendered part by part when asked", async () => {
    const paragraph = `${"text ".repeat(2_000)}\n\n`;
    const container = show(paragraph.repeat(100));
    expect(container.querySelector("p")).toBeNull();
    await userEvent.click(screen.getByText("Render as Markdown"));
    expect(container.querySelectorAll("p")).toHaveLength(3);
    await userEvent.click(screen.getByText("Render more"));
    expect(container.querySelectorAll("p")).toHaveLength(6);
  });
});
