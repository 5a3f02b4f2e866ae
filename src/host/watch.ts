/** Tells when one of some files may have changed. Folders are watched, because editors replace files rather than write them. */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";

/** Changes within this time are told once: an editor's save is several events. */
const settleMs = 50;

export class FileWatch {
  readonly #changed: () => void;
  readonly #watchers = new Map<string, FSWatcher>();
  #names = new Map<string, Set<string>>();
  #settling: ReturnType<typeof setTimeout> | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Watches these files, and no others that were watched before. */
  set(files: Iterable<string>): void {
    this.#names = new Map();
    for (const file of files) {
      const folder = dirname(file);
      const names = this.#names.get(folder) ?? new Set();
      this.#names.set(folder, names.add(basename(file)));
    }
    for (const [folder, watcher] of this.#watchers) {
      if (this.#names.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of this.#names.keys()) this.#watch(folder);
  }

  close(): void {
    clearTimeout(this.#settling);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #watch(folder: string): void {
    if (this.#watchers.has(folder)) return;
    const watcher = watch(folder, (_event, name) => {
      if (name !== null && this.#names.get(folder)?.has(name) !== true) return;
      clearTimeout(this.#settling);
      this.#settling = setTimeout(this.#changed, settleMs);
    });
    // A folder that vanishes ends its watch; the files' next reading says what is missing.
    watcher.on("error", () => {
      watcher.close();
      this.#watchers.delete(folder);
    });
    this.#watchers.set(folder, watcher);
  }
}
