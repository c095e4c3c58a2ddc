import { X } from "lucide-react";
import { type ClipboardEvent, type KeyboardEvent, useId, useRef, useState } from "react";

import { Field } from "@/ui/field";

type TokenInputProps = {
  label: string;
  hint: string;
  /** What one of them is called: "tag". */
  noun: string;
  tokens: readonly string[];
  onChange: (tokens: readonly string[]) => void;
  /** What is wrong with one; null when nothing is. */
  check: (token: string) => string | null;
  /** Whether a comma ends one, as Enter does. */
  commas: boolean;
  suggestions?: readonly string[];
  error?: string | undefined;
};

/** A list of short texts: Enter adds what is typed, Backspace in the empty field takes the last one away. */
export function TokenInput(props: TokenInputProps) {
  const { label, hint, noun, tokens, onChange, check, commas, suggestions = [], error } = props;
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState<string | undefined>();
  const [said, setSaid] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const list = useId();

  /** Adds what can be added; what can't be stays in the field, with the reason. */
  const add = (raw: string) => {
    const wanted = raw
      .split(commas ? /[,\n]/ : "\n")
      .map((one) => one.trim())
      .filter(Boolean);
    const good = [...new Set(wanted)].filter((one) => check(one) === null && !tokens.includes(one));
    const bad = wanted.filter((one) => check(one) !== null);
    if (good.length > 0) {
      onChange([...tokens, ...good]);
      setSaid(`Added ${good.join(", ")}`);
    }
    setText(bad.join(commas ? ", " : " "));
    setWrong(bad[0] === undefined ? undefined : (check(bad[0]) ?? undefined));
  };
  const remove = (index: number) => {
    onChange(tokens.filter((_, at) => at !== index));
    setSaid(`Removed ${tokens[index]}`);
    input.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter" || (event.key === "," && commas)) {
      // Enter in a field would send the form.
      event.preventDefault();
      add(text);
    } else if (event.key === "Backspace" && text === "" && tokens.length > 0) {
      event.preventDefault();
      remove(tokens.length - 1);
    }
  };
  const onPaste = (event: ClipboardEvent) => {
    // A field takes no line breaks: a list that is pasted would become one long text.
    const pasted = event.clipboardData.getData("text").trim();
    if (!(commas ? /[,\n]/ : /\n/).test(pasted)) return;
    event.preventDefault();
    add(pasted);
  };
  return (
    <Field label={label} hint={hint} error={wrong ?? error}>
      {(control) => (
        <div className="flex flex-wrap items-center gap-1 rounded-md border border-line-strong bg-surface p-1 focus-within:outline-2 focus-within:outline-offset-2 focus-within:outline-accent has-aria-invalid:border-bad">
          {tokens.map((token, index) => (
            <span
              key={token}
              className="inline-flex min-h-7 max-w-full items-center rounded-md bg-raised pl-2 text-xs font-medium"
            >
              <span className="min-w-0 break-words">{token}</span>
              <button
                type="button"
                aria-label={`Remove ${token}`}
                title={`Remove ${token}`}
                onClick={() => remove(index)}
                className="inline-flex size-6 shrink-0 items-center justify-center rounded text-muted hover:text-ink"
              >
                <X className="size-3.5" aria-hidden />
              </button>
            </span>
          ))}
          <input
            {...control}
            ref={input}
            value={text}
            list={suggestions.length > 0 ? list : undefined}
            autoComplete="off"
            placeholder={tokens.length === 0 ? `Add a ${noun}` : ""}
            onChange={(event) => {
              setText(event.target.value);
              setWrong(undefined);
            }}
            onKeyDown={onKeyDown}
            onPaste={onPaste}
            onBlur={() => add(text)}
            className="h-7 min-w-24 flex-1 bg-transparent px-1.5 text-sm outline-none"
          />
          <datalist id={list}>
            {suggestions
              .filter((one) => !tokens.includes(one))
              .map((one) => (
                <option key={one} value={one} />
              ))}
          </datalist>
          <span role="status" className="sr-only">
            {said}
          </span>
        </div>
      )}
    </Field>
  );
}
