const PICTURES = 0x2400;
const DELETE = 0x7f;

/**
 * Characters that are not seen themselves but change what is: controls other than tab and newline, marks that turn the
 * direction of the text around them (a file name or a line of code can read as another than it is), separators that
 * are no newline, and tag characters, in which a text can be hidden.
 */
const UNSEEN =
  /[^\P{Cc}\t\n]|[\u200b\u2028\u2029\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]|[\u{e0000}-\u{e007f}]/gu;

/** The text with characters that can't be seen written out: ␛ for a control character, ⟨U+202E⟩ for another. */
export function visible(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNSEEN, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20) return String.fromCharCode(PICTURES + code);
    if (code === DELETE) return "␡";
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}
