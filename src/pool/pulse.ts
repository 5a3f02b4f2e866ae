/**
 * Whether an instance answers. Asked at each beat while it has work; time is counted in beats and not by a clock, so that a host
 * which was itself held up does not take its own pause for the instance's.
 */

/** Beats come so often, in ms, while there is work. */
export const beatMs = 250;
/** An instance is unresponsive after so many beats without an answer, and lost after as many more past a deadline: 1 s. */
const beatsMax = 4;

export type Beat =
  /** Ask it. */
  | "ask"
  | "wait"
  /** It has just become unresponsive. */
  | "silent"
  /** Work of it is past its deadline, and it still does not answer: it has to be ended. */
  | "lost";

export class Pulse {
  #asked = false;
  /** It has to be asked, also when it has no work any more. */
  #wanted = false;
  #silentBeats = 0;
  /** Beats since work passed its deadline unanswered; undefined: none has. */
  #overdueBeats: number | undefined;

  /** It has to answer: it has to be watched also when it has no work left. */
  get awaited(): boolean {
    return this.#asked || this.#wanted || this.#overdueBeats !== undefined;
  }

  /** It has not answered in time. */
  get silent(): boolean {
    return this.#silentBeats >= beatsMax;
  }

  beat(): Beat {
    if (!this.#asked) {
      this.#asked = true;
      this.#wanted = false;
      return "ask";
    }
    this.#silentBeats++;
    if (this.#overdueBeats !== undefined) {
      this.#overdueBeats++;
      if (this.#overdueBeats >= beatsMax && this.#silentBeats >= beatsMax) return "lost";
    }
    return this.#silentBeats === beatsMax ? "silent" : "wait";
  }

  answered(): void {
    this.#asked = false;
    this.#silentBeats = 0;
    this.#overdueBeats = undefined;
  }

  /** Work of the instance was given up: it may loop for nobody. */
  want(): void {
    this.#wanted = !this.#asked;
  }

  /** Work of the instance has passed its deadline, or there is none that it could be at. */
  overdue(): void {
    this.#overdueBeats ??= 0;
  }
}
