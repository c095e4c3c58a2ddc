import { json } from "@codemirror/lang-json";
import { linter, lintGutter } from "@codemirror/lint";
import { Plus } from "lucide-react";
import { useId, useRef, useState } from "react";

import { Button } from "@/ui/button";
import { Segmented } from "@/ui/segmented";

import { CodeEditor } from "./code-editor";
import { otherView } from "./draft";
import { tall } from "./editor-look";
import { messageAt } from "./problems";
import type { Problem } from "./rules";
import { ServerForm } from "./server-form";
import { freeName, newRow, type Row, type Servers } from "./servers";
import { inWords, readServers } from "./servers-json";

const VIEWS = [
  { value: "form", label: "Form" },
  { value: "json", label: "JSON" },
] as const;

const EXAMPLE = `{
  "github": {
    "command": "npx",
    "args": ["-y", "@modelcontextprotocol/server-github"]
  }
}`;

const extensions = [
  json(),
  tall("12rem", "60vh"),
  lintGutter(),
  linter((view) =>
    readServers(view.state.doc.toString()).problems.map(({ from, to, message }) => ({
      from,
      to,
      message,
      severity: "error" as const,
    })),
  ),
];

type ServersEditorProps = {
  servers: Servers;
  onChange: (servers: Servers) => void;
  problems: readonly Problem[];
};

/** The MCP servers, as a form and as JSON; both edit the same. */
export function ServersEditor({ servers, onChange, problems }: ServersEditorProps) {
  const id = useId();
  const [held, setHeld] = useState(false);
  const show = (view: Servers["view"]) => {
    if (view === servers.view) return;
    const other = otherView(servers);
    setHeld(other === null);
    if (other !== null) onChange(other);
  };
  return (
    <section aria-labelledby={id} className="flex flex-col gap-2">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2 id={id} className="text-sm font-medium">
          MCP servers
        </h2>
        <Segmented label="MCP servers as" value={servers.view} options={VIEWS} onChange={show} />
      </div>
      {servers.view === "form" ? (
        <ServerRows
          rows={servers.rows}
          problems={problems}
          onChange={(rows) => onChange({ view: "form", rows, text: null })}
        />
      ) : (
        <ServersJson
          labelledBy={id}
          text={servers.text ?? ""}
          held={held}
          // What the server says; what is wrong with the JSON itself is said as it is typed.
          error={readServers(servers.text ?? "").problems.length > 0 ? undefined : messageAt(problems, "mcp_servers")}
          onChange={(text) => {
            setHeld(false);
            onChange({ ...servers, text });
          }}
        />
      )}
    </section>
  );
}

function ServerRows(props: {
  rows: readonly Row[];
  problems: readonly Problem[];
  onChange: (rows: readonly Row[]) => void;
}) {
  const { rows, problems, onChange } = props;
  const add = useRef<HTMLButtonElement>(null);
  const [fresh, setFresh] = useState<string | null>(null);
  const wrong = messageAt(problems, "mcp_servers");
  return (
    <div className="flex flex-col gap-3">
      {rows.map((row) => (
        <ServerForm
          key={row.id}
          row={row}
          problems={problems}
          isNew={row.id === fresh}
          onChange={(next) => onChange(rows.map((one) => (one.id === row.id ? next : one)))}
          onRemove={() => {
            onChange(rows.filter((one) => one.id !== row.id));
            add.current?.focus();
          }}
        />
      ))}
      {wrong === undefined ? null : (
        <p role="alert" className="text-xs text-bad">
          {wrong}
        </p>
      )}
      <Button
        ref={add}
        className="self-start"
        onClick={() => {
          const row = newRow(freeName(rows));
          setFresh(row.id);
          onChange([...rows, row]);
        }}
      >
        <Plus className="size-4" aria-hidden />
        Add a server
      </Button>
    </div>
  );
}

function ServersJson(props: {
  labelledBy: string;
  text: string;
  held: boolean;
  error: string | undefined;
  onChange: (text: string) => void;
}) {
  const { labelledBy, text, held, error, onChange } = props;
  const id = useId();
  const { problems } = readServers(text);
  const first = problems[0];
  const more = problems.length - 1;
  const wrong = first === undefined ? error : `${inWords(first)}${more > 0 ? ` And ${more} more.` : ""}`;
  return (
    <div className="flex flex-col gap-1">
      <CodeEditor
        labelledBy={labelledBy}
        describedBy={id}
        invalid={wrong !== undefined}
        value={text}
        onChange={onChange}
        extensions={extensions}
        placeholder={EXAMPLE}
      />
      <p id={id} role="status" className={wrong === undefined ? "text-xs text-muted" : "text-xs text-bad"}>
        {wrong ?? "By name, as in other programs’ mcpServers. Values of env and headers are readable here."}
        {held && wrong !== undefined ? " The form can’t show it before this is mended." : ""}
      </p>
    </div>
  );
}
