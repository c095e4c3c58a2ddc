import { dollars, short, whole } from "@/format/numbers";

import { ChartCard } from "./chart-card";
import { RankedBars } from "./ranked-bars";
import type { By } from "./search";
import { type Spender, topSpenders, type UsageOverview } from "./usage";

const MOST = 10;

const PARTS = [
  { key: "input", label: "input", colour: "var(--kind-1)", value: (one: Spender) => one.input },
  { key: "output", label: "output", colour: "var(--kind-2)", value: (one: Spender) => one.output },
  { key: "cacheWrite", label: "cache written", colour: "var(--kind-3)", value: (one: Spender) => one.cacheWrite },
  { key: "cacheRead", label: "cache read", colour: "var(--kind-6)", value: (one: Spender) => one.cacheRead },
];

const HEADS = { agent: "Agent", project: "Project" } as const;

type UsageChartProps = {
  usage: UsageOverview;
  by: By;
  /** Which sessions were looked at: "active in the last hour". */
  which: string;
};

const sessions = (count: number): string => `${whole(count)} ${count === 1 ? "session" : "sessions"}`;

const nobodyTells = ({ looked }: UsageOverview, which: string, what: "used" | "cost"): string =>
  looked === 0 ? `No session was ${which}.` : `None of ${sessions(looked)} ${which} says what it has ${what}.`;

/** Tokens by agent or project. */
export function TokenChart({ usage, by, which }: UsageChartProps) {
  const shown = topSpenders(usage.spenders, "tokens", MOST);
  const total = shown.reduce((sum, one) => sum + one.tokens, 0);
  const first = shown[0];
  const summary =
    first === undefined
      ? nobodyTells(usage, which, "used")
      : `${short(total)} tokens by ${whole(usage.telling)} of ${sessions(usage.looked)} ${which}, over their whole length; ` +
        `the most by ${first.name}, ${short(first.tokens)}.`;
  return (
    <ChartCard
      title={`Tokens by ${by}`}
      summary={summary}
      isEmpty={first === undefined}
      legend={PARTS}
      rows={topSpenders(usage.spenders, "tokens", Number.POSITIVE_INFINITY)}
      keyOf={(one) => one.name}
      columns={[
        { head: HEADS[by], cell: (one) => one.name },
        { head: "Sessions", cell: (one) => whole(one.sessions), isNumber: true },
        ...PARTS.map((part) => ({
          head: `Tokens, ${part.label}`,
          cell: (one: Spender) => whole(part.value(one)),
          isNumber: true,
        })),
        { head: "Tokens", cell: (one) => whole(one.tokens), isNumber: true },
      ]}
    >
      <RankedBars
        label={`Tokens by ${by}. ${summary}`}
        rows={shown}
        nameOf={(one) => one.name}
        parts={PARTS}
        endOf={(one) => short(one.tokens)}
        detailsOf={(one) => [
          { label: "sessions", value: whole(one.sessions) },
          ...PARTS.map((part) => ({ label: part.label, value: whole(part.value(one)) })),
        ]}
      />
    </ChartCard>
  );
}

/** Cost by agent or project. */
export function CostChart({ usage, by, which }: UsageChartProps) {
  const shown = topSpenders(usage.spenders, "cost", MOST);
  const total = shown.reduce((sum, one) => sum + one.cost, 0);
  const first = shown[0];
  const summary =
    first === undefined
      ? nobodyTells(usage, which, "cost")
      : `${dollars(total)} by ${whole(usage.costing)} of ${sessions(usage.looked)} ${which}, over their whole length; ` +
        `the most by ${first.name}, ${dollars(first.cost)}.`;
  const perSession = (one: Spender): string => dollars(one.cost / one.sessions);
  return (
    <ChartCard
      title={`Cost by ${by}`}
      summary={summary}
      isEmpty={first === undefined}
      rows={topSpenders(usage.spenders, "cost", Number.POSITIVE_INFINITY)}
      keyOf={(one) => one.name}
      columns={[
        { head: HEADS[by], cell: (one) => one.name },
        { head: "Sessions", cell: (one) => whole(one.sessions), isNumber: true },
        { head: "Cost", cell: (one) => dollars(one.cost), isNumber: true },
        { head: "A session", cell: perSession, isNumber: true },
      ]}
    >
      <RankedBars
        label={`Cost by ${by}. ${summary}`}
        rows={shown}
        nameOf={(one) => one.name}
        parts={[{ key: "cost", colour: "var(--kind-5)", value: (one) => one.cost }]}
        endOf={(one) => dollars(one.cost)}
        detailsOf={(one) => [
          { label: "cost", value: dollars(one.cost) },
          { label: "sessions", value: whole(one.sessions) },
          { label: "a session", value: perSession(one) },
        ]}
      />
    </ChartCard>
  );
}
