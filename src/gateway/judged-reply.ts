/**
 * A reply that the contract must allow before anything of it is sent: collected whole, within the app's limit and the
 * gateway's memory, and then judged.
 */
import type { ContractOperation } from "../contract/contract.ts";
import { ByteQueue } from "../core/byte-queue.ts";
import type { BodyBudget } from "./body-budget.ts";
import { headerOf, headerReader } from "./header-list.ts";
import { inPlaces, type Problem } from "./problem.ts";
import type { ReplyHeaders } from "./reply-headers.ts";

export interface JudgedReplyTerms {
  readonly contract: ContractOperation;
  /** limits.body: longer replies are not judged but refused. */
  readonly bodyBytesMax: number;
  readonly budget: BodyBudget;
}

export type Judgement =
  | { readonly ok: true; readonly headers: string[]; readonly body: Uint8Array }
  | { readonly ok: false; readonly problem: Problem };

export class JudgedReply {
  readonly status: number;
  readonly #headersOf: (hasBody: boolean) => ReplyHeaders;
  readonly #terms: JudgedReplyTerms;
  readonly #held = new ByteQueue();
  #reservedBytes = 0;

  /** @param headersOf the headers that it would be sent with, by whether it has a body. */
  constructor(status: number, headersOf: (hasBody: boolean) => ReplyHeaders, terms: JudgedReplyTerms) {
    this.status = status;
    this.#headersOf = headersOf;
    this.#terms = terms;
  }

  /** Takes a piece of the body. A problem: it was not taken, and the reply cannot be judged. */
  collect(chunk: Uint8Array): Problem | undefined {
    const { bodyBytesMax, budget } = this.#terms;
    if (this.#held.byteLength + chunk.byteLength > bodyBytesMax) {
      const detail = `The reply is longer than limits.body (${bodyBytesMax} bytes), which is what can be validated`;
      return { kind: "invalid-reply", detail };
    }
    if (!budget.reserve(chunk.byteLength)) {
      return { kind: "memory-full", detail: "There is no memory left to validate the reply in", headers: { "Retry-After": "1" } };
    }
    this.#reservedBytes += chunk.byteLength;
    this.#held.push(chunk);
    return undefined;
  }

  /** Whether the collected reply may be sent. Throws when the contract's schema cannot be compiled. */
  judge(): Judgement {
    const { contract } = this.#terms;
    const body = this.#held.take();
    const made = this.#headersOf(body.byteLength > 0);
    if (!made.ok) return { ok: false, problem: { kind: "bad-reply", detail: made.detail } };
    const { headers } = made;
    const contentType = headerOf(headers, "content-type");
    const errors = contract.checkReply({
      status: this.status,
      headers: headerReader(headers),
      body,
      ...(contentType === null ? {} : { contentType }),
    });
    if (errors.length === 0) return { ok: true, headers, body };
    return {
      ok: false,
      problem: { kind: "invalid-reply", detail: `The reply breaks the contract in ${inPlaces(errors)}`, errors },
    };
  }

  /** Gives its memory back. */
  release(): void {
    this.#held.clear();
    this.#terms.budget.release(this.#reservedBytes);
    this.#reservedBytes = 0;
  }
}
