/** How the runner's JavaScript engine is set: JSC's options, by their environment. */
import type { Confinement } from "./sandbox.ts";

/** @param app undefined: a spare's, which is not known yet. */
export function engineSettings(functions: boolean, app: Confinement | undefined): Readonly<Record<string, string>> {
  // The last tier of compiling makes functions that compute twice as fast. A runner's own code is small: with programs alone
  // it costs 0.4 s of CPU at the start and gains nothing measurable.
  if (functions) return {};
  return { BUN_JSC_useFTLJIT: "0", ...(app !== undefined && compilesAlone(app) ? { BUN_JSC_useConcurrentJIT: "0" } : {}) };
}

/**
 * Whether the app's runner must do without threads that come and go. The engine's compilers end after 10 s without work and are
 * started again, and where that is refused the engine aborts: a program that uses up the app's processes would end its runner.
 */
export function compilesAlone({ content: { programs, functions, service }, limits }: Confinement): boolean {
  return programs && !functions && !service && limits.pidsMax !== undefined;
}
