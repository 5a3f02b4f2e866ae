/**
 * Remembers how exchanges ended, for a while: a program that comes late is told so, and not that there was never such
 * a request.
 */

/** The oldest are forgotten beyond so many. */
export const endedMax = 4096;

export type EndedHow = "answered" | "too-late" | "client-left";

export class EndedExchanges {
  readonly #how = new Map<string, EndedHow>();

  add(replyPath: string, how: EndedHow): void {
    if (this.#how.size >= endedMax) {
      const oldest = this.#how.keys().next();
      if (!oldest.done) this.#how.delete(oldest.value);
    }
    this.#how.set(replyPath, how);
  }

  get(replyPath: string): EndedHow | undefined {
    return this.#how.get(replyPath);
  }

  get size(): number {
    return this.#how.size;
  }
}
