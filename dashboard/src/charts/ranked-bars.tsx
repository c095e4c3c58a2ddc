import { Bar, BarChart, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";

import { AXIS, ChartTooltip, CURSOR } from "./chart-tooltip";

type Part<Row> = { key: string; colour: string; value: (row: Row) => number };

type RankedBarsProps<Row> = {
  label: string;
  rows: readonly Row[];
  nameOf: (row: Row) => string;
  /** What each bar is put together from. */
  parts: readonly Part<Row>[];
  /** What stands at the end of a bar. */
  endOf: (row: Row) => string;
  /** What is said of a row that is looked at. */
  detailsOf: (row: Row) => readonly { label: string; value: string }[];
};

const BAR_HEIGHT = 30;
const NAME_WIDTH = 128;
/** Of digits in the size of the axes' text, at most. */
const CHARACTER_WIDTH = 7;
const LONGEST = 19;

/** Bars one below the other, with names at their left and numbers at their ends. */
export function RankedBars<Row>({ label, rows, nameOf, parts, endOf, detailsOf }: RankedBarsProps<Row>) {
  const data = rows.map((row, index) => ({
    index,
    row,
    end: endOf(row),
    ...Object.fromEntries(parts.map((part) => [part.key, part.value(row)])),
  }));
  const endWidth = Math.max(...data.map(({ end }) => end.length)) * CHARACTER_WIDTH + 12;
  const named = (index: number): string => {
    const row = rows[index];
    return row === undefined ? "" : shortened(nameOf(row));
  };
  return (
    <ResponsiveContainer width="100%" height={rows.length * BAR_HEIGHT + 8}>
      <BarChart
        layout="vertical"
        data={data}
        margin={{ top: 4, right: 0, bottom: 4, left: 0 }}
        barCategoryGap="24%"
        aria-label={label}
      >
        <XAxis type="number" hide />
        <YAxis
          yAxisId="names"
          type="category"
          dataKey="index"
          width={NAME_WIDTH}
          interval={0}
          tickFormatter={named}
          {...AXIS}
          tick={{ ...AXIS.tick, fill: "var(--ink)" }}
        />
        <YAxis
          yAxisId="ends"
          orientation="right"
          type="category"
          dataKey="index"
          width={endWidth}
          interval={0}
          tickFormatter={(index: number) => data[index]?.end ?? ""}
          {...AXIS}
          axisLine={false}
        />
        <Tooltip
          axisId="names"
          cursor={CURSOR}
          isAnimationActive={false}
          content={({ active, payload }) => {
            const row = (payload[0]?.payload as { row: Row } | undefined)?.row;
            if (!active || row === undefined) return null;
            return <ChartTooltip head={nameOf(row)} lines={detailsOf(row)} />;
          }}
        />
        {parts.map((part) => (
          <Bar
            key={part.key}
            yAxisId="names"
            dataKey={part.key}
            stackId="all"
            fill={part.colour}
            isAnimationActive={false}
          />
        ))}
      </BarChart>
    </ResponsiveContainer>
  );
}

/** The beginning and the end of a name: what tells `mcp__server__create` from `mcp__server__delete` is at its end. */
export function shortened(name: string): string {
  const characters = [...name];
  if (characters.length <= LONGEST) return name;
  const half = (LONGEST - 1) / 2;
  return `${characters.slice(0, Math.ceil(half)).join("")}…${characters.slice(-Math.floor(half)).join("")}`;
}
