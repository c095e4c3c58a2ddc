/** How a piece of terminal output looks. Colours are the terminal's sixteen: 0–7, and 8–15 the bright ones. */
export type AnsiStyle = {
  fg: number | null;
  bg: number | null;
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
  strike: boolean;
  reverse: boolean;
};

export const PLAIN: AnsiStyle = {
  fg: null,
  bg: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  strike: false,
  reverse: false,
};

/** Codes of "select graphic rendition" that switch one thing. Concealed text (8) is shown dim: nothing is hidden here. */
const SWITCHES: Record<number, Partial<AnsiStyle>> = {
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { reverse: true },
  8: { dim: true },
  9: { strike: true },
  21: { underline: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { reverse: false },
  28: { dim: false },
  29: { strike: false },
  39: { fg: null },
  49: { bg: null },
};

/** Bright black. The other bright colours are shown as the plain ones. */
const GREY = 8;

const LEVELS = [0, 95, 135, 175, 215, 255];
const PALETTE: readonly (readonly [number, number, number])[] = [
  [0, 0, 0],
  [187, 0, 0],
  [0, 187, 0],
  [187, 187, 0],
  [0, 0, 187],
  [187, 0, 187],
  [0, 187, 187],
  [187, 187, 187],
  [85, 85, 85],
  [255, 85, 85],
  [85, 255, 85],
  [255, 255, 85],
  [85, 85, 255],
  [255, 85, 255],
  [85, 255, 255],
  [255, 255, 255],
];

/** The style after `ESC [ <parameters> m`. */
export function styleAfter(style: AnsiStyle, parameters: string): AnsiStyle {
  const codes = parameters.split(/[;:]/).map(Number);
  let next = style;
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 0) next = PLAIN;
    else if (code === 38 || code === 48) {
      const { colour, used } = extended(codes, at + 1);
      if (colour !== null) next = { ...next, ...(code === 38 ? { fg: colour } : { bg: colour }) };
      at += used;
    } else if (code >= 30 && code <= 37) next = { ...next, fg: code - 30 };
    else if (code >= 40 && code <= 47) next = { ...next, bg: code - 40 };
    else if (code >= 90 && code <= 97) next = { ...next, fg: code - 82 };
    else if (code >= 100 && code <= 107) next = { ...next, bg: code - 92 };
    else next = { ...next, ...SWITCHES[code] };
  }
  return next;
}

/** The class names for it; content/terminal.css has the colours. */
export function classesOf(style: AnsiStyle): string {
  const fg = style.reverse ? style.bg : style.fg;
  const bg = style.reverse ? (style.fg ?? 7) : style.bg;
  const names = [
    fg === null || bg !== null ? "" : `ansi-fg-${fg === GREY ? fg : fg % 8}`,
    bg === null ? "" : `ansi-bg-${bg % 8}`,
    style.bold ? "ansi-bold" : "",
    style.dim ? "ansi-dim" : "",
    style.italic ? "ansi-italic" : "",
    style.underline ? "ansi-underline" : "",
    style.strike ? "ansi-strike" : "",
  ];
  return names.filter(Boolean).join(" ");
}

/** A colour of 256 (`5;n`) or of 16 million (`2;r;g;b`), as the nearest of the sixteen, which are readable here. */
function extended(codes: readonly number[], at: number): { colour: number | null; used: number } {
  if (codes[at] === 5) return { colour: fromPalette(codes[at + 1] ?? -1), used: 2 };
  if (codes[at] === 2) return { colour: nearest(codes[at + 1] ?? 0, codes[at + 2] ?? 0, codes[at + 3] ?? 0), used: 4 };
  return { colour: null, used: 0 };
}

function fromPalette(index: number): number | null {
  if (!Number.isInteger(index) || index < 0 || index > 255) return null;
  if (index < 16) return index;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return nearest(grey, grey, grey);
  }
  const cube = index - 16;
  const level = (position: number) => LEVELS[position % 6] ?? 0;
  return nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6)), level(cube));
}

function nearest(red: number, green: number, blue: number): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  PALETTE.forEach(([r, g, b], index) => {
    const distance = (red - r) ** 2 + (green - g) ** 2 + (blue - b) ** 2;
    if (distance < least) {
      least = distance;
      best = index;
    }
  });
  return best;
}
