import { Check, Copy, Link2 } from "lucide-react";
import { useEffect, useState } from "react";

import { cn } from "@/ui/cn";
import { notify } from "@/ui/toasts";

import { eventsOf, type Item } from "./items";

const SHOWN_MS = 1500;

type Props = { item: Item; current: boolean; onLink: (eventId: number) => void };

/** Copying an item's events as JSON, and a link to it. They show where the pointer, the keyboard or a finger is. */
export function RowActions({ item, current, onLink }: Props) {
  const json = () => {
    const events = eventsOf(item);
    return JSON.stringify(events.length === 1 ? events[0] : events, null, 2);
  };
  return (
    <span
      className={cn(
        "flex shrink-0 items-center",
        "opacity-0 group-focus-within:opacity-100 group-hover:opacity-100",
        // Without a pointer that hovers, the room goes to what the row says.
        "pointer-coarse:hidden pointer-coarse:group-focus-within:flex",
      )}
    >
      <CopyAction label="Copy as JSON" icon={<Copy className="size-3.5" aria-hidden />} text={json} current={current} />
      <CopyAction
        label="Copy link"
        icon={<Link2 className="size-3.5" aria-hidden />}
        text={() => linkTo(item.id)}
        current={current}
        onCopied={() => onLink(item.id)}
      />
    </span>
  );
}

/** The page's address, at an event. */
export function linkTo(eventId: number): string {
  const { origin, pathname, hash } = window.location;
  const path = hash.split("?")[0] ?? "";
  return `${origin}${pathname}${path}?event=${eventId}`;
}

type ActionProps = {
  label: string;
  icon: React.ReactNode;
  text: () => string;
  current: boolean;
  onCopied?: () => void;
};

function CopyAction({ label, icon, text, current, onCopied }: ActionProps) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setCopied(true);
      onCopied?.();
    } catch {
      notify({ tone: "bad", title: "The browser did not allow copying; open the item and copy it by hand." });
    }
  };
  return (
    <button
      type="button"
      tabIndex={current ? 0 : -1}
      aria-label={copied ? "Copied" : label}
      title={label}
      onClick={() => void copy()}
      className="inline-flex size-7 items-center justify-center rounded-md text-muted hover:bg-raised hover:text-ink"
    >
      {copied ? <Check className="size-3.5 text-good" aria-hidden /> : icon}
    </button>
  );
}
