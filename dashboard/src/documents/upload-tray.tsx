import { ArrowUp, Ban, Check, ChevronDown, ChevronUp, CircleAlert, Clock, RotateCw, X } from "lucide-react";
import { type ReactNode, useState } from "react";

import { bytes } from "@/format/numbers";
import { Button, IconButton } from "@/ui/button";
import { cn } from "@/ui/cn";

import { FileName } from "./file-name";
import { visibleName } from "./name";
import { uploads, useUploads } from "./upload-store";
import { shareOf, summary, type Upload, type UploadState } from "./uploads";

const MOST_LISTED = 100;
/** What needs a person comes first, then what moves. */
const ORDER: Record<UploadState, number> = { failed: 0, storing: 1, sending: 1, waiting: 2, cancelled: 3, done: 4 };

/** The uploads of this window: how far each is, and what can be done about it. */
export function UploadTray() {
  const all = useUploads((state) => state.uploads);
  const [folded, setFolded] = useState(false);
  if (all.length === 0) return null;
  const { under, done, failed, share } = summary(all);
  const words =
    under > 0
      ? `Uploading ${under} ${under === 1 ? "file" : "files"}, ${Math.floor(share * 100)} %`
      : `${done} of ${all.length} uploaded`;
  const listed = all.toSorted((one, other) => ORDER[one.state] - ORDER[other.state]).slice(0, MOST_LISTED);
  return (
    <section aria-label="Uploads" className="flex max-h-[40%] shrink-0 flex-col border-t border-line bg-surface">
      <div className="flex min-h-11 flex-wrap items-center gap-x-2 px-3 py-1 md:px-4">
        <h2 className="min-w-0 flex-1 text-sm font-medium tabular-nums">
          {words}
          {failed > 0 ? <span className="text-bad"> · {failed} failed</span> : null}
        </h2>
        {/* The percentage would be read out all the time; the end is what matters. */}
        <span role="status" className="sr-only">
          {under === 0 ? `${done} uploaded${failed > 0 ? `, ${failed} failed` : ""}` : ""}
        </span>
        {under > 0 ? (
          <Button size="small" look="quiet" onClick={() => uploads.cancelAll()}>
            Cancel all
          </Button>
        ) : null}
        {under < all.length ? (
          <Button size="small" look="quiet" onClick={() => uploads.clear()}>
            Clear finished
          </Button>
        ) : null}
        <IconButton
          label={folded ? "Show the uploads" : "Fold the uploads"}
          size="small"
          aria-expanded={!folded}
          onClick={() => setFolded(!folded)}
        >
          {folded ? <ChevronUp className="size-4" aria-hidden /> : <ChevronDown className="size-4" aria-hidden />}
        </IconButton>
      </div>
      {folded ? null : (
        <ul aria-label="Uploads, one by one" className="min-h-0 flex-1 overflow-auto px-3 pb-2 md:px-4">
          {listed.map((upload) => (
            <Item key={upload.id} upload={upload} />
          ))}
          {all.length > MOST_LISTED ? (
            <li className="py-1 text-xs text-muted">and {all.length - MOST_LISTED} more</li>
          ) : null}
        </ul>
      )}
    </section>
  );
}

function Item({ upload }: { upload: Upload }) {
  const name = visibleName(upload.file.name);
  const moving = upload.state === "sending" || upload.state === "storing";
  return (
    <li className="flex flex-col gap-1 border-t border-line py-1.5 first:border-t-0">
      <div className="flex min-w-0 items-center gap-2">
        {SIGNS[upload.state]}
        <FileName name={upload.file.name} className="max-w-96 flex-1" />
        <span className="ml-auto shrink-0 text-xs text-muted tabular-nums">{progressOf(upload)}</span>
        {moving || upload.state === "waiting" ? (
          <IconButton label={`Cancel ${name}`} size="small" onClick={() => uploads.cancel(upload.id)}>
            <X className="size-4" aria-hidden />
          </IconButton>
        ) : upload.state === "done" ? (
          <span className="w-7" />
        ) : (
          <IconButton label={`Try ${name} again`} size="small" onClick={() => uploads.retry(upload.id)}>
            <RotateCw className="size-4" aria-hidden />
          </IconButton>
        )}
      </div>
      {moving ? (
        <progress
          aria-label={`Upload of ${name}`}
          value={shareOf(upload)}
          max={1}
          className={cn(
            "h-1 w-full appearance-none overflow-hidden rounded-full bg-raised",
            "[&::-webkit-progress-bar]:bg-raised [&::-webkit-progress-value]:bg-accent-fill [&::-moz-progress-bar]:bg-accent-fill",
          )}
        />
      ) : null}
      {upload.error === null ? null : <p className="text-xs break-words text-bad">{upload.error}</p>}
    </li>
  );
}

const SIGNS: Record<UploadState, ReactNode> = {
  waiting: <Clock className="size-4 shrink-0 text-muted" aria-hidden />,
  sending: <ArrowUp className="size-4 shrink-0 text-accent" aria-hidden />,
  storing: <ArrowUp className="size-4 shrink-0 text-accent" aria-hidden />,
  done: <Check className="size-4 shrink-0 text-good" aria-hidden />,
  failed: <CircleAlert className="size-4 shrink-0 text-bad" aria-hidden />,
  cancelled: <Ban className="size-4 shrink-0 text-muted" aria-hidden />,
};

function progressOf(upload: Upload): string {
  const size = bytes(upload.file.size);
  switch (upload.state) {
    case "waiting":
      return `waits, ${size}`;
    case "sending":
      return `${Math.floor(shareOf(upload) * 100)} % of ${size}`;
    case "storing":
      return "being stored …";
    case "done":
      return `uploaded, ${size}`;
    case "failed":
      return "failed";
    case "cancelled":
      return "cancelled";
  }
}
