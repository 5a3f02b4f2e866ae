/**
 * Which lines of a connection wait for their answers, and since when. Lines are answered in order, so that counting is enough;
 * times are noted by the ticker, a few for thousands of lines, and a line that is answered before the next tick costs none.
 */
import { tickMs } from "../core/ticker.ts";

/** Times that are kept of one connection, at the most: how late its deadline may be noticed is a share of it so small. */
const marksMax = 64;

interface Mark {
  readonly atMs: number;
  /** Lines handed on until then, counted from the connection's beginning. */
  readonly lines: number;
}

export class PendingLines {
  /** Since the connection began. */
  total = 0;
  #answered = 0;
  #marks: Mark[] = [];

  /** Lines that wait. */
  get count(): number {
    return this.total - this.#answered;
  }

  handedOn(lines: number): void {
    this.total += lines;
  }

  /**
   * Lines of answers came. An answer of several lines counts as several, so that lines behind it seem to be answered before they are;
   * but it is not taken for the answer of a line that is yet to come.
   */
  answered(lines: number): void {
    this.#answered = Math.min(this.#answered + lines, this.total);
  }

  /**
   * To be called at each tick. Whether the oldest waits for longer than it may: noticed late by a tick and by 1/64 of `timeoutMs`
   * at the most, and never early.
   */
  isOverdue(nowMs: number, timeoutMs: number): boolean {
    if (this.count === 0) {
      if (this.#marks.length > 0) this.#marks = [];
      return false;
    }
    const marks = this.#marks;
    let gone = 0;
    while (gone < marks.length && (marks[gone]?.lines ?? 0) <= this.#answered) gone++;
    if (gone > 0) marks.splice(0, gone);
    const last = marks.at(-1);
    if (last === undefined || (last.lines < this.total && nowMs - last.atMs >= Math.max(tickMs, timeoutMs / marksMax)))
      marks.push({ atMs: nowMs, lines: this.total });
    const first = marks[0];
    return first !== undefined && nowMs - first.atMs >= timeoutMs;
  }

  /** None of those that wait is waited for any more. */
  forget(): void {
    this.#answered = this.total;
    this.#marks = [];
  }

  /** Counts the time of those that wait anew: it was not the function that kept them waiting. */
  startAnew(): void {
    this.#marks = [];
  }
}
