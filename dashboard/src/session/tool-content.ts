import { isFields } from "./summaries";

export type Edit = { path: string; before: string; after: string };

type Input = { readonly [name: string]: unknown } | null;

/** What a tool that edits files changed; nothing for other tools, and where the input is not as expected. */
export function editsOf(tool: string, input: Input, output: unknown): Edit[] {
  if (input === null) return [];
  const path = text(input.file_path) ?? text(input.path) ?? "";
  switch (tool) {
    case "Edit":
      return edit(path, input);
    case "MultiEdit":
      return Array.isArray(input.edits) ? input.edits.flatMap((one) => (isFields(one) ? edit(path, one) : [])) : [];
    case "Write": {
      const after = text(input.content);
      // Claude Code tells in the result what was there before.
      const before = isFields(output) ? (text(output.originalFile) ?? "") : "";
      return after === null ? [] : [{ path, before, after }];
    }
    default:
      return [];
  }
}

function edit(path: string, input: { readonly [name: string]: unknown }): Edit[] {
  const before = text(input.old_string);
  const after = text(input.new_string);
  return before === null || after === null ? [] : [{ path, before, after }];
}

/** The command that a shell was given. */
export function commandOf(input: Input): string | null {
  if (input === null) return null;
  const command = input.command ?? input.cmd;
  if (Array.isArray(command)) return command.map(String).join(" ");
  return text(command);
}

/** A tool's output as text: as it is, as a shell's two streams, or as blocks of text; null if it is none of these. */
export function outputOf(output: unknown): string | null {
  if (typeof output === "string") return output;
  if (Array.isArray(output)) return blocks(output);
  if (!isFields(output)) return null;
  const streams = [text(output.stdout), text(output.stderr)].filter((stream) => stream !== null);
  if (streams.length > 0) return streams.filter((stream) => stream !== "").join("\n");
  if (Array.isArray(output.content)) return blocks(output.content);
  // A large output is cut by the server, which keeps what it began with.
  if (output.truncated === true) return text(output.preview);
  return null;
}

/** What a tool that reads a file has read, and the file's path, which tells the language. */
export function readOf(tool: string, input: Input, output: unknown): { text: string; path: string } | null {
  if (tool !== "Read" || input === null) return null;
  const path = text(input.file_path) ?? "";
  const file = isFields(output) && isFields(output.file) ? output.file : null;
  const content = file === null ? outputOf(output) : text(file.content);
  return content === null ? null : { text: content, path };
}

function blocks(list: readonly unknown[]): string | null {
  const texts = list.map((block) => (isFields(block) && block.type === "text" ? text(block.text) : null));
  return texts.length === 0 || texts.includes(null) ? null : texts.join("\n");
}

const text = (value: unknown): string | null => (typeof value === "string" ? value : null);
