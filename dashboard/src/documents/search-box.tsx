import { Search } from "lucide-react";
import { type RefObject, useEffect, useState } from "react";

import { Input } from "@/ui/field";

import { LONGEST_QUERY } from "./search";

const SETTLED_MS = 200;

type SearchBoxProps = { value: string; onChange: (value: string) => void; input: RefObject<HTMLInputElement | null> };

/** Searches by file name, when the typing pauses. */
export function SearchBox({ value, onChange, input }: SearchBoxProps) {
  const [text, setText] = useState(value);
  const [followed, setFollowed] = useState(value);
  // The address may be changed by other means, too.
  if (value !== followed) {
    setFollowed(value);
    if (text.trim() !== value) setText(value);
  }
  useEffect(() => {
    if (text.trim() === value) return;
    const timer = setTimeout(() => onChange(text.trim()), SETTLED_MS);
    return () => clearTimeout(timer);
  }, [text, value, onChange]);
  return (
    <search className="relative min-w-0 flex-1 basis-40 sm:max-w-80">
      <Search className="pointer-events-none absolute top-2.5 left-2.5 size-4 text-muted" aria-hidden />
      <Input
        ref={input}
        type="search"
        aria-label="Search by file name"
        placeholder="Name, or *.md"
        className="pl-8"
        maxLength={LONGEST_QUERY}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.preventDefault();
          if (text === "") event.currentTarget.blur();
          else setText("");
        }}
      />
    </search>
  );
}
