import { Plus, Trash2, X } from "lucide-react";
import { type KeyboardEvent, useEffect, useId, useRef } from "react";

import { Button, IconButton } from "@/ui/button";
import { Field, Input, Select } from "@/ui/field";

import { PairsEditor } from "./pairs-editor";
import { messageAt, messageUnder } from "./problems";
import type { Problem } from "./rules";
import { type Item, newItem, type Row } from "./servers";

type ServerFormProps = {
  row: Row;
  problems: readonly Problem[];
  /** It was added just now, and its name is to be typed. */
  isNew: boolean;
  onChange: (row: Row) => void;
  onRemove: () => void;
};

/** One MCP server. */
export function ServerForm({ row, problems, isNew, onChange, onRemove }: ServerFormProps) {
  const name = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (isNew) name.current?.select();
  }, [isNew]);
  const at = (...path: (string | number)[]) => messageAt(problems, "mcp_servers", row.id, ...path);
  const under = (...path: (string | number)[]) => messageUnder(problems, "mcp_servers", row.id, ...path);
  const extra = Object.keys(row.extra);
  const called = row.name || "the server";
  return (
    <fieldset className="flex min-w-0 flex-col gap-3 rounded-lg border border-line bg-surface p-3">
      <legend className="sr-only">{row.name || "A server without a name"}</legend>
      <div className="flex items-start gap-2">
        <Field label="Name" error={at("name") ?? at()} className="min-w-0 flex-1">
          {(control) => (
            <Input
              {...control}
              ref={name}
              value={row.name}
              autoComplete="off"
              spellCheck={false}
              onChange={(event) => onChange({ ...row, name: event.target.value })}
            />
          )}
        </Field>
        <Field label="Reached by" error={at("type")} className="w-32">
          {(control) => (
            <Select
              {...control}
              value={row.kind}
              onChange={(event) => onChange({ ...row, kind: event.target.value === "http" ? "http" : "stdio" })}
            >
              <option value="stdio">command</option>
              <option value="http">HTTP</option>
            </Select>
          )}
        </Field>
        <IconButton label={`Remove ${called}`} className="mt-6" onClick={onRemove}>
          <Trash2 className="size-4" aria-hidden />
        </IconButton>
      </div>
      {row.kind === "stdio" ? (
        <>
          <Field label="Command" error={at("command")}>
            {(control) => (
              <Input
                {...control}
                value={row.command}
                autoComplete="off"
                spellCheck={false}
                placeholder="npx"
                className="font-mono text-xs"
                onChange={(event) => onChange({ ...row, command: event.target.value })}
              />
            )}
          </Field>
          <Arguments items={row.args} error={under("args")} onChange={(args) => onChange({ ...row, args })} />
          <PairsEditor
            label="Environment"
            noun="variable"
            pairs={row.env}
            problems={problems}
            path={["mcp_servers", row.id]}
            error={under("env")}
            onChange={(env) => onChange({ ...row, env })}
          />
        </>
      ) : (
        <>
          <Field label="URL" error={at("url")}>
            {(control) => (
              <Input
                {...control}
                value={row.url}
                inputMode="url"
                autoComplete="off"
                spellCheck={false}
                placeholder="https://example.com/mcp"
                className="font-mono text-xs"
                onChange={(event) => onChange({ ...row, url: event.target.value })}
              />
            )}
          </Field>
          <PairsEditor
            label="Headers"
            noun="header"
            pairs={row.headers}
            problems={problems}
            path={["mcp_servers", row.id]}
            error={under("headers")}
            onChange={(headers) => onChange({ ...row, headers })}
          />
        </>
      )}
      {extra.length > 0 ? (
        <p className="text-xs break-words text-muted">Also kept, and edited as JSON: {extra.join(", ")}.</p>
      ) : null}
    </fieldset>
  );
}

type ArgumentsProps = {
  items: readonly Item[];
  error: string | undefined;
  onChange: (items: readonly Item[]) => void;
};

/** The command's arguments, one a field: nothing has to be quoted. */
function Arguments({ items, error, onChange }: ArgumentsProps) {
  const id = useId();
  const fresh = useRef<string | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const addAfter = (index: number) => {
    const item = newItem();
    fresh.current = item.id;
    onChange([...items.slice(0, index + 1), item, ...items.slice(index + 1)]);
  };
  const remove = (index: number) => {
    onChange(items.filter((_, at) => at !== index));
    const fields = box.current?.querySelectorAll("input");
    (fields?.[index - 1] ?? box.current?.querySelector<HTMLElement>("[data-add]"))?.focus();
  };
  const onKeyDown = (event: KeyboardEvent, index: number) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault();
      addAfter(index);
    } else if (event.key === "Backspace" && items[index]?.value === "") {
      event.preventDefault();
      remove(index);
    }
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset's legend can't stand in a flex column with a gap
    <div ref={box} role="group" aria-labelledby={id} className="flex flex-col gap-1">
      <p id={id} className="text-sm font-medium">
        Arguments
      </p>
      {items.map((item, index) => (
        <div key={item.id} className="flex items-center gap-1">
          <Input
            ref={(element) => {
              if (element === null || fresh.current !== item.id) return;
              fresh.current = null;
              element.focus();
            }}
            aria-label={`Argument ${index + 1}`}
            value={item.value}
            autoComplete="off"
            spellCheck={false}
            className="font-mono text-xs"
            onKeyDown={(event) => onKeyDown(event, index)}
            onChange={(event) =>
              onChange(items.map((one) => (one.id === item.id ? { ...one, value: event.target.value } : one)))
            }
          />
          <IconButton label={`Remove argument ${index + 1}`} onClick={() => remove(index)}>
            <X className="size-4" aria-hidden />
          </IconButton>
        </div>
      ))}
      {error === undefined ? null : (
        <p role="alert" className="text-xs text-bad">
          {error}
        </p>
      )}
      <Button data-add size="small" look="quiet" className="self-start" onClick={() => addAfter(items.length - 1)}>
        <Plus className="size-3.5" aria-hidden />
        Add an argument
      </Button>
    </div>
  );
}
