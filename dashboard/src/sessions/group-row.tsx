import { ChevronDown, ChevronRight } from "lucide-react";
import { memo } from "react";

import { whole } from "@/format/numbers";

import { folderOf } from "./facts";
import { groupKey } from "./listing";

type Props = {
  project: string;
  count: number;
  running: number;
  collapsed: boolean;
  index: number;
  top: number;
  height: number;
  span: number;
  onFold: (project: string) => void;
};

/** The heading over a project's sessions. */
export const GroupRow = memo(function GroupRow(props: Props) {
  const { project, count, running, collapsed, index, top, height, span, onFold } = props;
  const Icon = collapsed ? ChevronRight : ChevronDown;
  return (
    <tr
      aria-rowindex={index + 2}
      data-key={groupKey(project)}
      style={{ transform: `translateY(${top}px)`, height }}
      className="absolute inset-x-0 top-0 flex items-center border-b border-line bg-ground px-1"
    >
      <td colSpan={span} className="min-w-0 flex-1">
        <h2 className="min-w-0">
          <button
            type="button"
            aria-expanded={!collapsed}
            data-row-focus
            title={project || undefined}
            onClick={() => onFold(project)}
            className="flex h-7 max-w-full items-center gap-2 rounded-md px-1.5 hover:bg-raised"
          >
            <Icon className="size-4 shrink-0 text-muted" aria-hidden />
            <span className="truncate font-semibold">{project ? folderOf(project) : "No project"}</span>
            <span className="text-xs whitespace-nowrap text-muted tabular-nums">
              {whole(count)} {count === 1 ? "session" : "sessions"}
              {running > 0 ? `, ${whole(running)} running` : ""}
            </span>
          </button>
        </h2>
      </td>
    </tr>
  );
});
