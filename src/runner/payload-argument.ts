/** A payload that its program is given as an argument: what can be one, and what is said of what cannot. */
import { argumentBytesMax } from "../core/program-arguments.ts";
import type { ResetHead } from "../link/messages.ts";
import type { ProgramPlan } from "./program-plan.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The payload's text; undefined when it is not UTF-8 or holds a NUL, which no argument can. */
export function argumentText(payload: Uint8Array): string | undefined {
  try {
    const text = utf8.decode(payload);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}

export function notAnArgument(plan: ProgramPlan): ResetHead {
  return {
    reason: "bad-request",
    detail: `Cannot give "${plan.spec.argv[0]}" its payload as an argument: it holds a NUL byte or is not UTF-8; use channel: stdin`,
  };
}

export function argumentTooLarge(plan: ProgramPlan, bytes: number): ResetHead {
  return {
    reason: "argument-too-large",
    detail: `Cannot give "${plan.spec.argv[0]}" its payload as an argument: ${bytes} bytes, the kernel takes ${argumentBytesMax}; use channel: stdin`,
  };
}
