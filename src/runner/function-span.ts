/** A call's place in a distributed trace (W3C Trace Context, level 1), and what its function notes on it. */
import type { SpanNotes } from "../link/messages.ts";
import type { Span } from "../sdk/urocket.ts";

export const notesMax = 32;
/** Characters of a name or a text value: the notes travel in a frame's head. */
export const noteLengthMax = 256;
const traceparentForm = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/;

export class FunctionSpan implements Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly #flags: string;
  readonly #attributes = new Map<string, string | number | boolean>();
  readonly #events: { readonly name: string; readonly atMs: number }[] = [];

  /** @param traceparent of the request; undefined or malformed: a new trace. */
  constructor(traceparent: string | undefined) {
    const [, traceId, spanId, flags] = traceparentForm.exec(traceparent ?? "") ?? [];
    this.traceId = traceId ?? randomHex(16);
    // The host's span of this exchange: what the function calls is its child.
    this.spanId = spanId ?? randomHex(8);
    this.#flags = flags ?? "00";
  }

  get traceparent(): string {
    return `00-${this.traceId}-${this.spanId}-${this.#flags}`;
  }

  get notes(): SpanNotes | undefined {
    if (this.#attributes.size === 0 && this.#events.length === 0) return undefined;
    return {
      ...(this.#attributes.size > 0 ? { attributes: Object.fromEntries(this.#attributes) } : {}),
      ...(this.#events.length > 0 ? { events: this.#events } : {}),
    };
  }

  readonly setAttribute = (name: string, value: string | number | boolean): void => {
    const key = String(name).slice(0, noteLengthMax);
    if (this.#attributes.size >= notesMax && !this.#attributes.has(key)) return;
    this.#attributes.set(key, typeof value === "number" || typeof value === "boolean" ? value : String(value).slice(0, noteLengthMax));
  };

  readonly addEvent = (name: string): void => {
    if (this.#events.length < notesMax) this.#events.push({ name: String(name).slice(0, noteLengthMax), atMs: Date.now() });
  };
}

function randomHex(bytes: number): string {
  return crypto.getRandomValues(new Uint8Array(bytes)).toHex();
}
