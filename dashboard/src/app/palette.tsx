import { useNavigate } from "@tanstack/react-router";
import { Command as Cmdk } from "cmdk";
import { Dialog as Primitive } from "radix-ui";
import { useMemo, useState } from "react";

import { Kbd } from "@/ui/kbd";

import { useLive } from "./backend";
import { type Command, useCommands } from "./shortcuts";

const MOST_SESSIONS = 8;
const ITEM =
  "flex min-h-9 cursor-pointer items-center gap-2 rounded-md px-2 text-sm data-[selected=true]:bg-accent-soft data-[selected=true]:text-accent";

/** All commands and sessions, found by typing (Ctrl+K). */
export function Palette({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  return (
    <Primitive.Root open={open} onOpenChange={onOpenChange}>
      <Primitive.Portal>
        <Primitive.Overlay className="fixed inset-0 z-40 bg-black/45" />
        <Primitive.Content
          aria-describedby={undefined}
          className="fixed top-[12vh] left-1/2 z-50 w-[calc(100vw-2rem)] max-w-xl -translate-x-1/2 rounded-xl border border-line bg-surface shadow-pop"
        >
          <Primitive.Title className="sr-only">Commands</Primitive.Title>
          <Choices onDone={() => onOpenChange(false)} />
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}

function Choices({ onDone }: { onDone: () => void }) {
  const [text, setText] = useState("");
  const navigate = useNavigate();
  const commands = useCommands();
  const sessions = useLive((state) => state.sessions);
  const wanted = text.trim().toLowerCase();
  const found = useMemo(() => {
    if (wanted === "") return [];
    const matches = [];
    for (const session of sessions.values()) {
      if (!`${session.session_name} ${session.session_id}`.toLowerCase().includes(wanted)) continue;
      matches.push(session);
      if (matches.length === MOST_SESSIONS) break;
    }
    return matches;
  }, [sessions, wanted]);
  const pick = (run: () => void) => () => {
    onDone();
    // After the dialog has given the focus back, so that what is run may take it.
    setTimeout(run);
  };
  return (
    <Cmdk label="Commands" shouldFilter={false} className="flex flex-col">
      <Cmdk.Input
        value={text}
        onValueChange={setText}
        placeholder="Type a command or a session's name"
        className="h-12 w-full rounded-t-xl border-b border-line bg-transparent px-4 text-sm"
      />
      <Cmdk.List className="max-h-[50vh] overflow-auto p-2">
        <Cmdk.Empty className="px-2 py-6 text-center text-muted">Nothing of that name</Cmdk.Empty>
        {[...grouped(commands.filter((one) => `${one.group} ${one.label}`.toLowerCase().includes(wanted)))].map(
          ([group, members]) => (
            <Cmdk.Group
              key={group}
              heading={group}
              className="text-xs text-muted [&_[cmdk-group-heading]]:px-2 [&_[cmdk-group-heading]]:py-1"
            >
              {members.map((command) => (
                <Cmdk.Item
                  key={command.id}
                  value={command.id}
                  onSelect={pick(command.run)}
                  className={`${ITEM} text-ink`}
                >
                  <span className="flex-1">{command.label}</span>
                  {command.keys?.split(" ").map((key) => (
                    <Kbd key={key}>{key}</Kbd>
                  ))}
                </Cmdk.Item>
              ))}
            </Cmdk.Group>
          ),
        )}
        {found.length > 0 ? (
          <Cmdk.Group
            heading="Sessions"
            className="text-xs text-muted [&_[cmdk-group-heading]]:px-2 [&_[cmdk-group-heading]]:py-1"
          >
            {found.map((session) => (
              <Cmdk.Item
                key={session.session_id}
                value={`session ${session.session_id}`}
                className={`${ITEM} text-ink`}
                onSelect={pick(() => {
                  void navigate({ to: "/sessions/$sessionId", params: { sessionId: session.session_id } });
                })}
              >
                <span className="min-w-0 flex-1 truncate">{session.session_name}</span>
                <span className="text-xs">{session.status}</span>
              </Cmdk.Item>
            ))}
          </Cmdk.Group>
        ) : null}
      </Cmdk.List>
    </Cmdk>
  );
}

/** Commands by their heading, each id once: what was offered last. */
export function grouped(commands: readonly Command[]): Map<string, Command[]> {
  const last = new Map(commands.map((command) => [command.id, command]));
  return Map.groupBy(last.values(), (command) => command.group);
}
