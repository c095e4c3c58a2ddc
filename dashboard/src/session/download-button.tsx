import { Download, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";

import { useBackend } from "@/app/backend";
import { openSink } from "@/files/sink";
import { short, whole } from "@/format/numbers";
import { Button, IconButton } from "@/ui/button";
import { messageOf } from "@/ui/error-note";
import { notify } from "@/ui/toasts";

import { download, fileNameOf } from "./download";

type Props = { sessionId: string; name: string; total: number | null };

/** Saves the whole history as JSON lines, however long, and can be cancelled. */
export function DownloadButton({ sessionId, name, total }: Props) {
  const { coordinator } = useBackend();
  const [count, setCount] = useState<number | null>(null);
  const under = useRef<AbortController | null>(null);
  useEffect(() => () => under.current?.abort(), []);

  const start = async () => {
    const sink = await openSink(fileNameOf(name), "application/jsonl");
    if (sink === null) return;
    const controller = new AbortController();
    under.current = controller;
    setCount(0);
    try {
      const written = await download(coordinator, sessionId, sink, setCount, controller.signal);
      notify({ tone: "good", title: `Downloaded ${whole(written)} events` });
    } catch (error) {
      if (!controller.signal.aborted) notify({ tone: "bad", title: "Not downloaded", body: messageOf(error) });
    } finally {
      setCount(null);
    }
  };

  if (count === null) {
    return (
      <IconButton label="Download as JSON lines" look="plain" onClick={() => void start()}>
        <Download className="size-4" aria-hidden />
      </IconButton>
    );
  }
  const share = total === null || total === 0 ? null : Math.min(100, Math.floor((count / total) * 100));
  return (
    <span className="inline-flex items-center gap-1 text-xs text-muted tabular-nums">
      <span
        role="progressbar"
        aria-label="Download"
        aria-valuemin={0}
        aria-valuemax={100}
        {...(share === null ? {} : { "aria-valuenow": share })}
      >
        {short(count)} events{share === null ? "" : ` · ${share} %`}
      </span>
      <Button size="small" look="quiet" aria-label="Cancel the download" onClick={() => under.current?.abort()}>
        <X className="size-3.5" aria-hidden />
      </Button>
    </span>
  );
}
