/**
 * Keeps what a request's program or function writes until the request's own line is there, so that people see it below that
 * line and not among those of others. What takes long is shown as it comes, like all output where nothing is gathered.
 */
import type { OutputLine } from "./receipt.ts";

/** How long lines are kept for their request to end. */
const keptMsMax = 1000;
/** Lines kept of one request, and characters kept of all: more are shown as they come. */
const linesMax = 500;
const charactersMax = 1_000_000;

interface Kept {
  readonly lines: OutputLine[];
  readonly since: number;
  /** It takes long, or writes much: nothing more of it is kept. */
  shown: boolean;
}

export class GatheredOutput {
  readonly #show: (line: OutputLine) => void;
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept>();
  #characters = 0;
  #timer: Timer | undefined;

  /**
   * @param show shows a line that is not, or no longer, kept.
   * @param now in ms.
   */
  constructor(show: (line: OutputLine) => void, now: () => number = () => performance.now()) {
    this.#show = show;
    this.#now = now;
  }

  add(line: OutputLine): void {
    const { exchangeId } = line;
    if (exchangeId === undefined || isListeners(line)) return this.#show(line);
    const kept = this.#keptOf(exchangeId);
    if (kept.shown) return this.#show(line);
    kept.lines.push(line);
    this.#characters += line.text.length;
    if (kept.lines.length >= linesMax || this.#characters >= charactersMax) this.#showKept(kept);
  }

  /** The lines of a request that has ended, in their order; they are forgotten. */
  take(exchangeId: string): readonly OutputLine[] {
    const kept = this.#kept.get(exchangeId);
    if (kept === undefined) return [];
    this.#kept.delete(exchangeId);
    if (this.#kept.size === 0) this.#stopLooking();
    return this.#empty(kept);
  }

  /** Shows everything that is kept. */
  close(): void {
    for (const kept of this.#kept.values()) this.#showKept(kept);
    this.#kept.clear();
    this.#stopLooking();
  }

  #keptOf(exchangeId: string): Kept {
    const there = this.#kept.get(exchangeId);
    if (there !== undefined) return there;
    const kept: Kept = { lines: [], since: this.#now(), shown: false };
    this.#kept.set(exchangeId, kept);
    this.#timer ??= setInterval(() => this.#showOld(), keptMsMax / 4).unref();
    return kept;
  }

  #showOld(): void {
    const before = this.#now() - keptMsMax;
    for (const kept of this.#kept.values()) if (!kept.shown && kept.since <= before) this.#showKept(kept);
  }

  #showKept(kept: Kept): void {
    kept.shown = true;
    for (const line of this.#empty(kept)) this.#show(line);
  }

  #empty({ lines }: Kept): readonly OutputLine[] {
    const taken = lines.splice(0);
    for (const { text } of taken) this.#characters -= text.length;
    return taken;
  }

  #stopLooking(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** Of a connection, which may stay open for hours. */
function isListeners({ operation = "" }: OutputLine): boolean {
  return operation.startsWith("tcp:") || operation.startsWith("unix:");
}
