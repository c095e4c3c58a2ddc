import { Upload } from "lucide-react";

import { useUploads } from "./upload-store";

/** What is shown while files are dragged over the page. It takes no events: the window takes what is dropped. */
export function DropTarget() {
  const tags = useUploads((state) => state.tags);
  return (
    <div className="pointer-events-none absolute inset-0 z-40 grid place-items-center bg-ground/80 p-4">
      <div className="flex size-full flex-col items-center justify-center gap-2 rounded-xl border-2 border-dashed border-accent bg-accent-soft/80 text-accent">
        <Upload className="size-8" aria-hidden />
        <p className="text-base font-semibold">Drop to upload</p>
        {tags.length > 0 ? <p className="text-sm">with the tags {tags.join(", ")}</p> : null}
      </div>
    </div>
  );
}
