/**
 * Operations as people are told of them: what a default export or a daemon takes of every path and method is one thing to them, not
 * eight.
 */
import { everyPath } from "../host/join-functions.ts";

/** @param handler what serves it. */
interface Told {
  readonly path: string;
  readonly handler: string | undefined;
}

/** Whether it is one of those that take every path, below the app's base, that no other operation does. */
export function takesEveryPath({ path, handler }: Told): boolean {
  return path.endsWith(everyPath) && (handler === "function" || handler === "service");
}

/** "4 operations, every other path", "every path", "1 operation". */
export function countOperations(operations: readonly Told[]): string {
  const own = operations.filter((operation) => !takesEveryPath(operation)).length;
  const takesRest = own < operations.length;
  if (own === 0 && takesRest) return "every path";
  return `${count(own, "operation")}${takesRest ? ", every other path" : ""}`;
}

export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;
