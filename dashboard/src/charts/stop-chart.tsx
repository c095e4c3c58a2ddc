import { Bar, BarChart, CartesianGrid, LabelList, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";

import { whole } from "@/format/numbers";
import { duration } from "@/format/time";

import { ChartCard } from "./chart-card";
import { AXIS, ChartTooltip, CURSOR, GRID } from "./chart-tooltip";
import { PERIODS } from "./moments";
import type { Hours } from "./search";
import { type Bin, histogram, percentile, type StopOverview } from "./stops";

/** What is known of the stops, in words. */
export function inWords({ latencies, waiting, unconfirmed }: StopOverview, hours: Hours): string {
  if (latencies.length + waiting + unconfirmed === 0) return `No run was asked to stop ${PERIODS[hours]}.`;
  const said = [];
  const median = percentile(latencies, 0.5);
  const p95 = percentile(latencies, 0.95);
  if (median !== null && p95 !== null) {
    const stops = latencies.length === 1 ? "stop" : "stops";
    said.push(
      `${whole(latencies.length)} ${stops} confirmed ${PERIODS[hours]}: median ${duration(median)}, 95th percentile ${duration(p95)}`,
    );
  } else said.push(`No stop was confirmed ${PERIODS[hours]}`);
  if (waiting > 0) said.push(`${whole(waiting)} not confirmed yet`);
  if (unconfirmed > 0)
    said.push(`${whole(unconfirmed)} ended without a confirmation (nobody was connected, or the agent was lost)`);
  return `${said.join("; ")}.`;
}

/** How long stops took, from the press to the agent's confirmed end. */
export function StopChart({ stops, hours }: { stops: StopOverview; hours: Hours }) {
  const bins = histogram(stops.latencies);
  const summary = inWords(stops, hours);
  return (
    <ChartCard
      title="How long stops took"
      summary={summary}
      isEmpty={stops.latencies.length === 0}
      legend={[{ label: "stops confirmed within so many seconds", colour: "var(--kind-2)" }]}
      rows={[
        ...bins,
        { label: "not confirmed yet", tick: "", count: stops.waiting },
        { label: "ended without a confirmation", tick: "", count: stops.unconfirmed },
      ]}
      keyOf={(bin) => bin.label}
      columns={[
        { head: "Until it was confirmed", cell: (bin) => bin.label },
        { head: "Stops", cell: (bin) => whole(bin.count), isNumber: true },
      ]}
    >
      <ResponsiveContainer width="100%" height={200}>
        <BarChart
          data={bins}
          margin={{ top: 16, right: 0, bottom: 0, left: 0 }}
          aria-label={`How long stops took. ${summary}`}
        >
          <CartesianGrid vertical={false} {...GRID} />
          <XAxis dataKey="tick" interval={0} {...AXIS} />
          <YAxis width={40} allowDecimals={false} {...AXIS} axisLine={false} />
          <Tooltip
            cursor={CURSOR}
            isAnimationActive={false}
            content={({ active, payload }) => {
              const bin = payload[0]?.payload as Bin | undefined;
              if (!active || bin === undefined) return null;
              return <ChartTooltip head={bin.label} lines={[{ label: "Stops", value: whole(bin.count) }]} />;
            }}
          />
          <Bar dataKey="count" name="Stops" fill="var(--kind-2)" isAnimationActive={false}>
            <LabelList
              dataKey="count"
              position="top"
              fill="var(--muted)"
              fontSize={11}
              formatter={(count) => (count === 0 ? "" : count)}
            />
          </Bar>
        </BarChart>
      </ResponsiveContainer>
    </ChartCard>
  );
}
