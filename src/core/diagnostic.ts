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
    // Tabs are kept before the caret, so that it stands below its column whatever a tab's width is.
    const indent = place.text.slice(0, place.column - 1).replace(/[^\t]/g, " ");
    lines.push(`  ${gutter} | ${place.text}`, `  ${" ".repeat(gutter.length)} | ${indent}^`);
  }
  if (hint !== undefined) lines.push(`  ${hint}`);
  return lines.join("\n");
}
