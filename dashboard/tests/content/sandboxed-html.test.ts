import { expect, test } from "vitest";

import { sandboxedDocument } from "@/content/sandboxed-html";

const POLICY = `<!doctype html><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">`;

test("the policy comes first", () => {
  for (const html of ["", "<p>x", "<html><head><script>1</script></head></html>", "<!-- -->x"]) {
    expect(sandboxedDocument(html, null).startsWith(`${POLICY}<html`)).toBe(true);
  }
});

test.each([
  ["<script>alert(1)</script>", "alert"],
  ['<img src="x" onerror="alert(1)">', "alert"],
  ['<body onload="alert(1)">x</body>', "alert"],
  ['<a href="https://evil.example">x</a>', "evil"],
  ['<a href="javascript:alert(1)">x</a>', "alert"],
  ['<img src="https://evil.example/x.png" srcset="https://evil.example/y.png 2x">', "evil"],
  ['<link rel="prefetch" href="https://evil.example">', "evil"],
  ['<meta http-equiv="refresh" content="0;url=https://evil.example">', "evil"],
  ['<base href="https://evil.example">', "evil"],
  ['<iframe srcdoc="<script>alert(1)</script>"></iframe>', "alert"],
  ['<form action="https://evil.example"><button formaction="https://evil.example">x</button></form>', "evil"],
  ['<video poster="https://evil.example"></video>', "evil"],
  ['<svg><a xlink:href="https://evil.example">x</a><script>alert(1)</script></svg>', "evil"],
])("nothing is left of %s", (html, hostile) => {
  expect(sandboxedDocument(html, "n")).not.toContain(hostile);
});

test("what is harmless stays", () => {
  const shown = sandboxedDocument('<h1 id="a">Title</h1><a href="#a">up</a><img src="data:image/png;base64,AA">', null);
  expect(shown).toContain('<h1 id="a">Title</h1>');
  expect(shown).toContain('href="#a"');
  expect(shown).toContain("data:image/png;base64,AA");
});

test("styles get the page's nonce, those of attributes as rules", () => {
  const shown = sandboxedDocument('<style>h1 { color: red }</style><p style="color: blue">x</p>', "abc");
  expect(shown.match(/<style[^>]*nonce="abc"/g)).toHaveLength(2);
  expect(shown).toContain('[data-styled="0"] { color: blue }');
  expect(shown).not.toContain("style=");
});

test("a style attribute can't end the style element", () => {
  const shown = sandboxedDocument('<p style="</style><img src=https://evil.example>">x</p>', "abc");
  expect(shown).not.toContain("<img");
});
