import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { ChartColumn } from "lucide-react";
import { useMemo } from "react";

import { whole } from "@/format/numbers";
import { Empty } from "@/ui/empty";
import { ErrorNote } from "@/ui/error-note";
import { PageHeader } from "@/ui/page";
import { Segmented } from "@/ui/segmented";

import { stretches, toolUses, totalsOf } from "./counts";
import { PERIODS } from "./moments";
import { OverTime } from "./over-time";
import { type By, type ChartsSearch, DEFAULT_BY, DEFAULT_HOURS, HOURS, type Hours } from "./search";
import { StopChart } from "./stop-chart";
import { stopsSince } from "./stops";
import { ToolChart } from "./tool-chart";
import { usageSince } from "./usage";
import { CostChart, TokenChart } from "./usage-charts";
import { type Sample, useSampledSessions, useStatistics } from "./use-statistics";

const PERIOD_LABELS: Record<Hours, string> = { 1: "1 h", 6: "6 h", 24: "24 h", 168: "7 d" };
const PERIOD_OPTIONS = HOURS.map((hours) => ({ value: String(hours), label: PERIOD_LABELS[hours] }));
const BY_OPTIONS = [
  { value: "agent", label: "By agent" },
  { value: "project", label: "By project" },
] as const;

const COLUMN = "flex min-w-0 flex-col gap-3";

/** What has happened over time, as pictures with their words and numbers. */
export function ChartsPage() {
  const { hours = DEFAULT_HOURS, by = DEFAULT_BY } = useSearch({ from: "/charts" });
  const navigate = useNavigate({ from: "/charts" });
  const statistics = useStatistics(hours);
  const sample = useSampledSessions();
  const nothing = sample.sessions.size === 0 && statistics.data?.buckets.every((bucket) => bucket.events === 0);
  const change = (next: ChartsSearch) => void navigate({ search: (before) => ({ ...before, ...next }), replace: true });
  return (
    <div className="flex h-full flex-col gap-3 pt-3 md:pt-5">
      <div className="px-3 md:px-5">
        <PageHeader title="Charts">
          <Segmented<By>
            label="Tokens and cost"
            value={by}
            options={BY_OPTIONS}
            onChange={(next) => change({ by: next === DEFAULT_BY ? undefined : next })}
          />
          <Segmented
            label="Period"
            value={String(hours)}
            options={PERIOD_OPTIONS}
            onChange={(next) => {
              const chosen = HOURS.find((one) => String(one) === next);
              change({ hours: chosen === DEFAULT_HOURS ? undefined : chosen });
            }}
          />
        </PageHeader>
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: a section would be the same, and it has to be reachable to be scrolled */}
      <div
        role="region"
        aria-label="Charts"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
        tabIndex={0}
        className="min-h-0 flex-1 overflow-auto px-3 pb-5 md:px-5"
      >
        {nothing ? (
          <Empty icon={<ChartColumn aria-hidden />} title="Nothing to draw yet">
            <p>
              Agents that report fill these charts.{" "}
              <Link to="/sessions" className="text-accent underline">
                How to connect one
              </Link>
            </p>
          </Empty>
        ) : (
          <div className="grid items-start gap-3 xl:grid-cols-2">
            <Counted statistics={statistics} />
            <Summed sample={sample} hours={hours} by={by} />
          </div>
        )}
      </div>
    </div>
  );
}

/** What the server has counted. */
function Counted({ statistics }: { statistics: ReturnType<typeof useStatistics> }) {
  const { data, error, refetch } = statistics;
  const read = useMemo(
    () =>
      data === undefined
        ? null
        : {
            hours: data.hours,
            stretches: stretches(data),
            totals: totalsOf(data.buckets),
            tools: toolUses(data.buckets),
          },
    [data],
  );
  const failed = error === null ? null : <ErrorNote error={error} onRetry={() => void refetch()} />;
  if (read === null) return <div className={COLUMN}>{failed ?? <p className="p-4 text-muted">Loading …</p>}</div>;
  return (
    <div className={COLUMN}>
      {failed}
      <OverTime
        title="Events"
        what="events"
        noun={["event", "events"]}
        colour="var(--kind-1)"
        stretches={read.stretches}
        total={read.totals.events}
        hours={read.hours}
      />
      <OverTime
        title="Runs begun"
        what="sessions"
        noun={["run begun", "runs begun"]}
        colour="var(--kind-4)"
        stretches={read.stretches}
        total={read.totals.sessions}
        hours={read.hours}
      />
      <ToolChart tools={read.tools} hours={read.hours} />
    </div>
  );
}

/** What the sessions say of themselves. */
function Summed({ sample, hours, by }: { sample: Sample; hours: Hours; by: By }) {
  const { usage, stops } = useMemo(() => {
    const since = Date.now() - hours * 3_600_000;
    const sessions = [...sample.sessions.values()];
    return { usage: usageSince(sessions, since, by), stops: stopsSince(sessions, since) };
  }, [sample, hours, by]);
  return (
    <div className={COLUMN}>
      <Incomplete sample={sample} />
      <StopChart stops={stops} hours={hours} />
      <TokenChart usage={usage} by={by} which={`active ${PERIODS[hours]}`} />
      <CostChart usage={usage} by={by} which={`active ${PERIODS[hours]}`} />
    </div>
  );
}

/** The sums are of what is known here, which is not always all. */
function Incomplete({ sample }: { sample: Sample }) {
  if (sample.next === null) return null;
  return (
    <p role="status" className="text-xs text-muted">
      Tokens, cost and stops are of the {whole(sample.sessions.size)} newest of {whole(sample.total)} sessions: the
      others are not read yet, or are too many for one page.
    </p>
  );
}
