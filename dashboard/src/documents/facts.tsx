import { ChevronDown, ChevronUp } from "lucide-react";
import { type ReactNode, useId } from "react";

import { bytes, whole } from "@/format/numbers";
import { moment } from "@/format/time";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";
import type { DocumentInfo } from "@/wire/types";

import { Ago } from "./ago";

type FactsProps = { document: DocumentInfo; open: boolean; onToggle: () => void };

/** What is known of a document and can't be edited here: in a line, and unfolded. */
export function Facts({ document, open, onToggle }: FactsProps) {
  const others = Object.entries(document.metadata).filter(([name]) => name !== "description");
  const id = useId();
  return (
    <section className="flex flex-col gap-1">
      <h3 className="sr-only">Details</h3>
      <div className="flex flex-wrap items-center gap-x-3 text-xs text-muted">
        <span className="min-w-0 truncate">{document.content_type}</span>
        <span className="tabular-nums">{bytes(document.size_bytes)}</span>
        <span>
          added <Ago iso={document.created_at} />
        </span>
        <Button
          size="small"
          look="quiet"
          aria-expanded={open}
          aria-controls={id}
          onClick={onToggle}
          className="-my-1 ml-auto"
        >
          Details
          {open ? <ChevronUp className="size-3.5" aria-hidden /> : <ChevronDown className="size-3.5" aria-hidden />}
        </Button>
      </div>
      <dl
        id={id}
        hidden={!open}
        className={open ? "grid grid-cols-[5.5rem_minmax(0,1fr)] gap-x-3 gap-y-1.5 text-sm" : ""}
      >
        <Fact name="Type">{document.content_type}</Fact>
        <Fact name="Size">
          <span className="tabular-nums">
            {bytes(document.size_bytes)}
            {document.size_bytes < 1000 ? null : (
              <span className="text-muted"> ({whole(document.size_bytes)} bytes)</span>
            )}
          </span>
        </Fact>
        <Fact name="Added">{moment(document.created_at)}</Fact>
        {document.updated_at === document.created_at ? null : <Fact name="Changed">{moment(document.updated_at)}</Fact>}
        <Fact name="SHA-256" copy={document.checksum}>
          <code className="font-mono text-xs">{document.checksum}</code>
        </Fact>
        <Fact name="Address" copy={document.url}>
          <code className="font-mono text-xs">{document.url}</code>
        </Fact>
        {others.map(([name, value]) => (
          <Fact key={name} name={name}>
            {value}
          </Fact>
        ))}
      </dl>
    </section>
  );
}

function Fact({ name, copy, children }: { name: string; copy?: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-muted break-words">{name}</dt>
      <dd className="flex min-w-0 items-start gap-1">
        <span className="min-w-0 break-words">{children}</span>
        {copy === undefined ? null : (
          <span className="-my-1 shrink-0">
            <CopyButton text={copy} label={`Copy: ${name}`} />
          </span>
        )}
      </dd>
    </>
  );
}
