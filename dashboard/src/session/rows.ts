import { agentOf, hasFailed, type Item } from "./items";
import type { Kind } from "./search";

export type Row = { item: Item; depth: number };

export type Shown = {
  kinds: readonly Kind[];
  /** Only what failed. */
  errors: boolean;
  /** Whether a subagent's items are folded away. */
  folded: (agentId: string) => boolean;
};

/** The items that are shown, one below the other; a subagent's are below the item that they belong to. */
export function rowsOf(items: readonly Item[], shown: Shown): Row[] {
  const rows: Row[] = [];
  gather(items, 0, shown, new Set(shown.kinds), rows);
  return rows;
}

function gather(items: readonly Item[], depth: number, shown: Shown, kinds: ReadonlySet<Kind>, rows: Row[]): void {
  for (const item of items) {
    const wanted = kinds.has(kindOf(item)) && (!shown.errors || hasFailed(item));
    const agent = agentOf(item);
    if (agent === null) {
      if (wanted) rows.push({ item, depth });
      continue;
    }
    const place = rows.length;
    rows.push({ item, depth });
    gather(agent.children, depth + 1, shown, kinds, rows);
    const any = rows.length > place + 1;
    if (shown.folded(agent.agentId)) rows.length = place + 1;
    // It stays for those below it that are shown.
    if (!wanted && !any) rows.length = place;
  }
}

export function kindOf(item: Item): Kind {
  switch (item.kind) {
    case "prompt":
      return "prompts";
    case "answer":
      return "answers";
    case "tool":
    case "agent":
    case "output":
      return "tools";
    default:
      return "other";
  }
}
