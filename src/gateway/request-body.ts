/** Reads a request's body whole, within the app's limit and the gateway's budget. */
import { ByteQueue } from "../core/byte-queue.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { BodySink, FrontExchange } from "./front.ts";
import type { Problem } from "./problem.ts";

export interface BodyReceiver {
  /** The whole body. So many bytes are reserved for it in the budget, to be given back. */
  received(bytes: Uint8Array, reserved: number): void;
  /** It cannot be had; nothing is reserved any more. */
  refused(problem: Problem): void;
}

/** Told once, by `received` or `refused`; neither after `abandon`. */
export class WholeBody implements BodySink {
  readonly #bytesMax: number;
  readonly #budget: BodyBudget;
  readonly #receiver: BodyReceiver;
  readonly #held = new ByteQueue();
  #over = false;

  constructor(bytesMax: number, budget: BodyBudget, receiver: BodyReceiver) {
    this.#bytesMax = bytesMax;
    this.#budget = budget;
    this.#receiver = receiver;
  }

  read(front: FrontExchange): void {
    // Announcing alone takes no room: memory is reserved as the body comes.
    if (front.contentLength !== undefined && front.contentLength > this.#bytesMax) {
      this.#refuse(bodyTooLarge(this.#bytesMax, `announces ${front.contentLength} bytes`));
    } else front.read(this);
  }

  chunk(bytes: Uint8Array): void {
    if (this.#over) return;
    if (this.#held.byteLength + bytes.byteLength > this.#bytesMax) return this.#refuse(bodyTooLarge(this.#bytesMax, "goes on beyond it"));
    if (!this.#budget.reserve(bytes.byteLength)) return this.#refuse(memoryFull(this.#budget));
    this.#held.push(bytes);
  }

  end(): void {
    if (this.#over) return;
    this.#over = true;
    const bytes = this.#held.take();
    this.#receiver.received(bytes, bytes.byteLength);
  }

  failed(): void {
    this.#refuse(malformedBody);
  }

  /** Nobody wants it any more. */
  abandon(): void {
    if (this.#over) return;
    this.#over = true;
    this.#budget.release(this.#held.byteLength);
    this.#held.clear();
  }

  #refuse(problem: Problem): void {
    if (this.#over) return;
    this.abandon();
    this.#receiver.refused(problem);
  }
}

/** Chunks that are none (RFC 9112 §7.1). */
export const malformedBody: Problem = {
  kind: "bad-request",
  detail: "The request's body is not framed as HTTP/1.1 says",
  headers: { Connection: "close" },
};

export function bodyTooLarge(bytesMax: number, how: string): Problem {
  const detail = `The request's body ${how}; limits.body is ${bytesMax} bytes`;
  return { kind: "body-too-large", detail, headers: { Connection: "close" } };
}

function memoryFull(budget: BodyBudget): Problem {
  const detail = `Bodies of other requests fill the ${budget.bytesMax} bytes that may be held at once`;
  return { kind: "memory-full", detail, headers: { "Retry-After": "1", Connection: "close" } };
}
