import type { ComponentProps } from "react";

/**
 * A part of a table or list, by role: rows that are placed one by one, and few of thousands, can't be elements of a
 * `<table>`, whose layout needs all of them.
 */
export function Part({
  role,
  ...rest
}: ComponentProps<"div"> & { role: "table" | "rowgroup" | "row" | "columnheader" | "cell" | "list" | "listitem" }) {
  return <div role={role} {...rest} />;
}
