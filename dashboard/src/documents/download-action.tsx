import { Download, X } from "lucide-react";
import { useStore } from "zustand";

import { identityOf } from "@/access/access";
import { useAccess } from "@/app/backend";
import { IconButton } from "@/ui/button";
import { messageOf } from "@/ui/error-note";
import { notify } from "@/ui/toasts";
import type { DocumentInfo } from "@/wire/types";

import { downloads } from "./downloads";
import { visibleName } from "./name";
import { useApi } from "./queries";

/** Saves a document: by a link, or with the token where one is needed. */
export function DownloadAction({ document }: { document: DocumentInfo }) {
  const needed = useAccess((state) => identityOf(state)?.authentication === "token");
  if (needed) return <WithToken document={document} />;
  return (
    // In a tab of its own, which closes at once: an error in place of the file must not take the page's place.
    <IconButton asChild label="Download" size="small">
      <a href={document.url} download={document.filename} target="_blank" rel="noopener noreferrer">
        <Download className="size-4" aria-hidden />
      </a>
    </IconButton>
  );
}

function WithToken({ document }: { document: DocumentInfo }) {
  const api = useApi();
  const { id } = document;
  const download = useStore(downloads.store, (state) => state.get(id) ?? null);
  const start = async () => {
    const ended = await downloads.save(api, document);
    const name = visibleName(document.filename);
    if (ended.kind === "failed") {
      notify({
        tone: "bad",
        title: `${name} was not downloaded`,
        body: messageOf(ended.error),
        action: { label: "Try again", run: () => void start() },
      });
    } else if (ended.kind === "done") notify({ tone: "good", title: `${name} is downloaded` });
  };
  if (download === null) {
    return (
      <IconButton label="Download" size="small" onClick={() => void start()}>
        <Download className="size-4" aria-hidden />
      </IconButton>
    );
  }
  const share = download.size === 0 ? 100 : Math.floor((download.received / download.size) * 100);
  return (
    <span className="inline-flex items-center text-xs text-muted tabular-nums">
      <span role="progressbar" aria-label="Download" aria-valuemin={0} aria-valuemax={100} aria-valuenow={share}>
        {share} %
      </span>
      <IconButton label="Cancel the download" size="small" onClick={() => downloads.cancel(id)}>
        <X className="size-4" aria-hidden />
      </IconButton>
    </span>
  );
}
