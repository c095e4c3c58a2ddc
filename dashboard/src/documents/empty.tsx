import { FileText, FileX2, Upload } from "lucide-react";

import { identityOf } from "@/access/access";
import { useAccess, useBackend } from "@/app/backend";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";
import { Empty } from "@/ui/empty";

/** Before there is any document: how the first one gets here. `onUpload` is null for who may not. */
export function NoDocuments({ onUpload }: { onUpload: (() => void) | null }) {
  const { addresses } = useBackend();
  const needed = useAccess((state) => identityOf(state)?.authentication === "token");
  const token = needed ? '-H "Authorization: Bearer $AGENT_ORCHESTRATOR_TOKEN" ' : "";
  const command = `curl ${token}-F file=@report.md -F tags=report ${addresses.documents}/documents`;
  if (onUpload === null) {
    return (
      <Empty icon={<FileText aria-hidden />} title="No documents yet">
        <p>Files that agents and people share appear here.</p>
      </Empty>
    );
  }
  return (
    <Empty icon={<FileText aria-hidden />} title="No documents yet">
      <p>Files that agents and people share are here. Drop some anywhere on this page, or choose them.</p>
      <Button look="primary" onClick={onUpload}>
        <Upload className="size-4" aria-hidden />
        Upload
      </Button>
      <p>An agent uploads over HTTP:</p>
      <div className="flex w-full max-w-xl items-start gap-1 rounded-md border border-line bg-surface p-2 pl-3 text-left">
        <code className="min-w-0 flex-1 font-mono text-xs leading-7 break-words text-ink">{command}</code>
        <CopyButton text={command} label="Copy the command" />
      </div>
    </Empty>
  );
}

/** There are documents, and none that match. */
export function NothingMatches({ onClear }: { onClear: () => void }) {
  return (
    <Empty icon={<FileX2 aria-hidden />} title="Nothing matches">
      <p>No document has such a name and all of the chosen tags.</p>
      <Button onClick={onClear}>Clear the filters</Button>
    </Empty>
  );
}
