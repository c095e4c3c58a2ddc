import type { BrowserMessage, Session, StoredEvent, TagCount } from "@/wire/types";

import type { Connection } from "./socket";

/** What all views read. It is replaced, never changed in place. */
export type LiveState = {
  connection: Connection;
  /** All sessions that are known here, by id. */
  sessions: ReadonlyMap<string, Session>;
  /** How many sessions there are on the server, as far as it has said. */
  total: number;
  /** Where the list goes on that `init` began; null when all of it is known here. */
  next: string | null;
  /** Tag counts as last announced; null until they have been. */
  tags: readonly TagCount[] | null;
  /** Grows whenever the flow starts over: what was read before it may lack what happened in between. */
  generation: number;
};

export const EMPTY: LiveState = {
  connection: { phase: "connecting" },
  sessions: new Map(),
  total: 0,
  next: null,
  tags: null,
  generation: 0,
};

/** The state after some messages, in order. */
export function apply(state: LiveState, batch: readonly BrowserMessage[]): LiveState {
  // One copy a batch: a thousand messages cost no more copies than one.
  let sessions: Map<string, Session> | null = null;
  const known = () => sessions ?? state.sessions;
  const writable = () => {
    sessions ??= new Map(state.sessions);
    return sessions;
  };
  let { total, next, tags, generation } = state;

  for (const message of batch) {
    switch (message.type) {
      case "init":
        sessions = new Map(message.sessions.map((session) => [session.session_id, session]));
        total = message.total;
        next = message.next ?? null;
        generation += 1;
        break;
      case "session_created":
        if (!known().has(message.session.session_id)) total += 1;
        writable().set(message.session.session_id, message.session);
        break;
      case "session_updated":
      case "stop_requested":
        writable().set(message.session.session_id, message.session);
        break;
      case "session_deleted":
        if (writable().delete(message.session_id)) total -= 1;
        break;
      case "event": {
        const session = known().get(message.data.session_id);
        if (session) writable().set(session.session_id, withEvent(session, message.data));
        break;
      }
      case "tags_updated":
        tags = message.tags;
        break;
    }
  }
  return { ...state, sessions: known(), total, next, tags, generation };
}

/**
 * The state with a further page of the list.
 *
 * What the flow has told of a session is newer than a page of the list, and what it has deleted is gone, so a page only
 * adds.
 *
 * @param deleted the sessions that were deleted while the page was on its way.
 */
export function withPage(
  state: LiveState,
  page: { sessions: readonly Session[]; total: number; next: string | null },
  deleted: ReadonlySet<string>,
): LiveState {
  const sessions = new Map(state.sessions);
  for (const session of page.sessions) {
    if (!sessions.has(session.session_id) && !deleted.has(session.session_id))
      sessions.set(session.session_id, session);
  }
  return { ...state, sessions, total: page.next === null ? sessions.size : page.total, next: page.next };
}

function withEvent(session: Session, event: StoredEvent): Session {
  const modified_at = event.timestamp > session.modified_at ? event.timestamp : session.modified_at;
  return { ...session, modified_at, events: session.events + 1 };
}
