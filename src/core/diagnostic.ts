/**
 * A problem in a file that a person wrote, told so that they can mend it without searching: what is wrong, where
 * (file:line:column, with the line shown), and what to do next. Service files and contracts are both checked into
 * lists of these, so that every problem is told at once.
 */

/** Where in a file a problem is. Lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The whole text of that line, without its line end. */
  readonly text: string;
}

export interface Diagnostic {
  /** An error keeps the app from starting; a warning does not. */
  readonly severity: "error" | "warning";
  /** Where it is; absent when the file as a whole is the problem (it cannot be read, say). */
  readonly place?: Place;
  /** The file it is about, when there is no place. */
  readonly file?: string;
  /** What is wrong, naming the value. Starts with a capital, ends without a full stop. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** Shows a diagnostic as `file:line:column: severity: message`, the line with a caret below, and the hint. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { place, severity, message, hint } = diagnostic;
  const where = place ? `${place.file}:${place.line}:${place.column}` : diagnostic.file;
  const lines = [`${where === undefined ? "" : `${where}: `}${severity}: ${message}`];
  if (place) {
    const gutter = `${place.line}`;
    const { text, column } = windowOf(place);
    // Tabs are kept before the caret, so that it stands below its column whatever a tab's width is.
    const indent = text.slice(0, column - 1).replace(/[^\t]/g, " ");
    lines.push(`  ${gutter} | ${text}`, `  ${" ".repeat(gutter.length)} | ${indent}^`);
  }
  if (hint !== undefined) lines.push(`  ${hint}`);
  return lines.join("\n");
}

/** Characters of a line that are shown. Minified JSON is one line of any length. */
const shownMax = 160;

/** The part of a long line around the column, and the column in it. */
function windowOf({ text, column }: Place): { readonly text: string; readonly column: number } {
  if (text.length <= shownMax) return { text, column };
  const start = Math.max(0, Math.min(column - 1 - shownMax / 2, text.length - shownMax));
  const end = start + shownMax;
  const before = start > 0 ? "…" : "";
  return { text: `${before}${text.slice(start, end)}${end < text.length ? "…" : ""}`, column: column - start + before.length };
}
