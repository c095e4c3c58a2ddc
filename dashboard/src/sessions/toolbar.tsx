import { ListTree, Search, SlidersHorizontal, X } from "lucide-react";
import { type Ref, useEffect, useState } from "react";

import { whole } from "@/format/numbers";
import { Button, IconButton } from "@/ui/button";
import { cn } from "@/ui/cn";
import { Input, Select } from "@/ui/field";
import { Segmented } from "@/ui/segmented";
import type { Status } from "@/wire/types";

import { SORT_LABELS } from "./columns";
import { folderOf } from "./facts";
import type { Facet, Listing } from "./listing";
import { DEFAULT_SORT, type SessionsSearch, type SortKey, STATUSES } from "./search";

type Change = (change: (search: SessionsSearch) => SessionsSearch) => void;
type Props = { search: SessionsSearch; listing: Listing; onChange: Change; searchBox: Ref<HTMLInputElement> };

const ALL = "all";
const NAMES: Record<Status | typeof ALL, string> = {
  all: "All",
  running: "Running",
  finished: "Finished",
  stopped: "Stopped",
};

/** Searching, filtering, grouping; on a phone all but the search is behind a button. */
export function Toolbar({ search, listing, onChange, searchBox }: Props) {
  const [open, setOpen] = useState(false);
  const active = [search.status, search.agent, search.project, search.group].filter((one) => one !== undefined).length;
  const { statuses, agents, projects } = listing;
  const setStatus = (value: string) => {
    const status = STATUSES.find((one) => one === value);
    onChange(({ status: _old, ...rest }) => (status ? { ...rest, status } : rest));
  };
  const statusOptions = [ALL, ...STATUSES] as const;
  return (
    <div className="flex flex-wrap items-center gap-2">
      <div className="flex min-w-0 flex-1 basis-full gap-2 lg:basis-64 lg:max-w-sm">
        <SearchBox
          box={searchBox}
          value={search.q ?? ""}
          onChange={(q) => onChange(({ q: _old, ...rest }) => (q ? { ...rest, q } : rest))}
        />
        <Button className="md:hidden" aria-expanded={open} onClick={() => setOpen(!open)}>
          <SlidersHorizontal className="size-4" aria-hidden />
          {active > 0 ? `Filters (${active})` : "Filters"}
        </Button>
      </div>
      <div className={cn("w-full grid-cols-2 gap-2 md:flex md:w-auto md:flex-wrap", open ? "grid" : "hidden")}>
        <div className="hidden lg:block">
          <Segmented
            label="Status"
            value={search.status ?? ALL}
            options={statusOptions.map((value) => ({ value, label: `${NAMES[value]} ${whole(statuses[value])}` }))}
            onChange={setStatus}
          />
        </div>
        <Select
          aria-label="Status"
          className="md:w-36 lg:hidden"
          value={search.status ?? ALL}
          onChange={(event) => setStatus(event.target.value)}
        >
          {statusOptions.map((value) => (
            <option key={value} value={value}>
              {value === ALL ? "Any status" : `${NAMES[value]} (${whole(statuses[value])})`}
            </option>
          ))}
        </Select>
        <FacetSelect
          label="Agent"
          any="Any agent"
          none="No agent"
          facets={agents}
          value={search.agent}
          onChange={(agent) =>
            onChange(({ agent: _old, ...rest }) => (agent === undefined ? rest : { ...rest, agent }))
          }
        />
        <FacetSelect
          label="Project"
          any="Any project"
          none="No project"
          facets={projects}
          value={search.project}
          nameOf={folderOf}
          onChange={(project) =>
            onChange(({ project: _old, ...rest }) => (project === undefined ? rest : { ...rest, project }))
          }
        />
        <SortSelect search={search} onChange={onChange} />
        <Button
          aria-pressed={search.group === "project"}
          className="max-md:col-span-2 aria-pressed:border-accent aria-pressed:bg-accent-soft aria-pressed:text-accent"
          onClick={() => onChange(({ group, ...rest }) => (group ? rest : { ...rest, group: "project" }))}
        >
          <ListTree className="size-4" aria-hidden />
          Group by project
        </Button>
      </div>
    </div>
  );
}

type BoxProps = { box: Ref<HTMLInputElement>; value: string; onChange: (value: string) => void };

/** How long typing may pause before it is searched for: each search is an address of its own. */
const PAUSE_MS = 120;

function SearchBox({ box, value, onChange }: BoxProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onChange(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, value, onChange]);
  return (
    <div className="relative min-w-0 flex-1">
      <Search className="pointer-events-none absolute top-2.5 left-2.5 size-4 text-muted" aria-hidden />
      <Input
        ref={box}
        type="text"
        inputMode="search"
        enterKeyHint="search"
        aria-label="Search sessions"
        placeholder="Search name, id, project, agent"
        className="pr-9 pl-8"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.preventDefault();
          if (text === "") event.currentTarget.blur();
          else {
            setText("");
            // Not after the pause: the next key may open a session, and a search would lead back to the list.
            onChange("");
          }
        }}
      />
      {text ? (
        <span className="absolute top-1 right-1">
          <IconButton label="Clear the search" size="small" onClick={() => setText("")}>
            <X className="size-4" aria-hidden />
          </IconButton>
        </span>
      ) : null}
    </div>
  );
}

type FacetProps = {
  label: string;
  any: string;
  none: string;
  facets: readonly Facet<string>[];
  value: string | undefined;
  nameOf?: (value: string) => string;
  onChange: (value: string | undefined) => void;
};

/** An option's value begins with this, so that no agent's name can be taken for "any". */
const CHOSEN = "=";

function FacetSelect({ label, any, none, facets, value, nameOf, onChange }: FacetProps) {
  return (
    <Select
      aria-label={label}
      className={cn("md:w-36", value !== undefined && "border-accent text-accent")}
      value={value === undefined ? "" : CHOSEN + value}
      onChange={(event) => onChange(event.target.value === "" ? undefined : event.target.value.slice(CHOSEN.length))}
    >
      <option value="">{any}</option>
      {facets.map((facet) => (
        <option key={facet.value} value={CHOSEN + facet.value} title={facet.value}>
          {facet.value === "" ? none : (nameOf?.(facet.value) ?? facet.value)} ({whole(facet.count)})
        </option>
      ))}
    </Select>
  );
}

function SortSelect({ search, onChange }: { search: SessionsSearch; onChange: Change }) {
  const choose = (sort: SortKey) =>
    onChange(({ sort: _old, dir: _dir, ...rest }) => (sort === DEFAULT_SORT ? rest : { ...rest, sort }));
  return (
    <Select
      aria-label="Sort by"
      className="md:hidden"
      value={search.sort ?? DEFAULT_SORT}
      onChange={(event) => {
        const found = SORT_LABELS.find(({ sort }) => sort === event.target.value);
        if (found) choose(found.sort);
      }}
    >
      {SORT_LABELS.map(({ sort, label }) => (
        <option key={sort} value={sort}>
          By {label.toLowerCase()}
        </option>
      ))}
    </Select>
  );
}
