import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { LayoutGrid, Rows3, Upload } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { useBackend, useMayChange } from "@/app/backend";
import { useOffer } from "@/app/shortcuts";
import { whole } from "@/format/numbers";
import { Button } from "@/ui/button";
import { cn } from "@/ui/cn";
import { ErrorNote, messageOf } from "@/ui/error-note";
import { PageHeader } from "@/ui/page";
import { Segmented } from "@/ui/segmented";
import { notify } from "@/ui/toasts";

import { BulkBar } from "./bulk-bar";
import { DropTarget } from "./drop-target";
import type { Dropped } from "./dropped";
import { NoDocuments, NothingMatches } from "./empty";
import { DocumentList } from "./list";
import { visibleName } from "./name";
import { DocumentPanel } from "./panel";
import { followDocuments, readBetween, useApi, useFirstPage } from "./queries";
import { type DocumentsSearch, toggled, type View } from "./search";
import { SearchBox } from "./search-box";
import { NOTHING, type Selection, withAll, without } from "./selection";
import { TagFilter } from "./tag-filter";
import { objectionToAny } from "./tag-input";
import { UploadDialog } from "./upload-dialog";
import { listUploads, uploads } from "./upload-store";
import { UploadTray } from "./upload-tray";
import { useDrop } from "./use-drop";
import { useTags } from "./use-tags";
import { useWidth } from "./use-width";

const VIEWS = [
  { value: "table", label: "Table", icon: <Rows3 className="size-4" aria-hidden /> },
  { value: "grid", label: "Grid", icon: <LayoutGrid className="size-4" aria-hidden /> },
] as const;

/** From here on there is room for the list and the open document side by side. */
const SIDE_BY_SIDE = 880;
/** More than these would be changed one by one for minutes. */
const MOST_SELECTED = 5000;

/** The files that agents and people share. */
export function DocumentsPage() {
  const search = useSearch({ from: "/documents" });
  const navigate = useNavigate({ from: "/documents" });
  const { addresses, access, live } = useBackend();
  const mayChange = useMayChange();
  const queries = useQueryClient();
  const api = useApi();
  const tags = useTags();
  const names = useMemo(() => tags.map((tag) => tag.name), [tags]);
  const box = useRef<HTMLInputElement>(null);
  const page = useRef<HTMLDivElement>(null);
  const wide = useWidth(page) >= SIDE_BY_SIDE;
  const [choosing, setChoosing] = useState(false);
  const [selection, setSelection] = useState<Selection>(NOTHING);

  const q = search.q ?? "";
  const wanted = (search.tags ?? []).join();
  const filter = useMemo(() => ({ q, tags: wanted === "" ? [] : wanted.split(",") }), [q, wanted]);
  const view: View = search.view ?? "table";
  const { query, shown } = useFirstPage(filter);
  const total = query.data?.total ?? 0;

  // What can't be seen must not be deleted by a press on a button.
  const [selectedIn, setSelectedIn] = useState(filter);
  if (selectedIn !== filter) {
    setSelectedIn(filter);
    setSelection(NOTHING);
  }
  useEffect(
    () => followDocuments(queries, live, (ids) => setSelection((before) => without(before, ids))),
    [queries, live],
  );
  useEffect(listUploads, []);

  const set = useCallback(
    (change: (search: DocumentsSearch) => DocumentsSearch, replace = false) =>
      void navigate({ search: change, replace }),
    [navigate],
  );
  const onQuery = useCallback(
    (text: string) => set(({ q: _, ...rest }) => (text === "" ? rest : { ...rest, q: text }), true),
    [set],
  );
  const close = useCallback(() => {
    set(({ doc: _, ...rest }) => rest);
    // Back to the link that opened it, so that one goes on where one was.
    requestAnimationFrame(() => {
      page.current?.querySelector<HTMLElement>(`[data-open="${search.doc}"]`)?.focus({ preventScroll: true });
    });
  }, [set, search.doc]);
  const onMove = useCallback((id: string) => set((before) => ({ ...before, doc: id }), true), [set]);
  const selectAll = () =>
    readBetween(api, filter, 0, Math.min(total, MOST_SELECTED) - 1).then(
      (rows) => {
        setSelection((before) => withAll(before, rows));
        if (total > MOST_SELECTED)
          notify({ tone: "warn", title: `The newest ${whole(MOST_SELECTED)} of ${whole(total)} are selected` });
      },
      (error: unknown) => notify({ tone: "bad", title: "Not selected", body: messageOf(error) }),
    );
  const upload = (files: File[]) => {
    setChoosing(false);
    const objection = objectionToAny(uploads.store.getState().tags);
    if (objection !== undefined) {
      setChoosing(true);
      return;
    }
    uploads.add({ address: addresses.documents, access }, files);
  };
  const onDrop = ({ files, folders }: Dropped) => {
    if (files.length > 0) upload(files);
    for (const folder of folders.slice(0, 1))
      notify({
        tone: "warn",
        title: `${visibleName(folder)} is a folder`,
        body: "Documents are files: open it and drop what is in it.",
      });
  };
  const dragged = useDrop(mayChange ? onDrop : null);

  useOffer([
    {
      id: "documents-search",
      group: "Documents",
      label: "Search documents",
      keys: "/",
      run: () => box.current?.focus(),
    },
    ...(mayChange
      ? [
          {
            id: "documents-upload",
            group: "Documents",
            label: "Upload documents",
            keys: "u",
            run: () => setChoosing(true),
          },
        ]
      : []),
    {
      id: "documents-leave",
      group: "Documents",
      label: mayChange ? "Close the document, or select none" : "Close the document",
      keys: "Escape",
      run: () => {
        if (search.doc !== undefined) close();
        else setSelection(NOTHING);
      },
    },
  ]);

  const filtered = q !== "" || filter.tags.length > 0;
  return (
    <div ref={page} className="relative flex h-full">
      <div
        className="flex min-w-0 flex-1 flex-col"
        // Behind the document that covers it, nothing can be reached.
        inert={search.doc !== undefined && !wide}
      >
        <div className="flex flex-col gap-3 p-3 md:px-4">
          <PageHeader title="Documents">
            <span role="status" className="text-xs text-muted tabular-nums">
              {query.data === undefined
                ? ""
                : `${whole(total)} ${filtered ? "match" : total === 1 ? "document" : "documents"}`}
            </span>
            {mayChange ? (
              <Button look="primary" onClick={() => setChoosing(true)}>
                <Upload className="size-4" aria-hidden />
                Upload
              </Button>
            ) : null}
          </PageHeader>
          <div className="flex flex-wrap items-center gap-2">
            <SearchBox value={q} onChange={onQuery} input={box} />
            <span className="sm:ml-auto">
              <Segmented
                label="How documents are shown"
                value={view}
                options={VIEWS}
                onChange={(next) =>
                  set(({ view: _, ...rest }) => (next === "grid" ? { ...rest, view: next } : rest), true)
                }
              />
            </span>
          </div>
          <TagFilter
            tags={tags}
            chosen={filter.tags}
            onToggle={(tag) =>
              set(({ tags: before, ...rest }) => {
                const after = toggled(before ?? [], tag);
                return after.length > 0 ? { ...rest, tags: after } : rest;
              })
            }
          />
          {mayChange ? (
            <BulkBar
              selection={selection}
              total={total}
              suggestions={names}
              onAll={() => void selectAll()}
              onClear={() => setSelection(NOTHING)}
              onDone={(ids) => setSelection((before) => without(before, ids))}
            />
          ) : null}
          {query.error === null ? null : <ErrorNote error={query.error} onRetry={() => void query.refetch()} />}
        </div>
        {query.data === undefined ? (
          <p className="flex-1 border-t border-line p-4 text-muted">{query.error === null ? "Loading …" : ""}</p>
        ) : total === 0 ? (
          <div className="min-h-0 flex-1 overflow-auto border-t border-line">
            {filtered ? (
              <NothingMatches onClear={() => set(({ q: _, tags: __, ...rest }) => rest)} />
            ) : (
              <NoDocuments onUpload={mayChange ? () => setChoosing(true) : null} />
            )}
          </div>
        ) : (
          <DocumentList
            key={`${view} ${shown.q} ${shown.tags.join()}`}
            filter={shown}
            total={total}
            view={view}
            selection={selection}
            onSelection={setSelection}
            opened={search.doc}
            onMove={onMove}
            onAll={() => (selection.size < total ? void selectAll() : setSelection(NOTHING))}
          />
        )}
        <UploadTray />
      </div>
      {search.doc === undefined ? null : (
        <div
          className={cn(
            "border-line",
            wide ? "w-[min(36rem,48%)] shrink-0 border-l" : "absolute inset-0 z-30 bg-surface",
          )}
        >
          <DocumentPanel id={search.doc} suggestions={names} onClose={close} />
        </div>
      )}
      {dragged ? <DropTarget /> : null}
      <UploadDialog open={choosing && mayChange} onOpenChange={setChoosing} onFiles={upload} suggestions={names} />
    </div>
  );
}
