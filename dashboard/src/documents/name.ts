/**
 * Characters that are not seen, or change how others are seen: control characters, those that turn the direction of
 * text, and those without any width. `gpj.exe` after U+202E would be read as `exe.jpg`.
 */
const UNSEEN = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\u00ad\u200b\u2060-\u2064\ufeff\u{e0000}-\u{e007f}]/gu;

/** The name with what can't be seen written out: U+202E as ⟨U+202E⟩. */
export function visibleName(name: string): string {
  return name.replace(UNSEEN, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    return `⟨U+${code}⟩`;
  });
}

/** Names of up to so many characters are not taken apart. */
const SHORT = 12;
/** How much of the name stays beside its extension, and the longest end that is kept whole. */
const BEFORE_EXTENSION = 4;
const LONGEST_END = 16;

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** A visible name in two parts: the first may be cut short, the second has the extension and stays whole. */
export function splitName(shown: string): { head: string; tail: string } {
  const parts = units(shown);
  if (parts.length <= SHORT) return { head: shown, tail: "" };
  const extension = /[^.](\.[^.]+)$/.exec(shown)?.[1] ?? "";
  const length = Math.min(units(extension).length + BEFORE_EXTENSION, LONGEST_END);
  return { head: parts.slice(0, -length).join(""), tail: parts.slice(-length).join("") };
}

/** What must not be torn: characters as people see them, and those written out. */
function units(text: string): string[] {
  return text
    .split(/(⟨U\+[0-9A-F]+⟩)/)
    .flatMap((part, index) => (index % 2 === 1 ? [part] : Array.from(graphemes.segment(part), (one) => one.segment)));
}
