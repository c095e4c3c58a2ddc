import { type AnsiStyle, classesOf, PLAIN, styleAfter } from "./ansi-style";
import { visible } from "./control-characters";

export type Span = { text: string; className: string };
export type TerminalLine = {
  /** Its number in the output, from 1. */
  number: number;
  spans: Span[];
  /** Characters at its end that are not kept. */
  cut: number;
};
export type TerminalOutput = { total: number; head: TerminalLine[]; tail: TerminalLine[] };

/** What is kept of one line; the rest is counted. */
const LONGEST_LINE = 10_000;
const MOST_SPANS = 1_000;
/** Parameters of an escape sequence, and text of an operating system command, beyond which it is none. */
const LONGEST_PARAMETERS = 64;
const LONGEST_COMMAND = 4_096;

const BACKSPACE = 8;
const NEWLINE = 10;
const RETURN = 13;
const ESCAPE = 27;
const DELETE = 127;

/**
 * What a terminal would show, line by line: colours are taken in, a line that is written over (a progress bar) is its
 * last state, and what moves the cursor, sets titles or rings the bell is dropped. Of the lines, only the first `head`
 * and the last `tail` are kept.
 */
export function terminalOutput(text: string, head: number, tail: number): TerminalOutput {
  const total = countLines(text);
  const output: TerminalOutput = { total, head: [], tail: [] };
  if (total === 0) return output;
  const isKept = (number: number) => number <= head || number > total - tail;
  const keep = (number: number, line: LineBuilder | null) => {
    if (line !== null) (number <= head ? output.head : output.tail).push(line.finished());
  };
  let style = PLAIN;
  let className = "";
  let number = 1;
  let line = isKept(number) ? new LineBuilder(number) : null;
  let at = 0;
  while (at < text.length) {
    const run = controlFrom(text, at);
    if (run > at) line?.write(text, at, run, className);
    at = run;
    if (at >= text.length) break;
    const code = text.charCodeAt(at);
    at += 1;
    if (code === NEWLINE) {
      if (at >= text.length) break;
      keep(number, line);
      number += 1;
      line = isKept(number) ? new LineBuilder(number) : null;
    } else if (code === RETURN) line?.toStart();
    else if (code === BACKSPACE) line?.back();
    else if (code === ESCAPE) {
      const sequence = sequenceAt(text, at);
      at = sequence.end;
      if (sequence.rendition !== null) {
        const next: AnsiStyle = styleAfter(style, sequence.rendition);
        if (next !== style) className = classesOf(next);
        style = next;
      }
    } else if (code !== 7) line?.write(text, at - 1, at, className);
  }
  keep(number, line);
  return output;
}

class LineBuilder {
  #spans: Span[] = [];
  #length = 0;
  #cut = 0;
  #returned = false;

  constructor(readonly number: number) {}

  write(text: string, from: number, to: number, className: string): void {
    if (this.#returned) {
      this.#spans = [];
      this.#length = 0;
      this.#cut = 0;
      this.#returned = false;
    }
    const room = Math.max(LONGEST_LINE - this.#length, 0);
    this.#cut += Math.max(to - from - room, 0);
    const piece = text.slice(from, Math.min(to, from + room));
    if (piece === "") return;
    this.#length += piece.length;
    const last = this.#spans.at(-1);
    if (last !== undefined && (last.className === className || this.#spans.length >= MOST_SPANS)) last.text += piece;
    else this.#spans.push({ text: piece, className });
  }

  /** What comes next is written over the line. */
  toStart(): void {
    this.#returned = true;
  }

  /** Takes the last character back: overstriking is how old programs print bold. */
  back(): void {
    const last = this.#spans.at(-1);
    if (last === undefined || this.#cut > 0) return;
    last.text = last.text.slice(0, -1);
    this.#length -= 1;
    if (last.text === "") this.#spans.pop();
  }

  finished(): TerminalLine {
    const spans = this.#spans.map((span) => ({ ...span, text: visible(span.text) }));
    return { number: this.number, spans, cut: this.#cut };
  }
}

function countLines(text: string): number {
  if (text === "") return 0;
  let count = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < text.length - 1; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}

/** Where the next control character is that means something here, or the end of the text. */
function controlFrom(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === DELETE || (code < 32 && code !== 9)) break;
    at += 1;
  }
  return at;
}

/** The escape sequence after ESC: where it ends, and its parameters if it selects a rendition. */
function sequenceAt(text: string, from: number): { end: number; rendition: string | null } {
  const kind = text[from];
  if (kind === "[") {
    let at = from + 1;
    const limit = Math.min(text.length, at + LONGEST_PARAMETERS);
    while (at < limit && isBetween(text.charCodeAt(at), 0x20, 0x3f)) at += 1;
    if (at >= limit || !isBetween(text.charCodeAt(at), 0x40, 0x7e)) return { end: at, rendition: null };
    const parameters = text.slice(from + 1, at);
    return { end: at + 1, rendition: text[at] === "m" && /^[\d;:]*$/.test(parameters) ? parameters : null };
  }
  if (kind !== undefined && "]PX^_".includes(kind)) return { end: commandEnd(text, from + 1), rendition: null };
  let at = from;
  while (at < from + 3 && isBetween(text.charCodeAt(at), 0x20, 0x2f)) at += 1;
  return { end: Math.min(at + 1, text.length), rendition: null };
}

/** After the BEL or ESC \ that ends a command; right here where none does, so that no text is swallowed. */
function commandEnd(text: string, from: number): number {
  const limit = Math.min(text.length, from + LONGEST_COMMAND);
  for (let at = from; at < limit; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 7) return at + 1;
    if (code === ESCAPE) return text[at + 1] === "\\" ? at + 2 : at;
    if (code === NEWLINE) break;
  }
  return from;
}

const isBetween = (code: number, low: number, high: number): boolean => code >= low && code <= high;
