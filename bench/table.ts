/** Tables that read well in a terminal and are Markdown when pasted. */

export type Cell = string | number;

/** Numbers are right-aligned with a thin grouping of thousands; a column is a number's where its first cell is one. */
export function formatTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => row.map(formatCell));
  const widths = head.map((title, at) => Math.max(3, title.length, ...texts.map((row) => row[at]?.length ?? 0)));
  const numeric = head.map((_, at) => typeof rows[0]?.[at] === "number");
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, at) => (numeric[at] === true ? (cells[at] ?? "").padStart(width) : (cells[at] ?? "").padEnd(width))).join(" | ")} |`;
  const rule = `|${widths.map((width, at) => (numeric[at] === true ? `${"-".repeat(width + 1)}:` : "-".repeat(width + 2))).join("|")}|`;
  return [line(head), rule, ...texts.map(line)].join("\n");
}

function formatCell(cell: Cell): string {
  return typeof cell === "number" ? formatNumber(cell) : cell;
}

/** Three significant digits below 1 000, whole and grouped above: 0.123, 12.3, 1 234. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) < 1_000) return String(Number(value.toPrecision(3)));
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, " ");
}
