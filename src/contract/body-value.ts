/**
 * What the readers of bodies share: what they read by, and what they answer.
 */
import type { Violation } from "./contract.ts";
import type { MediaType } from "./media-type.ts";
import type { Shape } from "./shape.ts";
import type { Checker } from "./validators.ts";
import type { Origin } from "./violations.ts";

export const bodyOrigin: Origin = { in: "body", root: "$" };

/** An entry of a `content` map. */
export interface BodyEntry {
  /** As the contract has it. */
  readonly written: string;
  readonly range: MediaType;
  readonly shape: Shape;
  readonly checker: Checker | undefined;
  /** The entry's `encoding`, by property. */
  readonly encoding: unknown;
}

/** A body's value, by some notation, before it is judged: candidates, the likeliest first. */
export type BodyValue =
  | {
      readonly ok: true;
      readonly candidates: readonly unknown[];
      readonly exact?: boolean;
      /** What is handed on, where it differs from what is judged. */ readonly result?: unknown;
    }
  | { readonly ok: false; readonly errors: readonly Violation[] };

/** A fault of the body as a whole. */
export function bodyFault(message: string): { readonly ok: false; readonly errors: readonly Violation[] } {
  return { ok: false, errors: [{ in: "body", path: "$", message }] };
}
