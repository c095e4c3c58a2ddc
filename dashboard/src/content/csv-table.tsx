import { memo, useMemo } from "react";

import { whole } from "@/format/numbers";

import { visible } from "./control-characters";
import { readTable } from "./csv";
import { ScrollRegion } from "./scroll-region";

/** Separated values as a table; the first row is its head. */
export const CsvTable = memo(function CsvTable({ text, delimiter }: { text: string; delimiter: "," | "\t" }) {
  const table = useMemo(() => readTable(text, delimiter), [text, delimiter]);
  if (table.header.length === 0) return <p className="text-muted">This file has no rows.</p>;
  return (
    <div className="flex min-w-0 flex-col gap-2">
      {table.problem === null ? null : (
        <p className="rounded-md bg-warn-soft px-3 py-2 text-xs text-warn">{table.problem}</p>
      )}
      <ScrollRegion label="Table" className="max-h-[80dvh] overflow-auto rounded-md border border-line">
        <table className="w-full border-separate border-spacing-0 text-xs tabular-nums">
          <thead>
            <tr>
              {table.header.map((cell, index) => (
                <th
                  // biome-ignore lint/suspicious/noArrayIndexKey: the cells of a file neither move nor change
                  key={index}
                  scope="col"
                  className="sticky top-0 border-r border-b border-line bg-raised px-2 py-1.5 text-left font-semibold whitespace-nowrap"
                >
                  {visible(cell)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {table.rows.map((row, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: as above
              <tr key={at} className="even:bg-raised/50">
                {table.header.map((_, index) => (
                  <td
                    // biome-ignore lint/suspicious/noArrayIndexKey: as above
                    key={index}
                    className="max-w-96 min-w-12 border-r border-b border-line px-2 py-1 align-top break-words"
                  >
                    {visible(row[index] ?? "")}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollRegion>
      <p className="text-xs text-muted">{summaryOf(table.rows.length, table.moreRows, table.moreColumns)}</p>
    </div>
  );
});

function summaryOf(rows: number, moreRows: number, moreColumns: number): string {
  const shown =
    moreRows === 0
      ? `${whole(rows)} ${rows === 1 ? "row" : "rows"}`
      : `The first ${whole(rows)} rows; ${whole(moreRows)} more`;
  return moreColumns === 0 ? `${shown}.` : `${shown}, and ${whole(moreColumns)} more columns.`;
}
