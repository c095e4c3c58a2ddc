import { Slot } from "radix-ui";
import type { ComponentProps } from "react";

import { cn } from "./cn";

type Look = "plain" | "primary" | "danger" | "quiet";

const LOOKS: Record<Look, string> = {
  plain: "border border-line bg-surface text-ink hover:bg-raised",
  primary: "border border-transparent bg-accent-fill text-on-accent hover:brightness-110",
  danger: "border border-transparent bg-bad-fill text-white hover:brightness-110",
  quiet: "border border-transparent text-muted hover:bg-raised hover:text-ink",
};

const SIZES = {
  normal: "h-9 px-3 text-sm",
  small: "h-7 px-2 text-xs",
  icon: "size-9",
  smallIcon: "size-7",
};

type ButtonProps = ComponentProps<"button"> & { look?: Look; size?: keyof typeof SIZES; asChild?: boolean };

/** A button. With `asChild`, its only child (a link, as a rule) looks like one. */
export function Button({ look = "plain", size = "normal", asChild = false, className, type, ...rest }: ButtonProps) {
  const Element = asChild ? Slot.Root : "button";
  return (
    <Element
      {...(asChild ? {} : { type: type ?? "button" })}
      className={cn(
        "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md font-medium whitespace-nowrap",
        "transition-colors select-none disabled:cursor-not-allowed disabled:opacity-50",
        SIZES[size],
        LOOKS[look],
        className,
      )}
      {...rest}
    />
  );
}

type IconButtonProps = Omit<ButtonProps, "aria-label" | "size"> & { label: string; size?: "small" | "normal" };

/** A button that shows an icon; `label` is what it is called, and its tooltip. */
export function IconButton({ label, look = "quiet", size = "normal", ...rest }: IconButtonProps) {
  return (
    <Button aria-label={label} title={label} look={look} size={size === "small" ? "smallIcon" : "icon"} {...rest} />
  );
}
