import { Plus, X } from "lucide-react";
import { useId, useRef } from "react";

import { Button, IconButton } from "@/ui/button";
import { Input } from "@/ui/field";

import { messageAt } from "./problems";
import type { Problem } from "./rules";
import { SecretInput } from "./secret-input";
import { newPair, type Pair } from "./servers";

type PairsEditorProps = {
  label: string;
  /** What one of them is called. */
  noun: string;
  pairs: readonly Pair[];
  problems: readonly Problem[];
  /** Where the pairs' problems are, each under its id. */
  path: Problem["path"];
  error: string | undefined;
  onChange: (pairs: readonly Pair[]) => void;
};

/** Names with values that may be secrets. */
export function PairsEditor({ label, noun, pairs, problems, path, error, onChange }: PairsEditorProps) {
  const id = useId();
  const fresh = useRef<string | null>(null);
  const add = useRef<HTMLButtonElement>(null);
  const change = (pair: Pair) => onChange(pairs.map((one) => (one.id === pair.id ? pair : one)));
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset's legend can't stand in a flex column with a gap
    <div role="group" aria-labelledby={id} className="flex flex-col gap-2 sm:gap-1">
      <p id={id} className="text-sm font-medium">
        {label}
      </p>
      {pairs.map((pair, index) => {
        const wrong = messageAt(problems, ...path, pair.id);
        const said = wrong === undefined ? {} : { "aria-invalid": true, "aria-describedby": `${id}-${pair.id}` };
        return (
          <div key={pair.id} className="flex flex-col gap-1">
            <div className="flex flex-wrap items-start gap-1 sm:flex-nowrap">
              <Input
                ref={(element) => {
                  if (element === null || fresh.current !== pair.id) return;
                  fresh.current = null;
                  element.focus();
                }}
                aria-label={`Name of ${noun} ${index + 1}`}
                value={pair.name}
                autoComplete="off"
                spellCheck={false}
                placeholder="name"
                className="font-mono text-xs sm:max-w-56"
                onChange={(event) => change({ ...pair, name: event.target.value })}
                {...said}
              />
              <SecretInput
                label={`value of ${pair.name || `${noun} ${index + 1}`}`}
                value={pair.value}
                onChange={(value) => change({ ...pair, value })}
              />
              <IconButton
                label={`Remove ${pair.name || `${noun} ${index + 1}`}`}
                onClick={() => {
                  onChange(pairs.filter((one) => one.id !== pair.id));
                  add.current?.focus();
                }}
              >
                <X className="size-4" aria-hidden />
              </IconButton>
            </div>
            {wrong === undefined ? null : (
              <p id={`${id}-${pair.id}`} role="alert" className="text-xs text-bad">
                {wrong}
              </p>
            )}
          </div>
        );
      })}
      {error === undefined ? null : (
        <p role="alert" className="text-xs text-bad">
          {error}
        </p>
      )}
      <Button
        ref={add}
        size="small"
        look="quiet"
        className="self-start"
        onClick={() => {
          const pair = newPair();
          fresh.current = pair.id;
          onChange([...pairs, pair]);
        }}
      >
        <Plus className="size-3.5" aria-hidden />
        Add a {noun}
      </Button>
    </div>
  );
}
