import { Code } from "@/content/code";
import { Diff } from "@/content/diff";
import { JsonTree } from "@/content/json-tree";
import { Terminal } from "@/content/terminal";

import type { ToolItem } from "./items";
import { laneOfTool } from "./kinds";
import { Part } from "./part";
import { isFields } from "./summaries";
import { commandOf, editsOf, outputOf, readOf } from "./tool-content";

/** What a tool was given, and what came of it. */
export function ToolBody({ item }: { item: ToolItem }) {
  const input = (item.use ?? item.result)?.tool_input ?? null;
  const output = item.result?.tool_output ?? null;
  const error = item.result?.error ?? null;
  const edits = editsOf(item.name, input, output);
  const command = laneOfTool(item.name) === "shell" ? commandOf(input) : null;
  return (
    <div className="flex flex-col gap-2">
      {command !== null ? (
        <Terminal text={`$ ${command}\n${outputOf(output) ?? ""}`} />
      ) : edits.length > 0 ? (
        edits.map((edit, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a call's edits never change their order
          <Diff key={index} before={edit.before} after={edit.after} path={edit.path} />
        ))
      ) : (
        <InputAndOutput item={item} />
      )}
      {error === null ? null : (
        <Part label="Error" tone="bad">
          <Terminal text={error} />
        </Part>
      )}
    </div>
  );
}

function InputAndOutput({ item }: { item: ToolItem }) {
  const input = (item.use ?? item.result)?.tool_input ?? null;
  const output = item.result?.tool_output ?? null;
  const read = readOf(item.name, input, output);
  const text = read?.text ?? outputOf(output);
  return (
    <>
      {input === null || Object.keys(input).length === 0 ? null : (
        <Part label="Input">
          <JsonTree value={input} label="Input" />
        </Part>
      )}
      {text !== null ? (
        text === "" ? null : (
          <Part label="Output">
            <Code text={text} language={read?.path} numbers={read !== null} label="Output" />
          </Part>
        )
      ) : output === null || (isFields(output) && Object.keys(output).length === 0) ? null : (
        <Part label="Output">
          <JsonTree value={output} label="Output" />
        </Part>
      )}
    </>
  );
}
