import { ChevronRight, CircleSlash, CircleX, ListTree, LoaderCircle } from "lucide-react";
import { memo, useId } from "react";

import { clock, duration, moment } from "@/format/time";
import { useNow } from "@/format/use-now";
import { Badge } from "@/ui/badge";
import { cn } from "@/ui/cn";

import { ItemBody } from "./item-body";
import { lookOf } from "./item-look";
import { agentOf, type Item } from "./items";
import { RowActions } from "./row-actions";
import { type Fate, fateOf, tookMs, usageWords } from "./row-facts";
import { summaryOf } from "./summaries";

export type RowProps = {
  /** The id of the element that names it. */
  id: string;
  item: Item;
  depth: number;
  open: boolean;
  folded: boolean;
  /** The row that the keyboard is at: the others are no tab stops. */
  current: boolean;
  /** The row that the address links to. */
  linked: boolean;
  /** It holds what is searched for. */
  matched: boolean;
  live: boolean;
  project: string | null;
  onToggle: (item: Item) => void;
  onFold: (agentId: string) => void;
  onLink: (eventId: number) => void;
  onFocus: (key: string) => void;
};

/** Subagents within subagents are indented so far, and no further: a phone is narrow. */
const MOST_LINES = 5;

/** One item of the timeline: a line, and what it holds when it is open. */
export const TimelineRow = memo(function TimelineRow(props: RowProps) {
  const { item, depth, open, current, linked, matched, live } = props;
  const { icon: Icon, name, colour } = lookOf(item);
  const bodyId = useId();
  const fate = fateOf(item, live);
  // Its line has room for the time on a phone, too, since what it says is below.
  const said = open && (item.kind === "prompt" || item.kind === "answer" || item.kind === "output");
  const summary = said ? "" : summaryOf(item, props.project);
  return (
    <div
      className={cn(
        "group relative border-l-2 pr-2 pl-2",
        linked ? "border-l-accent bg-accent-soft" : matched ? "border-l-warn" : "border-l-transparent",
        item.kind === "prompt" && !linked && "bg-surface",
      )}
    >
      <div className="flex min-h-8 items-center gap-2">
        <time
          dateTime={item.at}
          title={moment(item.at)}
          className="hidden w-20 shrink-0 text-xs whitespace-nowrap text-muted tabular-nums sm:block"
        >
          {clock(item.at)}
        </time>
        <Depth depth={depth} />
        <button
          type="button"
          id={props.id}
          data-row={item.key}
          tabIndex={current ? 0 : -1}
          aria-expanded={open}
          aria-controls={open ? bodyId : undefined}
          onClick={() => props.onToggle(item)}
          onFocus={() => props.onFocus(item.key)}
          className="flex min-h-8 min-w-0 flex-1 items-center gap-2 rounded text-left -outline-offset-2"
        >
          <ChevronRight
            className={cn("size-3.5 shrink-0 text-muted transition-transform", open && "rotate-90")}
            aria-hidden
          />
          <Icon className={cn("size-4 shrink-0", colour)} aria-hidden />
          <span className={cn("shrink-0 truncate", item.kind === "usage" ? "text-muted" : "font-medium")}>{name}</span>
          <span className={cn("min-w-0 truncate text-muted", item.kind === "tool" && "font-mono text-xs")}>
            {item.kind === "usage" ? usageWords(item.event) : summary}
          </span>
          {linked ? <span className="sr-only">, linked</span> : null}
        </button>
        <Steps item={item} folded={props.folded} current={current} onFold={props.onFold} />
        {said ? <time className="shrink-0 text-xs text-muted tabular-nums sm:hidden">{clock(item.at)}</time> : null}
        <FateMark item={item} fate={fate} />
        <RowActions item={item} current={current} onLink={props.onLink} />
      </div>
      {open ? (
        <div id={bodyId} className="flex pb-3 sm:pl-22">
          <Depth depth={depth} />
          <div className="min-w-0 flex-1 pl-5.5">
            {said ? null : (
              <time dateTime={item.at} className="mb-1 block text-xs text-muted tabular-nums sm:hidden">
                {moment(item.at)}
              </time>
            )}
            <ItemBody item={item} />
          </div>
        </div>
      ) : null}
    </div>
  );
});

/** A line down the left for each subagent that the item is part of. */
function Depth({ depth }: { depth: number }) {
  if (depth === 0) return null;
  return (
    <span className="flex shrink-0 self-stretch" aria-hidden>
      {Array.from({ length: Math.min(depth, MOST_LINES) }, (_, level) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines are all alike
        <span key={level} className="ml-1.5 w-3 border-l border-line-strong" />
      ))}
    </span>
  );
}

function Steps({ item, folded, current, onFold }: Pick<RowProps, "item" | "folded" | "current" | "onFold">) {
  const agent = agentOf(item);
  if (agent === null || agent.children.length === 0) return null;
  const steps = `${agent.children.length} ${agent.children.length === 1 ? "step" : "steps"}`;
  const failures = agent.failures === 0 ? "" : `, ${agent.failures} failed`;
  return (
    <button
      type="button"
      tabIndex={current ? 0 : -1}
      aria-expanded={!folded}
      title={folded ? "Show what the subagent did" : "Fold what the subagent did"}
      onClick={() => onFold(agent.agentId)}
      className="inline-flex h-6 shrink-0 items-center gap-1 rounded-md border border-line px-1.5 text-xs text-muted tabular-nums hover:bg-raised hover:text-ink"
    >
      <ListTree className="size-3.5" aria-hidden />
      {steps}
      {failures === "" ? null : <span className="text-bad">{failures}</span>}
    </button>
  );
}

function FateMark({ item, fate }: { item: Item; fate: Fate }) {
  if (fate === "running") return <Running item={item} />;
  const ms = tookMs(item, null);
  return (
    <span className="flex shrink-0 items-center gap-2 text-xs text-muted tabular-nums">
      {fate === "failed" ? (
        <Badge tone="bad">
          <CircleX className="size-3" aria-hidden />
          failed
        </Badge>
      ) : fate === "denied" ? (
        <Badge tone="warn">
          <CircleSlash className="size-3" aria-hidden />
          denied
        </Badge>
      ) : fate === "unfinished" ? (
        <span>no result</span>
      ) : null}
      {ms === null ? null : (
        <>
          <span className="sr-only">took</span>
          <span>{duration(ms)}</span>
        </>
      )}
    </span>
  );
}

/** Only what runs is drawn anew each second. */
function Running({ item }: { item: Item }) {
  const now = useNow();
  const ms = tookMs(item, now);
  return (
    <span className="flex shrink-0 items-center gap-1.5 text-xs text-accent tabular-nums">
      <LoaderCircle className="size-3.5 animate-spin" aria-hidden />
      <span className="sr-only">running</span>
      {ms === null ? null : duration(ms)}
    </span>
  );
}
