import Papa from "papaparse";

export type Table = {
  /** The first row; empty where there is none. */
  header: string[];
  rows: string[][];
  /** What is not kept. */
  moreRows: number;
  moreColumns: number;
  /** The first thing that is wrong with the file; the rest is read as well as it can be. */
  problem: string | null;
};

export const MOST_ROWS = 1_000;
export const MOST_COLUMNS = 60;
/** Of one cell; in characters. */
const LONGEST_CELL = 500;

/** Reads comma- or tab-separated values, of which a bounded part is kept. */
export function readTable(text: string, delimiter: "," | "\t"): Table {
  const table: Table = { header: [], rows: [], moreRows: 0, moreColumns: 0, problem: null };
  let columns = 0;
  let isFirst = true;
  Papa.parse<string[]>(text, {
    // Files that are called .csv are separated by semicolons, too.
    delimiter: delimiter === "\t" ? "\t" : separatorOf(text),
    skipEmptyLines: "greedy",
    step: ({ data, errors }) => {
      const error = errors[0];
      if (error !== undefined && table.problem === null) {
        table.problem = `Row ${table.rows.length + table.moreRows + (isFirst ? 1 : 2)}: ${error.message}`;
      }
      columns = Math.max(columns, data.length);
      if (!isFirst && table.rows.length >= MOST_ROWS) {
        table.moreRows += 1;
        return;
      }
      const cells = data.slice(0, MOST_COLUMNS).map(shortened);
      if (isFirst) table.header = cells;
      else table.rows.push(cells);
      isFirst = false;
    },
  });
  table.moreColumns = Math.max(columns - MOST_COLUMNS, 0);
  return table;
}

function separatorOf(text: string): string {
  const newline = text.indexOf("\n");
  const line = text.slice(0, newline === -1 ? 10_000 : Math.min(newline, 10_000));
  const candidates = [",", ";", "\t", "|"];
  const count = (candidate: string) => line.split(candidate).length;
  return candidates.reduce((best, candidate) => (count(candidate) > count(best) ? candidate : best));
}

const shortened = (cell: string): string => (cell.length > LONGEST_CELL ? `${cell.slice(0, LONGEST_CELL)}…` : cell);
