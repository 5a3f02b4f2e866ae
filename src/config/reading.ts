/**
 * Collects what is wrong with a file while it is read, so that a person sees every problem at once, in the order of the
 * lines, each with its place.
 */
import type { Diagnostic, Place } from "../core/diagnostic.ts";
import type { Spot } from "./value.ts";

/** Problems that are told of one file; one more says how many there were. */
export const problemsMax = 100;

export class Reading {
  readonly #file: string;
  readonly #text: string;
  readonly #lineStarts: readonly number[];
  readonly #found: { readonly offset: number; readonly diagnostic: Diagnostic }[] = [];
  readonly #lacked: string[] = [];
  #errors = 0;

  /** `file` is what places name; `text` is the file's whole text, without a byte order mark. */
  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
    this.#lineStarts = lineStarts(text);
  }

  /** Whether an error was told; warnings do not count. */
  get failed(): boolean {
    return this.#errors > 0;
  }

  error(at: Spot, message: string, hint?: string): void {
    this.#errors += 1;
    this.#add("error", at, message, hint);
  }

  warning(at: Spot, message: string, hint?: string): void {
    this.#add("warning", at, message, hint);
  }

  /** An error is there because of another path, absolute: that it is not there, or not what it should be. */
  lack(path: string): void {
    this.#lacked.push(path);
  }

  get lacked(): readonly string[] {
    return this.#lacked;
  }

  /** Everything told so far, by line; at most `problemsMax`, errors first to stay when there are more. */
  diagnostics(): readonly Diagnostic[] {
    const inOrder = this.#found.toSorted((a, b) => a.offset - b.offset).map((entry) => entry.diagnostic);
    if (inOrder.length <= problemsMax) return inOrder;
    const errors = inOrder.filter((diagnostic) => diagnostic.severity === "error");
    const shown = (errors.length === 0 ? inOrder : errors).slice(0, problemsMax);
    const severity = errors.length === 0 ? "warning" : "error";
    const left = `${inOrder.length - shown.length} more problems are not shown`;
    return [...shown, { severity, file: this.#file, message: left, hint: "Mend these first" }];
  }

  placeOf(at: Spot): Place {
    const line = this.#lineAt(at.offset);
    const start = this.#lineStarts[line - 1] ?? 0;
    const text = this.#text.slice(start, this.#lineStarts[line] ?? this.#text.length).replace(/\r?\n$|\r$/, "");
    return { file: this.#file, line, column: Math.min(at.offset - start, text.length) + 1, text };
  }

  #add(severity: "error" | "warning", at: Spot, message: string, hint: string | undefined): void {
    const place = this.placeOf(at);
    this.#found.push({
      offset: at.offset,
      diagnostic: hint === undefined ? { severity, place, message } : { severity, place, message, hint },
    });
  }

  /** By halving: a file of 1 MiB may hold many lines and many problems. */
  #lineAt(offset: number): number {
    let low = 0;
    let high = this.#lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  }
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", end + 1)) starts.push(end + 1);
  return starts;
}
