import { X } from "lucide-react";
import { Toast } from "radix-ui";
import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";

import { Button, IconButton } from "./button";
import { cn } from "./cn";

export type Notice = {
  tone: "neutral" | "good" | "warn" | "bad";
  title: string;
  body?: string;
  /** One thing that can be done about it. */
  action?: { label: string; run: () => void };
  /** How long it is shown; errors stay until they are closed. */
  ms?: number;
};

type Shown = Notice & { id: number };

const MOST = 4;
const SHOWN_MS = 6000;

const notices = createStore<{ last: number; shown: readonly Shown[] }>(() => ({ last: 0, shown: [] }));

/** Shows a notice in the corner of the page. Returns how to take it away again. */
export function notify(notice: Notice): () => void {
  const id = notices.getState().last + 1;
  notices.setState(({ shown }) => ({ last: id, shown: [...shown, { ...notice, id }].slice(-MOST) }));
  return () => dismiss(id);
}

function dismiss(id: number): void {
  notices.setState(({ shown }) => ({ shown: shown.filter((one) => one.id !== id) }));
}

const EDGE = { neutral: "border-l-line-strong", good: "border-l-good", warn: "border-l-warn", bad: "border-l-bad" };

/** Where notices appear; once in the page. */
export function Toasts() {
  const shown = useStore(notices, (state) => state.shown);
  return (
    <Toast.Provider label="Notice" swipeDirection="right">
      {shown.map((notice) => (
        <Toast.Root
          key={notice.id}
          type={notice.tone === "bad" ? "foreground" : "background"}
          duration={notice.ms ?? (notice.tone === "bad" ? Number.POSITIVE_INFINITY : SHOWN_MS)}
          onOpenChange={(open) => {
            if (!open) dismiss(notice.id);
          }}
          className={cn(
            "flex items-start gap-2 rounded-lg border border-l-4 border-line bg-surface p-3 shadow-pop",
            EDGE[notice.tone],
          )}
        >
          <div className="min-w-0 flex-1">
            <Toast.Title className="font-medium break-words">{notice.title}</Toast.Title>
            {notice.body ? (
              <Toast.Description className="mt-0.5 break-words text-muted">{notice.body}</Toast.Description>
            ) : null}
          </div>
          {notice.action ? (
            <Toast.Action asChild altText={notice.action.label}>
              <Button size="small" onClick={notice.action.run}>
                {notice.action.label}
              </Button>
            </Toast.Action>
          ) : null}
          <Toast.Close asChild>
            <IconButton label="Close" size="small">
              <X className="size-4" aria-hidden />
            </IconButton>
          </Toast.Close>
        </Toast.Root>
      ))}
      <Toast.Viewport className="fixed right-0 bottom-0 z-[60] flex w-full max-w-sm flex-col gap-2 p-4 outline-none" />
    </Toast.Provider>
  );
}
