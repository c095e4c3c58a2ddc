import { Bar, BarChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";

import { short, whole } from "@/format/numbers";

import { ChartCard } from "./chart-card";
import { AXIS, ChartTooltip, CURSOR, GRID } from "./chart-tooltip";
import { busiest, type Stretch } from "./counts";
import { PERIODS, stretchOf, tick, ticksAmong } from "./moments";
import type { Hours } from "./search";

type OverTimeProps = {
  title: string;
  what: "events" | "sessions";
  /** What is counted, as one and as several. */
  noun: readonly [string, string];
  colour: string;
  stretches: readonly Stretch[];
  total: number;
  hours: Hours;
};

/** How many of something there were when. */
export function OverTime({ title, what, noun, colour, stretches, total, hours }: OverTimeProps) {
  const most = busiest(stretches, what);
  const named = (count: number) => `${whole(count)} ${count === 1 ? noun[0] : noun[1]}`;
  const summary =
    most === null
      ? `No ${noun[1]} ${PERIODS[hours]}.`
      : `${named(total)} ${PERIODS[hours]}; the most, ${whole(most[what])}, ${stretchOf(most, hours)}.`;
  return (
    <ChartCard
      title={title}
      summary={summary}
      isEmpty={most === null}
      rows={stretches}
      keyOf={(row) => row.start}
      columns={[
        { head: "Time", cell: (row) => stretchOf(row, hours) },
        { head: title, cell: (row) => whole(row[what]), isNumber: true },
      ]}
    >
      <ResponsiveContainer width="100%" height={200}>
        <BarChart
          data={[...stretches]}
          margin={{ top: 4, right: 0, bottom: 0, left: 0 }}
          aria-label={`${title}. ${summary}`}
        >
          <CartesianGrid vertical={false} {...GRID} />
          <XAxis
            dataKey="start"
            ticks={ticksAmong(
              stretches.map((one) => one.start),
              hours,
            )}
            tickFormatter={(ms: number) => tick(ms, hours)}
            interval="equidistantPreserveStart"
            minTickGap={6}
            {...AXIS}
          />
          <YAxis width={40} allowDecimals={false} tickFormatter={short} {...AXIS} axisLine={false} />
          <Tooltip
            cursor={CURSOR}
            isAnimationActive={false}
            content={({ active, payload }) => {
              const row = payload[0]?.payload as Stretch | undefined;
              if (!active || row === undefined) return null;
              return <ChartTooltip head={stretchOf(row, hours)} lines={[{ label: title, value: whole(row[what]) }]} />;
            }}
          />
          <Bar dataKey={what} name={title} fill={colour} isAnimationActive={false} />
        </BarChart>
      </ResponsiveContainer>
    </ChartCard>
  );
}
