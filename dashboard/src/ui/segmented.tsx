import { ToggleGroup } from "radix-ui";
import type { ReactNode } from "react";

type Option<T extends string> = { value: T; label: string; icon?: ReactNode };

/** One of a few choices, side by side. */
export function Segmented<T extends string>(props: {
  label: string;
  value: T;
  options: readonly Option<T>[];
  onChange: (value: T) => void;
}) {
  return (
    <ToggleGroup.Root
      type="single"
      aria-label={props.label}
      value={props.value}
      onValueChange={(value) => {
        if (value) props.onChange(value as T);
      }}
      className="inline-flex h-9 shrink-0 items-center rounded-md border border-line bg-raised p-0.5"
    >
      {props.options.map((option) => (
        <ToggleGroup.Item
          key={option.value}
          value={option.value}
          className="inline-flex h-full items-center gap-1.5 rounded px-2.5 text-sm text-muted data-[state=on]:bg-surface data-[state=on]:font-medium data-[state=on]:text-ink data-[state=on]:shadow-sm"
        >
          {option.icon}
          {option.label}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}
