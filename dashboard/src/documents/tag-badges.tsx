import { Badge } from "@/ui/badge";

/** The first few tags of a document, and how many more there are. */
export function TagBadges({ tags, most }: { tags: readonly string[]; most: number }) {
  const more = tags.length - most;
  return (
    <span className="flex min-w-0 items-center gap-1 overflow-hidden">
      {tags.slice(0, most).map((tag) => (
        <Badge key={tag} className="min-w-0 max-w-32 shrink!">
          <span className="truncate">{tag}</span>
        </Badge>
      ))}
      {more > 0 ? (
        <span className="shrink-0 text-xs text-muted tabular-nums" title={tags.slice(most).join(", ")}>
          +{more}
        </span>
      ) : null}
    </span>
  );
}
