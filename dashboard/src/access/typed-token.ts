/** What a token may be made of: anything else could not be sent as a header. */
const TOKEN = /^[\x21-\x7e]+$/;

/** The token in what was typed or pasted; null where there can be none. */
export function typedToken(text: string): string | null {
  const token = text.trim().replace(/^bearer\s+/i, "");
  return TOKEN.test(token) ? token : null;
}
