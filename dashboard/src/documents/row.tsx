import { Link } from "@tanstack/react-router";
import { memo } from "react";

import { bytes } from "@/format/numbers";
import { cn } from "@/ui/cn";
import { Checkbox } from "@/ui/field";
import type { DocumentInfo } from "@/wire/types";

import { Ago } from "./ago";
import { FileName } from "./file-name";
import { KindIcon } from "./kind-icon";
import { visibleName } from "./name";
import { Part } from "./part";
import { TagBadges } from "./tag-badges";

/** How much of a row there is room for. */
export type Room = "wide" | "medium" | "narrow";

export const ROW_HEIGHT: Record<Room, number> = { wide: 40, medium: 40, narrow: 60 };

export const COLUMNS: Record<Room, string> = {
  wide: "grid-cols-[2.75rem_minmax(0,1fr)_minmax(0,16rem)_minmax(0,10rem)_5rem_6rem]",
  medium: "grid-cols-[2.75rem_minmax(0,1fr)_minmax(0,11rem)_5rem_6rem]",
  narrow: "grid-cols-[2.75rem_minmax(0,1fr)]",
};

/** For who has nothing to choose documents for. */
export const COLUMNS_TO_READ: Record<Room, string> = {
  wide: "pl-4 grid-cols-[minmax(0,1fr)_minmax(0,16rem)_minmax(0,10rem)_5rem_6rem]",
  medium: "pl-4 grid-cols-[minmax(0,1fr)_minmax(0,11rem)_5rem_6rem]",
  narrow: "pl-4 grid-cols-[minmax(0,1fr)]",
};

export type ItemProps = {
  document: DocumentInfo;
  index: number;
  selected: boolean;
  opened: boolean;
  /** Chooses it; null where there is nothing to choose it for. */
  onToggle: ((index: number, range: boolean) => void) | null;
  onFocus: (index: number) => void;
};

/** One document in the table. The whole of it is the link that opens it, except the checkbox. */
export const Row = memo(function Row({ room, ...item }: ItemProps & { room: Room }) {
  const { document, index, selected, opened } = item;
  return (
    <Part
      role="row"
      aria-rowindex={index + 2}
      onFocus={() => item.onFocus(index)}
      className={cn(
        "relative grid h-full items-center border-b border-line pr-3",
        "has-[a:focus-visible]:outline-2 has-[a:focus-visible]:-outline-offset-2 has-[a:focus-visible]:outline-accent",
        (item.onToggle === null ? COLUMNS_TO_READ : COLUMNS)[room],
        selected ? "bg-accent-soft" : opened ? "bg-raised" : "bg-surface hover:bg-raised",
      )}
    >
      {item.onToggle === null ? null : (
        <Cell>
          <SelectBox {...item} onToggle={item.onToggle} />
        </Cell>
      )}
      <Cell className={room === "narrow" ? "flex flex-col justify-center gap-0.5" : ""}>
        <OpenLink document={document} opened={opened}>
          <KindIcon document={document} />
          <FileName name={document.filename} className="font-medium" />
        </OpenLink>
        {room === "narrow" ? (
          <span className="flex min-w-0 items-center gap-2 text-xs text-muted">
            <span className="tabular-nums">{bytes(document.size_bytes)}</span>
            <Ago iso={document.created_at} />
            <TagBadges tags={document.tags} most={2} />
          </span>
        ) : null}
      </Cell>
      {room === "narrow" ? null : (
        <>
          <Cell className="pl-3">
            <TagBadges tags={document.tags} most={room === "wide" ? 3 : 2} />
          </Cell>
          {room === "wide" ? (
            <Cell className="truncate pl-3 text-xs text-muted">
              <span title={document.content_type}>{document.content_type}</span>
            </Cell>
          ) : null}
          <Cell className="text-right text-xs text-muted tabular-nums">{bytes(document.size_bytes)}</Cell>
          <Cell className="text-right text-xs text-muted">
            <Ago iso={document.created_at} />
          </Cell>
        </>
      )}
    </Part>
  );
});

function Cell({ className, children }: { className?: string; children: React.ReactNode }) {
  return (
    <Part role="cell" className={cn("min-w-0", className)}>
      {children}
    </Part>
  );
}

/** Chooses a document; with Shift, all from the one that was chosen before. */
export function SelectBox({
  document,
  index,
  selected,
  onToggle,
}: ItemProps & { onToggle: NonNullable<ItemProps["onToggle"]> }) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the checkbox in it is one of ours
    <label className="relative z-10 grid size-9 cursor-pointer place-items-center select-none">
      <Checkbox
        checked={selected}
        aria-label={`Select ${visibleName(document.filename)}`}
        onChange={({ nativeEvent }) =>
          onToggle(
            index,
            (nativeEvent instanceof MouseEvent || nativeEvent instanceof KeyboardEvent) && nativeEvent.shiftKey,
          )
        }
      />
    </label>
  );
}

/** The link that opens a document; it reaches over all of the row or card that it is in. */
export function OpenLink(props: { document: DocumentInfo; opened: boolean; children: React.ReactNode }) {
  return (
    <Link
      from="/documents"
      to="/documents"
      search={(search) => ({ ...search, doc: props.document.id })}
      data-open={props.document.id}
      aria-current={props.opened ? "true" : undefined}
      className="flex min-w-0 items-center gap-2 outline-none after:absolute after:inset-0"
    >
      {props.children}
    </Link>
  );
}
