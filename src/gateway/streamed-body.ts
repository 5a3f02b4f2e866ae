/** A request's body on its way to a function or a daemon, as it comes: held back while that does not take it, counted against the limit. */
import type { BodySink, FrontExchange, HeaderList } from "./front.ts";
import type { Problem } from "./problem.ts";
import { bodyTooLarge, malformedBody } from "./request-body.ts";

/** What takes it. */
export interface BodyTarget {
  /** False: wait until it says that it takes more. Nothing is written after `last`. */
  write(chunk: Uint8Array, last: boolean, trailers?: HeaderList): boolean;
}

const nothing = new Uint8Array(0);

export class StreamedBody implements BodySink {
  /** What has come so far. */
  bytes = 0;
  /** It was refused before anything was read. */
  readonly tooLarge: boolean;
  readonly #front: FrontExchange;
  readonly #bytesMax: number;
  readonly #refuse: (problem: Problem) => void;
  #target: BodyTarget | undefined;
  /** The target has not taken what came last. */
  #isHeld = false;
  #over = false;

  /** @param refuse is told once when the body cannot be had; nothing more of it goes on then. */
  constructor(front: FrontExchange, bytesMax: number, refuse: (problem: Problem) => void) {
    this.#front = front;
    this.#bytesMax = bytesMax;
    this.#refuse = refuse;
    this.tooLarge = front.contentLength !== undefined && front.contentLength > bytesMax;
    if (this.tooLarge) this.#end(bodyTooLarge(bytesMax, `announces ${front.contentLength} bytes`));
  }

  /** It is asked for, and more of it has to come from the client. */
  get awaitsClient(): boolean {
    return this.#target !== undefined && !this.#over && !this.#isHeld;
  }

  /** Starts to read. Until then the client's bytes wait in its connection. */
  flowTo(target: BodyTarget): void {
    this.#target = target;
    this.#front.read(this);
  }

  chunk(bytes: Uint8Array): void {
    if (this.#over) return;
    this.bytes += bytes.byteLength;
    if (this.bytes > this.#bytesMax) return this.#end(bodyTooLarge(this.#bytesMax, "goes on beyond it"));
    if (this.#target?.write(bytes, false) !== false) return;
    this.#isHeld = true;
    this.#front.pause();
  }

  end(trailers?: HeaderList): void {
    if (this.#over) return;
    this.#over = true;
    this.#target?.write(nothing, true, trailers);
  }

  failed(): void {
    this.#end(malformedBody);
  }

  /** The instance takes more. */
  writable(): void {
    if (this.#over) return;
    this.#isHeld = false;
    this.#front.resume();
  }

  /** Nobody wants it any more. */
  abandon(): void {
    this.#over = true;
    this.#target = undefined;
  }

  #end(problem: Problem): void {
    if (this.#over) return;
    this.abandon();
    this.#refuse(problem);
  }
}
