import type { ReactNode } from "react";

/** The box that follows the pointer, or the arrow keys. */
export function ChartTooltip({ head, lines }: { head: ReactNode; lines: readonly { label: string; value: string }[] }) {
  return (
    <div className="max-w-64 rounded-md border border-line bg-surface px-2.5 py-1.5 text-xs shadow-pop">
      <p className="font-medium break-words">{head}</p>
      <dl>
        {lines.map(({ label, value }) => (
          <div key={label} className="flex justify-between gap-4">
            <dt className="text-muted">{label}</dt>
            <dd className="tabular-nums">{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

/** How axes look, everywhere. */
export const AXIS = {
  tick: { fill: "var(--muted)", fontSize: 11 },
  tickLine: false,
  axisLine: { stroke: "var(--line)" },
} as const;

export const GRID = { stroke: "var(--line)", strokeDasharray: "2 3" } as const;

/** What is behind the bar that is looked at. */
export const CURSOR = { fill: "var(--raised)" } as const;
