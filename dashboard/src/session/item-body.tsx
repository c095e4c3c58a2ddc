import { JsonTree } from "@/content/json-tree";
import { Markdown } from "@/content/markdown";
import { Terminal } from "@/content/terminal";
import type { ContentBlock, StoredEvent } from "@/wire/types";

import { Folded } from "./folded";
import type { Item } from "./items";
import { Part } from "./part";
import { textOfOutput } from "./summaries";
import { ToolBody } from "./tool-body";

/** What an opened item shows. */
export function ItemBody({ item }: { item: Item }) {
  switch (item.kind) {
    case "prompt":
    case "answer":
      return <Message event={item.event} />;
    case "output":
      return <Terminal text={textOfOutput(item.events)} />;
    case "tool":
      return <ToolBody item={item} />;
    case "agent":
      return (
        <div className="flex flex-col gap-2">
          {item.agent.start === null ? null : <Facts event={item.agent.start} label="Start" />}
          {item.agent.stop === null ? null : <Facts event={item.agent.stop} label="End" />}
        </div>
      );
    default:
      return <Facts event={item.event} label="Event" />;
  }
}

function Message({ event }: { event: StoredEvent }) {
  const blocks = event.content ?? [];
  if (blocks.length === 0) return <Facts event={event} label="Message" />;
  return (
    <div className="flex max-w-[90ch] flex-col gap-2">
      {blocks.map((block, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a message's blocks never change
        <Block key={index} block={block} role={event.role} />
      ))}
    </div>
  );
}

function Block({ block, role }: { block: ContentBlock; role: StoredEvent["role"] }) {
  if (block.type === "text" && typeof block.text === "string") {
    const { text } = block;
    return <Folded text={text}>{(shown) => <Markdown text={shown} />}</Folded>;
  }
  if (block.type === "thinking" && typeof block.thinking === "string") {
    return (
      <details>
        <summary className="cursor-pointer text-xs font-medium text-muted">Thinking</summary>
        <div className="mt-1 border-l-2 border-line pl-3 text-muted">
          <Folded text={block.thinking}>{(shown) => <Markdown text={shown} />}</Folded>
        </div>
      </details>
    );
  }
  return <JsonTree value={block} label={role === null ? block.type : `${block.type} of ${role}`} />;
}

/** An event as it is, without what every event has. */
function Facts({ event, label }: { event: StoredEvent; label: string }) {
  const facts = Object.entries(event).filter(([name, value]) => value !== null && !SAID_ELSEWHERE.has(name));
  return (
    <Part label={label}>
      {facts.length === 0 ? (
        <p className="text-muted">Nothing more is said of it.</p>
      ) : (
        <JsonTree value={Object.fromEntries(facts)} label={label} />
      )}
    </Part>
  );
}

const SAID_ELSEWHERE = new Set(["event_type", "session_id", "session_name", "timestamp"]);
