import { useQuery } from "@tanstack/react-query";
import { memo, useEffect, useState } from "react";

import { bytes } from "@/format/numbers";
import { cn } from "@/ui/cn";
import type { DocumentInfo } from "@/wire/types";

import { Ago } from "./ago";
import { FileName } from "./file-name";
import { hasThumbnail } from "./kind";
import { KindIcon } from "./kind-icon";
import { Part } from "./part";
import { useApi } from "./queries";
import { type ItemProps, OpenLink, SelectBox } from "./row";
import { TagBadges } from "./tag-badges";

export const CARD_HEIGHT = 184;

/** One document in the grid. */
export const Card = memo(function Card({ total, ...item }: ItemProps & { total: number }) {
  const { document, index, selected, opened } = item;
  return (
    <Part
      role="listitem"
      aria-setsize={total}
      aria-posinset={index + 1}
      onFocus={() => item.onFocus(index)}
      className={cn(
        "relative flex min-w-0 flex-1 flex-col overflow-hidden rounded-lg border",
        "has-[a:focus-visible]:outline-2 has-[a:focus-visible]:outline-offset-1 has-[a:focus-visible]:outline-accent",
        selected ? "border-accent bg-accent-soft" : "bg-surface hover:bg-raised",
        opened && !selected ? "border-line-strong" : selected ? "" : "border-line",
      )}
    >
      <div className="grid h-24 shrink-0 place-items-center overflow-hidden border-b border-line bg-raised">
        {hasThumbnail(document) ? (
          <Thumbnail document={document} />
        ) : (
          <KindIcon document={document} className="size-8" />
        )}
      </div>
      {item.onToggle === null ? null : (
        <div className="absolute top-0 left-0">
          <SelectBox {...item} onToggle={item.onToggle} />
        </div>
      )}
      <div className="flex min-w-0 flex-1 flex-col gap-1 p-2.5">
        <OpenLink document={document} opened={opened}>
          <FileName name={document.filename} className="font-medium" />
        </OpenLink>
        <span className="flex gap-2 text-xs text-muted">
          <span className="tabular-nums">{bytes(document.size_bytes)}</span>
          <Ago iso={document.created_at} />
        </span>
        <TagBadges tags={document.tags} most={2} />
      </div>
    </Part>
  );
});

/** A small picture; its bytes never change, so they are read once. */
function Thumbnail({ document }: { document: DocumentInfo }) {
  const api = useApi();
  const { data } = useQuery({
    queryKey: ["document-thumbnail", document.id],
    queryFn: ({ signal }) => api.bytes(document.id, signal),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
  });
  const [url, setUrl] = useState<string | null>(null);
  const [broken, setBroken] = useState(false);
  useEffect(() => {
    if (data === undefined) return;
    const made = URL.createObjectURL(data);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [data]);
  if (url === null || broken) return <KindIcon document={document} className="size-8" />;
  return <img src={url} alt="" className="size-full object-contain" onError={() => setBroken(true)} />;
}
