import {
  Bot,
  CirclePlay,
  CircleStop,
  Coins,
  FileText,
  Globe,
  type LucideIcon,
  MessageSquareText,
  Pencil,
  SquareTerminal,
  User,
  Wrench,
  Zap,
} from "lucide-react";

import type { Item } from "./items";
import { isAgentTool, type Lane, laneOfTool } from "./kinds";
import { eventName, toolName } from "./summaries";

const LANE_ICONS: Record<Lane, LucideIcon> = {
  shell: SquareTerminal,
  edit: Pencil,
  read: FileText,
  web: Globe,
  message: MessageSquareText,
  other: Wrench,
};

/** The classes of the lanes' colours, in full, since they are found in the source. */
export const LANE_TEXT: Record<Lane, string> = {
  shell: "text-kind-1",
  edit: "text-kind-2",
  read: "text-kind-3",
  web: "text-kind-4",
  message: "text-kind-5",
  other: "text-kind-6",
};

export type Look = { icon: LucideIcon; name: string; colour: string };

/** The icon, the name and the colour of an item. */
export function lookOf(item: Item): Look {
  switch (item.kind) {
    case "prompt":
      return { icon: User, name: item.event.role === null ? "Message" : "Prompt", colour: LANE_TEXT.message };
    case "answer":
      return { icon: MessageSquareText, name: "Answer", colour: LANE_TEXT.message };
    case "tool": {
      const lane = laneOfTool(item.name);
      const icon = isAgentTool(item.name) ? Bot : LANE_ICONS[lane];
      const name = item.agent === null ? toolName(item.name) : `${toolName(item.name)}: ${item.agent.name}`;
      return { icon, name, colour: LANE_TEXT[lane] };
    }
    case "agent":
      return { icon: Bot, name: item.agent.name, colour: LANE_TEXT.other };
    case "begin":
      return { icon: CirclePlay, name: "Run began", colour: "text-good" };
    case "end":
      return { icon: CircleStop, name: "Run ended", colour: "text-muted" };
    case "usage":
      return { icon: Coins, name: "Usage", colour: "text-muted" };
    case "output":
      return { icon: SquareTerminal, name: "Output", colour: LANE_TEXT.shell };
    case "other":
      return { icon: Zap, name: eventName(item.event.event_type), colour: LANE_TEXT.other };
  }
}
