import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { IconButton } from "./button";
import { notify } from "./toasts";

const SHOWN_MS = 1500;

/** Copies a text, and says that it has. `text` may be computed when it is needed. */
export function CopyButton({ text, label = "Copy" }: { text: string | (() => string); label?: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === "string" ? text : text());
      setCopied(true);
    } catch {
      notify({ tone: "bad", title: "The browser did not allow copying; select the text and copy it by hand." });
    }
  };
  return (
    <IconButton label={copied ? "Copied" : label} size="small" onClick={() => void copy()}>
      {copied ? <Check className="size-3.5 text-good" aria-hidden /> : <Copy className="size-3.5" aria-hidden />}
    </IconButton>
  );
}
