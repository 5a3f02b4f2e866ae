/** Tells that files have changed, or had been changed before anybody watched them. */
import { readFileSync, statSync } from "node:fs";
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

/**
 * The same of what files say: one that is written anew and says what it said is no news.
 * @param changed may be told more than once.
 */
export function onNewContent(files: readonly string[], changed: () => void): Disposable {
  const before = contentOf(files);
  return onChange(files, Number.POSITIVE_INFINITY, () => {
    if (contentOf(files) !== before) changed();
  });
}

function contentOf(files: readonly string[]): string {
  return files.map((file) => Bun.hash(readOf(file))).join();
}

function readOf(file: string): Uint8Array | string {
  try {
    return readFileSync(file);
  } catch {
    return "";
  }
}

/** Also when it was put in another's place. */
function changedAtMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.ctimeMs ?? 0;
}
