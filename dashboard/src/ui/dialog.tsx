import { X } from "lucide-react";
import { Dialog as Primitive } from "radix-ui";
import { type ReactNode, useRef, useState } from "react";

import { Button, IconButton } from "./button";
import { cn } from "./cn";
import { ErrorNote } from "./error-note";
import { Field, Input } from "./field";

type DialogProps = {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description?: ReactNode;
  size?: "small" | "large";
  children?: ReactNode;
};

/** A modal dialog: focus stays in it, Escape closes it, and focus returns to where it was. */
export function Dialog({ open, onOpenChange, title, description, size = "small", children }: DialogProps) {
  // It has no trigger of its own, which the library would return to.
  const before = useRef<HTMLElement | null>(null);
  return (
    <Primitive.Root open={open} onOpenChange={onOpenChange}>
      <Primitive.Portal>
        <Primitive.Overlay className="fixed inset-0 z-40 bg-black/45" />
        <Primitive.Content
          {...(description ? {} : { "aria-describedby": undefined })}
          onOpenAutoFocus={() => {
            before.current = document.activeElement instanceof HTMLElement ? document.activeElement : null;
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            before.current?.focus();
          }}
          className={cn(
            "fixed top-1/2 left-1/2 z-50 flex max-h-[88dvh] w-[calc(100vw-2rem)] -translate-x-1/2 -translate-y-1/2",
            "flex-col rounded-xl border border-line bg-surface shadow-pop",
            size === "small" ? "max-w-md" : "max-w-3xl",
          )}
        >
          <div className="flex items-start gap-3 px-5 pt-4 pb-2">
            <div className="min-w-0 flex-1">
              <Primitive.Title className="text-base font-semibold break-words">{title}</Primitive.Title>
              {description ? (
                <Primitive.Description asChild>
                  <div className="mt-1 text-sm text-muted">{description}</div>
                </Primitive.Description>
              ) : null}
            </div>
            <Primitive.Close asChild>
              <IconButton label="Close" size="small">
                <X className="size-4" aria-hidden />
              </IconButton>
            </Primitive.Close>
          </div>
          <div className="min-h-0 flex-1 overflow-auto px-5 pt-1 pb-5">{children}</div>
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}

type ConfirmProps = {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description: ReactNode;
  /** What the button says: the verb of what will happen. */
  action: string;
  /** A word that has to be typed first, where much depends on it. */
  typed?: string;
  /** Does it; the dialog closes when it has succeeded, and shows the error when not. */
  onConfirm: () => Promise<unknown>;
};

/** Asks before something that can't be taken back. */
export function ConfirmDialog({ open, onOpenChange, title, description, action, typed, onConfirm }: ConfirmProps) {
  const [word, setWord] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const change = (next: boolean) => {
    setWord("");
    setError(null);
    onOpenChange(next);
  };
  const confirm = async () => {
    setBusy(true);
    setError(null);
    try {
      await onConfirm();
      change(false);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog open={open} onOpenChange={change} title={title} description={description}>
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          void confirm();
        }}
      >
        {typed === undefined ? null : (
          <Field label={`Type “${typed}” to confirm`}>
            {(control) => (
              <Input {...control} value={word} autoComplete="off" onChange={(event) => setWord(event.target.value)} />
            )}
          </Field>
        )}
        {error === null ? null : <ErrorNote error={error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={() => change(false)}>Cancel</Button>
          <Button type="submit" look="danger" disabled={busy || (typed !== undefined && word.trim() !== typed)}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
