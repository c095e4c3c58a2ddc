import { type MouseEvent, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useStore } from "zustand";
import type { StoreApi } from "zustand/vanilla";

import { useShownTheme } from "@/app/theme";
import { whole } from "@/format/numbers";
import { clock, moment } from "@/format/time";
import { cn } from "@/ui/cn";

import { LANE_NAMES, LANES } from "./kinds";
import type { OutlineState } from "./outline-reader";
import { FOUND_PX, MARKS_PX, paint, paintsOf } from "./paint";
import { columnOf, nearestColumn, nextColumn, pictureOf } from "./picture";
import { scaleOf } from "./scale";
import { StripTip } from "./strip-tip";
import { told } from "./strip-words";
import type { View } from "./timeline";
import { useWidth } from "./use-width";

const LANE_PX = 13;
/** Where there is little room; the lanes' names are not shown there. */
const NARROW_LANE_PX = 8;
const NARROW_PX = 560;
const PAGE_STEPS = 20;

type Props = {
  state: OutlineState;
  /** The ids of the first and the last event that are loaded. */
  loaded: { first: number | null; last: number | null };
  view: StoreApi<View>;
  found: readonly number[];
  onJump: (eventId: number) => void;
};

/** The whole run as a picture over time; a press, or Enter at the cursor, goes there. */
export function Strip({ state, loaded, view, found, onJump }: Props) {
  const { outline, version, complete } = state;
  const theme = useShownTheme();
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = Math.floor(useWidth(frame));
  const [hover, setHover] = useState<number | null>(null);
  // An event rather than a place: the picture is drawn together as the run goes on.
  const [cursor, setCursor] = useState<number | null>(null);
  const seen = useStore(view);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the outline grows in place, and its version says so
  const { scale, picture } = useMemo(() => {
    const made = scaleOf(outline.times, outline.untils, width);
    return { scale: made, picture: pictureOf(outline, made) };
  }, [outline, version, width]);
  const laneHeight = width < NARROW_PX ? NARROW_LANE_PX : LANE_PX;
  const height = MARKS_PX + LANES.length * laneHeight + FOUND_PX;
  const columnOfId = (id: number | null) => {
    if (id === null || outline.length === 0) return null;
    const index = Math.min(outline.length - 1, outline.indexFrom(id));
    return columnOf(scale, outline.times[index] ?? 0, picture.width);
  };

  // biome-ignore lint/correctness/useExhaustiveDependencies: colours are read from the page, where the theme sets them
  useLayoutEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || width === 0) return;
    const ratio = window.devicePixelRatio;
    element.width = Math.round(width * ratio);
    element.height = Math.round(height * ratio);
    context.scale(ratio, ratio);
    const columns = new Set<number>();
    for (const id of found) columns.add(columnOfId(id) ?? 0);
    paint(context, { picture, scale, laneHeight, found: columns, paints: paintsOf(element) });
  }, [picture, scale, laneHeight, width, height, found, theme]);

  const at = columnOfId(cursor ?? seen.first) ?? picture.width - 1;
  const point = (column: number) => setCursor(outline.ids[picture.first[column] ?? -1] ?? null);

  const jump = (column: number) => {
    const nearest = nearestColumn(picture, column);
    const id = nearest === null ? undefined : outline.ids[picture.first[nearest] ?? -1];
    if (id !== undefined) onJump(id);
  };
  const columnAt = (event: MouseEvent) => {
    const left = canvas.current?.getBoundingClientRect().left ?? 0;
    return Math.min(picture.width - 1, Math.max(0, Math.floor(event.clientX - left)));
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const steps = STEPS[event.key];
    if (steps !== undefined) {
      let column = at;
      for (let step = 0; step < Math.abs(steps); step += 1) column = nextColumn(picture, column, steps > 0 ? 1 : -1);
      point(column);
    } else if (event.key === "Home") point(nearestColumn(picture, 0) ?? 0);
    else if (event.key === "End") point(nearestColumn(picture, picture.width - 1) ?? 0);
    else if (event.key === "Enter" || event.key === " ") jump(at);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const shown = hover ?? (cursor === null ? null : at);
  return (
    <section aria-label="The run over time" className="flex gap-2 px-3 md:px-4">
      <div className="hidden w-20 shrink-0 flex-col text-right text-xs leading-none text-muted md:flex" aria-hidden>
        <span style={{ height: MARKS_PX }} />
        {LANES.map((lane) => (
          <span key={lane} className="flex items-center justify-end" style={{ height: laneHeight }}>
            {LANE_NAMES[lane]}
          </span>
        ))}
      </div>
      <div ref={frame} className="relative min-w-0 flex-1">
        <div
          role="slider"
          tabIndex={0}
          aria-label="Moment in the run; Enter goes there"
          aria-valuemin={0}
          aria-valuemax={Math.max(0, picture.width - 1)}
          aria-valuenow={at}
          aria-valuetext={told(outline, picture, scale, at)}
          onKeyDown={onKeyDown}
          onBlur={() => setCursor(null)}
          onPointerMove={(event) => setHover(columnAt(event))}
          onPointerLeave={() => setHover(null)}
          onClick={(event) => jump(columnAt(event))}
          className="relative block w-full cursor-pointer rounded bg-surface"
          style={{ height }}
        >
          <canvas ref={canvas} className="block h-full w-full" aria-hidden />
          <Range
            from={columnOfId(loaded.first)}
            to={columnOfId(loaded.last)}
            className="bottom-0 h-0.5 bg-line-strong"
          />
          <Range
            from={columnOfId(seen.first)}
            to={columnOfId(seen.last)}
            className="top-0 bottom-0 rounded-sm border-2 border-accent"
          />
          {shown === null ? null : (
            <div className="pointer-events-none absolute top-0 bottom-0 w-px bg-ink" style={{ left: shown }} />
          )}
        </div>
        {shown === null || outline.length === 0 ? null : <StripTip picture={picture} scale={scale} column={shown} />}
        <p className="mt-1 flex justify-between gap-4 text-xs text-muted tabular-nums">
          <span className="truncate">{extent(outline.times)}</span>
          <span className="shrink-0">{complete ? "" : `${whole(outline.length)} events, reading …`}</span>
        </p>
      </div>
    </section>
  );
}

/** From when to when. */
function extent(times: readonly number[]): string {
  const first = times[0];
  const last = times.at(-1);
  if (first === undefined || last === undefined) return "";
  const [start, end] = [new Date(first), new Date(last)];
  const sameDay = start.toDateString() === end.toDateString();
  return `${moment(start.toISOString())} – ${(sameDay ? clock : moment)(end.toISOString())}`;
}

const STEPS: Record<string, number> = {
  ArrowLeft: -1,
  ArrowDown: -1,
  ArrowRight: 1,
  ArrowUp: 1,
  PageDown: -PAGE_STEPS,
  PageUp: PAGE_STEPS,
};

function Range({ from, to, className }: { from: number | null; to: number | null; className: string }) {
  if (from === null || to === null) return null;
  return (
    <div
      className={cn("pointer-events-none absolute", className)}
      style={{ left: Math.max(0, from - 2), width: Math.max(5, to - from + 4) }}
    />
  );
}
