import { useNavigate, useSearch } from "@tanstack/react-router";
import { SearchX } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { useBackend, useLive, useMayChange } from "@/app/backend";
import { type Command, useOffer } from "@/app/shortcuts";
import type { LiveState } from "@/live/state";
import { announce } from "@/stop/announce";
import { pressStop } from "@/stop/stop-button";
import { Button } from "@/ui/button";
import { Empty } from "@/ui/empty";
import { PageHeader } from "@/ui/page";
import { notify } from "@/ui/toasts";
import type { Session } from "@/wire/types";

import { deleteMany, stopMany, summarise, type Which } from "./bulk";
import { CountLine } from "./count-line";
import { FirstSteps } from "./first-steps";
import { itemsOf, listSessions } from "./listing";
import { useStopOutcomes } from "./outcomes";
import { useSampled } from "./sampled";
import { type SessionsSearch, sortedBy } from "./search";
import { selectedAmong, toggled } from "./selection";
import { SelectionBar } from "./selection-bar";
import { type Chosen, SessionDialogs } from "./session-menu";
import type { RowActions } from "./session-row";
import { SessionTable, type TableHandle } from "./session-table";
import { StopMenu } from "./stop-menu";
import { Toolbar } from "./toolbar";

/** How often the order may change: each row shows its own session live, whatever the order. */
const ORDER_MS = 250;
const NONE: ReadonlySet<string> = new Set();
const sessionsOf = (state: LiveState) => state.sessions;

/** All sessions, live. */
export function SessionsPage() {
  const backend = useBackend();
  const mayChange = useMayChange();
  const search = useSearch({ from: "/sessions" });
  const navigate = useNavigate({ from: "/sessions" });
  const known = useLive((state) => state.generation > 0);
  const sessions = useSampled(backend.live.store, sessionsOf, ORDER_MS);

  const [collapsed, setCollapsed] = useState(NONE);
  const [selected, setSelected] = useState(NONE);
  const [cursor, setCursor] = useState<string | null>(null);
  const [dialog, setDialog] = useState<{ session: Session; chosen: Chosen | null } | null>(null);
  const anchor = useRef<string | null>(null);
  const table = useRef<TableHandle>(null);
  const searchBox = useRef<HTMLInputElement>(null);

  const listing = useMemo(() => listSessions(sessions.values(), search, Date.now()), [sessions, search]);
  const { matching } = listing;
  const items = useMemo(() => itemsOf(matching, search.group, collapsed), [matching, search.group, collapsed]);
  const ids = useMemo(() => matching.map(({ session_id }) => session_id), [matching]);
  const inOrder = useMemo(
    () => items.flatMap((item) => (item.kind === "session" ? [item.session.session_id] : [])),
    [items],
  );
  // What is selected can only be stopped or deleted.
  const chosen = useMemo(() => selectedAmong(mayChange ? selected : NONE, ids), [mayChange, selected, ids]);
  useStopOutcomes(backend);
  useCountAnnounced(search, matching.length);

  const change = useCallback(
    (next: (search: SessionsSearch) => SessionsSearch) => void navigate({ search: next, replace: true }),
    [navigate],
  );
  const open = (id: string | null) => {
    if (id !== null) void navigate({ to: "/sessions/$sessionId", params: { sessionId: id } });
  };
  const select = (id: string, range: boolean) => {
    setSelected((before) => toggled(before, inOrder, id, range ? anchor.current : null));
    anchor.current = id;
  };
  const choose = (id: string, what: Chosen) => {
    const session = sessions.get(id);
    if (session) setDialog({ session, chosen: what });
  };
  const actions = useSame<RowActions>({ open, select, choose, focus: setCursor });
  const fold = useCallback((project: string) => setCollapsed((before) => toggled(before, [], project, null)), []);

  const stop = async (which: Which) => {
    const { tone, title, body, open: unsure } = summarise(await stopMany(backend.coordinator, which));
    notify({
      tone,
      title,
      ...(body ? { body } : {}),
      ...(unsure.length > 0 ? { action: { label: "Select these", run: () => setSelected(new Set(unsure)) } } : {}),
    });
  };
  const remove = async (gone: readonly string[]) => {
    const problems = await deleteMany(backend.coordinator, gone);
    setSelected(new Set(problems.keys()));
    const [why] = problems.values();
    if (why !== undefined) throw new Error(`${problems.size} of ${gone.length} were not deleted: ${why}`);
    notify({ tone: "good", title: gone.length === 1 ? "Deleted one session" : `Deleted ${gone.length} sessions` });
  };

  const current = cursor !== null && sessions.has(cursor) ? cursor : null;
  const changing: Command[] = [
    {
      id: "select",
      group: "Sessions",
      label: "Select or unselect the session",
      keys: "x",
      run: () => current !== null && select(current, false),
    },
    {
      id: "stop",
      group: "Sessions",
      label: "Stop the session (twice)",
      keys: "s",
      run: () => current !== null && pressStop(backend, current),
    },
  ];
  useOffer([
    { id: "search", group: "Sessions", label: "Search", keys: "/", run: () => searchBox.current?.focus() },
    { id: "next", group: "Sessions", label: "Next session", keys: "j", run: () => table.current?.move(1) },
    { id: "previous", group: "Sessions", label: "Previous session", keys: "k", run: () => table.current?.move(-1) },
    { id: "open", group: "Sessions", label: "Open the session (or Enter)", keys: "o", run: () => open(current) },
    ...(mayChange ? changing : []),
    {
      id: "group",
      group: "Sessions",
      label: search.group ? "Do not group" : "Group by project",
      run: () => change(({ group, ...rest }) => (group ? rest : { ...rest, group: "project" })),
    },
  ]);

  const none = known && sessions.size === 0;
  const clear = () => change(({ q: _q, status: _status, agent: _agent, project: _project, ...rest }) => rest);
  return (
    <div className="flex h-full flex-col">
      <div className="flex shrink-0 flex-col gap-3 px-3 pt-3 pb-2 md:px-4 md:pt-4">
        <PageHeader title="Sessions">{mayChange ? <StopMenu sessions={sessions} onStop={stop} /> : null}</PageHeader>
        {none ? null : <Toolbar search={search} listing={listing} onChange={change} searchBox={searchBox} />}
        {chosen.length > 0 ? (
          <SelectionBar
            selected={chosen.flatMap((id) => sessions.get(id) ?? [])}
            onStop={(session_ids) => stop({ session_ids })}
            onDelete={remove}
            onClear={() => setSelected(NONE)}
          />
        ) : null}
        {known && !none ? <CountLine shown={matching.length} known={sessions.size} /> : null}
      </div>
      {items.length > 0 ? (
        <SessionTable
          {...{ items, search, selected, cursor, actions }}
          handle={table}
          selection={{ count: chosen.length, of: matching.length }}
          onSort={(sort) => change((before) => sortedBy(before, sort))}
          onSelectAll={() => setSelected(chosen.length === matching.length ? NONE : new Set(ids))}
          onFold={fold}
          onCursor={setCursor}
        />
      ) : (
        <section aria-label="Sessions" className="min-h-0 flex-1 overflow-auto border-t border-line bg-surface">
          <Nothing known={known} none={none} onClear={clear} />
        </section>
      )}
      {dialog === null ? null : (
        <SessionDialogs
          session={sessions.get(dialog.session.session_id) ?? dialog.session}
          chosen={dialog.chosen}
          onClose={() => setDialog({ ...dialog, chosen: null })}
        />
      )}
    </div>
  );
}

function Nothing({ known, none, onClear }: { known: boolean; none: boolean; onClear: () => void }) {
  if (!known) return <p className="px-4 py-14 text-center text-muted">Waiting for the server …</p>;
  if (none) return <FirstSteps />;
  return (
    <Empty icon={<SearchX aria-hidden />} title="No session matches">
      <p>There are sessions, but none that fits the search and the filters.</p>
      <Button onClick={onClear}>Clear search and filters</Button>
    </Empty>
  );
}

/** The same object each time, which does what was given last. */
function useSame<T extends Record<string, (...args: never[]) => void>>(functions: T): T {
  const latest = useRef(functions);
  useEffect(() => {
    latest.current = functions;
  });
  const [same] = useState(
    () =>
      Object.fromEntries(
        Object.keys(functions).map((key) => [key, (...args: never[]) => latest.current[key]?.(...args)]),
      ) as T,
  );
  return same;
}

/** Says how many there are when what is searched for has changed; not whenever a session comes or goes. */
function useCountAnnounced(search: SessionsSearch, count: number): void {
  const filters = JSON.stringify([search.q, search.status, search.agent, search.project]);
  const said = useRef(filters);
  useEffect(() => {
    if (said.current === filters) return;
    said.current = filters;
    announce(count === 1 ? "One session" : `${count} sessions`);
  }, [filters, count]);
}
