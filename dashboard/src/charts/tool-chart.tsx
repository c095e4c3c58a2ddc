import { whole } from "@/format/numbers";

import { ChartCard } from "./chart-card";
import { errorShare, percent, type ToolUse } from "./counts";
import { PERIODS } from "./moments";
import { RankedBars } from "./ranked-bars";
import type { Hours } from "./search";

const MOST = 12;
/** Under this name the server counts tools without one, and those beyond the hundred that it tells apart. */
const OTHER = "other";

const nameOf = ({ name }: ToolUse): string => (name === OTHER ? "other tools" : name);

/** A mark that is seen without colour. */
const mark = (tool: ToolUse): string => (tool.errors > 0 ? ` ▲ ${percent(errorShare(tool))}` : "");

/** How often which tool was used, and how often it failed. */
export function ToolChart({ tools, hours }: { tools: readonly ToolUse[]; hours: Hours }) {
  const uses = tools.reduce((sum, tool) => sum + tool.uses, 0);
  const errors = tools.reduce((sum, tool) => sum + tool.errors, 0);
  const first = tools[0];
  const summary =
    first === undefined
      ? `No tool was used ${PERIODS[hours]}.`
      : `${tools.length} ${tools.length === 1 ? "tool" : "tools"}, used ${whole(uses)} times ${PERIODS[hours]}, ` +
        `${percent(errorShare({ uses, errors }))} with an error; the most used is ${nameOf(first)}.` +
        (tools.length > MOST ? ` The first ${MOST} are drawn; the table has all.` : "");
  return (
    <ChartCard
      title="Tools"
      summary={summary}
      isEmpty={first === undefined}
      legend={[
        { label: "without an error", colour: "var(--kind-1)" },
        { label: "with an error (▲ and their share)", colour: "var(--bad)" },
      ]}
      rows={tools}
      keyOf={(tool) => tool.name}
      columns={[
        { head: "Tool", cell: nameOf },
        { head: "Uses", cell: (tool) => whole(tool.uses), isNumber: true },
        { head: "Errors", cell: (tool) => whole(tool.errors), isNumber: true },
        { head: "Error rate", cell: (tool) => percent(errorShare(tool)), isNumber: true },
      ]}
    >
      <RankedBars
        label={`Tools. ${summary}`}
        rows={tools.slice(0, MOST)}
        nameOf={nameOf}
        parts={[
          { key: "good", colour: "var(--kind-1)", value: (tool) => tool.uses - tool.errors },
          { key: "bad", colour: "var(--bad)", value: (tool) => tool.errors },
        ]}
        endOf={(tool) => `${whole(tool.uses)}${mark(tool)}`}
        detailsOf={(tool) => [
          { label: "Uses", value: whole(tool.uses) },
          { label: "Errors", value: `${whole(tool.errors)} (${percent(errorShare(tool))})` },
        ]}
      />
    </ChartCard>
  );
}
