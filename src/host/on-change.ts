/** Tells that files have changed, or had been changed before anybody watched them. */
import { statSync } from "node:fs";
import { FileWatch } from "./watch.ts";

/**
 * Watches until it is disposed of.
 * @param sinceMs Unix time: what was changed after it counts.
 * @param changed may be told more than once.
 */
export function onChange(files: readonly string[], sinceMs: number, changed: () => void): Disposable {
  const watch = new FileWatch(changed);
  watch.set(files);
  if (files.some((file) => changedAtMs(file) > sinceMs)) queueMicrotask(changed);
  return { [Symbol.dispose]: () => watch.close() };
}

/** Also when it was put in another's place. */
function changedAtMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.ctimeMs ?? 0;
}
