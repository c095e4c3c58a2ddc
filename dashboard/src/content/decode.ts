/** A document's text. `note` says what had to be done to read it. */
export type Decoded = { text: string; note: string | null };

/** How far in a NUL is looked for; a binary format has one early. */
const SNIFFED = 8_192;

/** The text that the bytes stand for; null where they are no text. A byte order mark decides, else it is UTF-8. */
export function decode(bytes: Uint8Array): Decoded | null {
  const encoding = encodingOf(bytes);
  if (encoding === "utf-8" && bytes.subarray(0, SNIFFED).includes(0)) return null;
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    return { text, note: encoding === "utf-8" ? null : `This text is encoded in ${encoding.toUpperCase()}.` };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return {
      text: new TextDecoder(encoding).decode(bytes),
      note: `Some bytes are not ${encoding.toUpperCase()}; they are shown as �.`,
    };
  }
}

function encodingOf(bytes: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  return "utf-8";
}
