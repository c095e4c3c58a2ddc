/** What of a timeline is shown. Failures cut across: they are asked for by `errors`. */
export const KINDS = ["prompts", "answers", "tools", "other"] as const;
export type Kind = (typeof KINDS)[number];

/** The server searches for no more than this. */
export const LONGEST_QUERY = 200;

/** What a timeline's address says; what is as usual is left out. */
export type TimelineSearch = {
  /** The event that the address links to. */
  event?: number;
  /** What is searched for. */
  q?: string;
  /** The kinds that are shown, separated by commas; all of them where it is missing. */
  kinds?: string;
  /** Only what failed is shown. */
  errors?: true;
};

/** What becomes of an address; undefined takes a part out of it. */
export type SearchChange = { [Name in keyof TimelineSearch]?: TimelineSearch[Name] | undefined };

/** Reads an address; what is not understood is left out. */
export function readTimelineSearch(raw: Record<string, unknown>): TimelineSearch {
  const event = Number(raw.event);
  const q = typeof raw.q === "number" ? String(raw.q) : raw.q;
  const kinds = kindsIn(raw.kinds);
  const asked = typeof q === "string" ? q.replaceAll("\0", "").slice(0, LONGEST_QUERY) : "";
  return {
    ...(Number.isSafeInteger(event) && event > 0 ? { event } : {}),
    ...(asked === "" ? {} : { q: asked }),
    ...(kinds.length === 0 || kinds.length === KINDS.length ? {} : { kinds: kinds.join(",") }),
    ...(raw.errors === true || raw.errors === "true" || raw.errors === 1 ? { errors: true } : {}),
  };
}

/** The kinds that are shown, in the order of KINDS. */
export function shownKinds(search: TimelineSearch): readonly Kind[] {
  const kinds = kindsIn(search.kinds);
  return kinds.length === 0 ? KINDS : kinds;
}

/** What `kinds` becomes when one kind is switched; undefined when all are shown again. */
export function switched(search: TimelineSearch, kind: Kind): string | undefined {
  const shown = shownKinds(search);
  // The first press on one of all means "only this one": to leave one out takes three presses less that way.
  const next = shown.length === KINDS.length ? [kind] : KINDS.filter((one) => (one === kind) !== shown.includes(one));
  return next.length === 0 || next.length === KINDS.length ? undefined : next.join(",");
}

function kindsIn(raw: unknown): Kind[] {
  const named = Array.isArray(raw) ? raw : typeof raw === "string" ? raw.split(",") : [];
  return KINDS.filter((kind) => named.includes(kind));
}
