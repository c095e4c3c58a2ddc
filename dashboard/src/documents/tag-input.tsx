import { X } from "lucide-react";
import { type ComponentProps, useId, useState } from "react";

import { cn } from "@/ui/cn";

import { objectionTo, tagsIn, together } from "./tags";

const MOST_SUGGESTED = 100;

type TagInputProps = Pick<ComponentProps<"input">, "id" | "aria-describedby" | "aria-invalid" | "autoFocus"> & {
  tags: readonly string[];
  onChange: (tags: string[]) => void;
  suggestions: readonly string[];
};

/** Some tags, to be typed or pasted; Enter or a comma ends one. What is no tag is marked and kept, to be mended. */
export function TagInput({ tags, onChange, suggestions, ...control }: TagInputProps) {
  const [text, setText] = useState("");
  const list = useId();
  const add = (typed: string) => {
    const added = tagsIn(typed);
    setText("");
    if (added.length > 0) onChange(together(tags, added));
  };
  return (
    <div
      className={cn(
        "flex min-h-9 w-full flex-wrap items-center gap-1 rounded-md border bg-surface px-1.5 py-1",
        "focus-within:outline-2 focus-within:outline-offset-2 focus-within:outline-accent",
        control["aria-invalid"] ? "border-bad" : "border-line-strong",
      )}
    >
      {tags.map((tag) => (
        <span
          key={tag}
          className={cn(
            "inline-flex h-6 max-w-full items-center rounded-full pl-2 text-xs",
            objectionTo(tag) === null ? "bg-raised text-ink" : "bg-bad-soft text-bad",
          )}
        >
          <span className="truncate">{tag}</span>
          <button
            type="button"
            aria-label={`Remove the tag ${tag}`}
            onClick={() => onChange(tags.filter((one) => one !== tag))}
            className="grid size-6 shrink-0 place-items-center rounded-full text-muted hover:text-ink"
          >
            <X className="size-3" aria-hidden />
          </button>
        </span>
      ))}
      <input
        {...control}
        type="text"
        list={list}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        value={text}
        placeholder={tags.length === 0 ? "Type a tag, Enter" : ""}
        className="h-6 min-w-24 flex-1 bg-transparent px-1 text-sm outline-none"
        onChange={({ target: { value } }) => {
          if (value.includes(",")) add(value);
          else setText(value);
        }}
        onBlur={() => add(text)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && text.trim() !== "") {
            event.preventDefault();
            add(text);
          } else if (event.key === "Backspace" && text === "" && tags.length > 0) {
            onChange(tags.slice(0, -1));
          }
        }}
      />
      <datalist id={list}>
        {suggestions
          .filter((tag) => !tags.includes(tag))
          .slice(0, MOST_SUGGESTED)
          .map((tag) => (
            <option key={tag} value={tag} />
          ))}
      </datalist>
    </div>
  );
}

/** What is wrong with some tags, in one sentence; undefined when nothing is. */
export function objectionToAny(tags: readonly string[]): string | undefined {
  for (const tag of tags) {
    const objection = objectionTo(tag);
    if (objection !== null) return objection;
  }
  return undefined;
}
