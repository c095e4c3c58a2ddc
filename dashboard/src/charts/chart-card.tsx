import { ChartColumn, Table } from "lucide-react";
import { type ReactNode, useId, useState } from "react";

import { Button } from "@/ui/button";

export type Column<Row> = {
  head: string;
  /** What is shown of a row; numbers are aligned at their ends. */
  cell: (row: Row) => string;
  isNumber?: boolean;
};

type ChartCardProps<Row> = {
  title: string;
  /** What the picture says, in a sentence. */
  summary: string;
  /** Beside the heading. */
  controls?: ReactNode;
  /** What the colours mean, where there are several. */
  legend?: readonly { label: string; colour: string }[];
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  /** Names a row; the first column's text does not always. */
  keyOf: (row: Row) => string | number;
  /** There is nothing to draw; the summary says so. */
  isEmpty: boolean;
  children: ReactNode;
};

/** A chart with what it says in words, and its numbers as a table for who can't or won't read the picture. */
export function ChartCard<Row>(props: ChartCardProps<Row>) {
  const { title, summary, controls, legend, rows, columns, keyOf, isEmpty, children } = props;
  const id = useId();
  const [asTable, setAsTable] = useState(false);
  return (
    <section
      aria-labelledby={id}
      className="flex min-w-0 flex-col gap-2 rounded-lg border border-line bg-surface p-3 md:p-4"
    >
      <div className="flex min-h-7 flex-wrap items-center gap-2">
        <h2 id={id} className="mr-auto font-semibold">
          {title}
        </h2>
        {controls}
        {isEmpty ? null : (
          <Button size="small" look="quiet" onClick={() => setAsTable(!asTable)}>
            {asTable ? <ChartColumn className="size-3.5" aria-hidden /> : <Table className="size-3.5" aria-hidden />}
            {asTable ? "As chart" : "As table"}
            <span className="sr-only">: {title}</span>
          </Button>
        )}
      </div>
      <p className="text-xs text-muted">{summary}</p>
      {isEmpty ? null : asTable ? (
        <Numbers title={title} rows={rows} columns={columns} keyOf={keyOf} />
      ) : (
        <>
          {children}
          {legend === undefined ? null : (
            <ul className="flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted">
              {legend.map(({ label, colour }) => (
                <li key={label} className="flex items-center gap-1.5">
                  <span className="size-2.5 rounded-sm" style={{ backgroundColor: colour }} />
                  {label}
                </li>
              ))}
            </ul>
          )}
        </>
      )}
    </section>
  );
}

type NumbersProps<Row> = Pick<ChartCardProps<Row>, "title" | "rows" | "columns" | "keyOf">;

function Numbers<Row>({ title, rows, columns, keyOf }: NumbersProps<Row>) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a section would be the same, and it has to be reachable to be scrolled
    <div
      role="region"
      aria-label={`${title}, as a table`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
      tabIndex={0}
      className="max-h-72 overflow-auto rounded-md border border-line"
    >
      <table className="w-full border-collapse text-xs">
        <thead className="sticky top-0 bg-raised">
          <tr>
            {columns.map((column) => (
              <th
                key={column.head}
                scope="col"
                className={`px-2 py-1.5 font-medium ${column.isNumber ? "text-right" : "text-left"}`}
              >
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} className="border-t border-line">
              {columns.map((column, index) =>
                index === 0 ? (
                  <th key={column.head} scope="row" className="px-2 py-1 text-left font-normal break-all">
                    {column.cell(row)}
                  </th>
                ) : (
                  <td key={column.head} className="px-2 py-1 text-right tabular-nums">
                    {column.cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
