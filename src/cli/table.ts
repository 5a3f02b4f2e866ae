/** Rows of text under headings, in columns as wide as their widest cell. */
import { paint, type Stream } from "./terminal.ts";

/** The lines of a table, headings first, two spaces between columns. A row may have fewer cells than there are headings. */
export function formatTable(stream: Stream, headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = headings.map((heading, column) =>
    Math.max(...[heading, ...rows.map((row) => row[column] ?? "")].map((cell) => Bun.stringWidth(cell))),
  );
  const format = (cells: readonly string[]): string =>
    widths
      .map((width, column) => `${cells[column] ?? ""}${" ".repeat(width - Bun.stringWidth(cells[column] ?? ""))}`)
      .join("  ")
      .trimEnd();
  return [paint(stream, "bold", format(headings)), ...rows.map(format)];
}
