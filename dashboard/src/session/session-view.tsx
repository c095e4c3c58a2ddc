import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { createStore } from "zustand/vanilla";

import { useBackend, useMayChange } from "@/app/backend";
import { useOffer } from "@/app/shortcuts";
import { pressStop } from "@/stop/stop-button";
import { ErrorNote } from "@/ui/error-note";
import type { Session } from "@/wire/types";

import { BackLink } from "./back-link";
import { SessionHeader } from "./header";
import { stepped } from "./ordered";
import { type SearchChange, shownKinds, type TimelineSearch } from "./search";
import { Strip } from "./strip";
import { NOTHING_SEEN, Timeline, type TimelineHandle, type View } from "./timeline";
import { Toolbar } from "./toolbar";
import { useHistory } from "./use-history";
import { useMarks } from "./use-marks";
import type { Target } from "./use-target";
import { useFinder, useOutline } from "./use-whole-history";

const ROUTE = "/sessions/$sessionId";

/** A session's run: whose it is, its picture, and all that it did. `gone`: the server no longer knows it. */
export function SessionView({ session, gone }: { session: Session; gone: boolean }) {
  const sessionId = session.session_id;
  const backend = useBackend();
  const mayChange = useMayChange();
  const search = useSearch({ from: ROUTE });
  const navigate = useNavigate({ from: ROUTE });
  const [history, state] = useHistory(sessionId, search.event ?? null);
  const outline = useOutline(sessionId);
  const finder = useFinder(sessionId, search.q ?? "");
  const [view] = useState(() => createStore<View>(() => NOTHING_SEEN));
  const [said, announce] = useState("");
  const [current, setCurrent] = useState<number | null>(null);
  const timeline = useRef<TimelineHandle>(null);
  const input = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const handled = useRef(search.event);
  const kinds = useMemo(() => shownKinds(search), [search]);
  useMarks(list, search.q ?? "");

  const change = useCallback(
    (to: SearchChange) =>
      void navigate({ search: (before) => ({ ...before, ...to }) as TimelineSearch, replace: true }),
    [navigate],
  );
  const lost = gone || state.deleted || state.missing;
  const jump = (eventId: number | null, how: Omit<Target, "id">) => {
    if (eventId === null) return;
    handled.current = eventId;
    setCurrent(eventId);
    change({ event: eventId });
    timeline.current?.jump({ id: eventId, ...how });
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the outline grows in place, and its version says so
  const failures = useMemo(() => outline.outline.failures(), [outline.version]);
  const step = (ids: readonly number[], by: 1 | -1, focus: boolean) => {
    const { keys, first, last } = view.getState();
    const item = current === null ? undefined : state.items.find(current)?.item;
    const seen = item !== undefined && keys.has(item.key);
    jump(stepped(ids, by, { current: seen ? current : null, first, last }), { focus, open: true });
  };
  const follow = () => {
    handled.current = undefined;
    change({ event: undefined });
    timeline.current?.follow();
  };

  // The address may come to link to another event: by the way back, or because somebody pasted it.
  useEffect(() => {
    if (search.event === handled.current) return;
    handled.current = search.event;
    if (search.event !== undefined) timeline.current?.jump({ id: search.event, focus: false, open: true });
  }, [search.event]);

  useOffer([
    { id: "next-item", group: "Session", label: "Next item", keys: "j", run: () => timeline.current?.move(1) },
    { id: "previous-item", group: "Session", label: "Item before", keys: "k", run: () => timeline.current?.move(-1) },
    { id: "follow", group: "Session", label: "Follow the newest", keys: "f", run: follow },
    { id: "to-end", group: "Session", label: "To the end", keys: "End", run: follow },
    {
      id: "search-session",
      group: "Session",
      label: "Search this session",
      keys: "/",
      run: () => input.current?.select(),
    },
    {
      id: "next-match",
      group: "Session",
      label: "Next match",
      keys: "n",
      run: () => step(finder.matches.ids, 1, true),
    },
    {
      id: "match-before",
      group: "Session",
      label: "Match before",
      keys: "N",
      run: () => step(finder.matches.ids, -1, true),
    },
    { id: "next-error", group: "Session", label: "Next error", keys: "e", run: () => step(failures, 1, true) },
    { id: "error-before", group: "Session", label: "Error before", keys: "E", run: () => step(failures, -1, true) },
    ...(mayChange
      ? [
          {
            id: "stop",
            group: "Session",
            label: "Stop, by two presses",
            keys: "s",
            run: () => pressStop(backend, sessionId),
          },
        ]
      : []),
    {
      id: "back",
      group: "Session",
      label: "Back to the sessions",
      keys: "Escape",
      run: () => void navigate({ to: "/sessions" }),
    },
  ]);

  return (
    <div className="flex h-full flex-col gap-3">
      <SessionHeader session={session} gone={lost} onDeleted={() => void navigate({ to: "/sessions" })} />
      {lost ? (
        <p
          role="alert"
          className="mx-3 flex flex-wrap gap-x-3 rounded-md bg-warn-soft px-3 py-2 text-sm text-warn md:mx-4"
        >
          This session was deleted. What is loaded can still be read.
          <BackLink />
        </p>
      ) : null}
      {outline.error === null || lost ? null : (
        <div className="px-4">
          <ErrorNote error={outline.error} />
        </div>
      )}
      <Strip
        state={outline}
        loaded={{ first: state.window?.events[0]?.id ?? null, last: state.window?.events.at(-1)?.id ?? null }}
        view={view}
        found={finder.matches.ids}
        onJump={(id) => jump(id, { focus: false, open: false })}
      />
      <Toolbar
        search={search}
        find={{ input, state: finder, current, onStep: (by) => step(finder.matches.ids, by, false) }}
        failures={failures.length}
        counting={!outline.complete}
        onSearch={change}
        onFailure={(by) => step(failures, by, false)}
        onAsk={(q) => change({ q: q === "" ? undefined : q })}
      />
      <div ref={list} className="flex min-h-0 flex-1 flex-col border-t border-line">
        <Timeline
          ref={timeline}
          history={history}
          state={state}
          kinds={kinds}
          errors={search.errors === true}
          running={session.status === "running" && !lost}
          project={session.project_dir}
          linked={search.event ?? null}
          matches={finder.matches.marked}
          view={view}
          onLink={(event) => {
            handled.current = event;
            change({ event });
          }}
          onHidden={() => change({ kinds: undefined, errors: undefined })}
          announce={announce}
        />
      </div>
      <p className="sr-only" aria-live="polite">
        {said}
      </p>
    </div>
  );
}
