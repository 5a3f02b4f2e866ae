/**
 * Tells when one of some files may have changed. Folders are watched, because editors replace files rather than write them;
 * and the folders above these, because a checkout replaces folders, and a deployment turns a link to another one.
 */
import { type FSWatcher, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";

/** Changes within this time are told once: an editor's save is several events. */
const settleMs = 50;

interface Watched {
  readonly watcher: FSWatcher;
  /** Which folder it is: another one of the same name needs another watcher. */
  readonly inode: bigint;
}

export class FileWatch {
  readonly #changed: (seenAt: number) => void;
  readonly #watched = new Map<string, Watched>();
  /** What is of interest in each folder. */
  #names = new Map<string, Set<string>>();
  #settling: ReturnType<typeof setTimeout> | undefined;
  #seenAt: number | undefined;

  /** @param changed told when the first of the changes was seen, as `performance.now()`. */
  constructor(changed: (seenAt: number) => void) {
    this.#changed = changed;
  }

  /** Watches these files, and no others that were watched before. To be called again after each change. */
  set(files: Iterable<string>): void {
    this.#names = new Map();
    for (const file of files) this.#addNames(file);
    for (const [folder, { inode }] of this.#watched) {
      if (!this.#names.has(folder) || inodeOf(folder) !== inode) this.#forget(folder);
    }
    for (const folder of this.#names.keys()) this.#watch(folder);
  }

  close(): void {
    clearTimeout(this.#settling);
    for (const folder of this.#watched.keys()) this.#forget(folder);
  }

  /** The file in its folder, its folder in the one above, and so on up to a folder that is there. */
  #addNames(file: string): void {
    this.#addName(file);
    let folder = dirname(file);
    this.#addName(folder);
    while (inodeOf(folder) === undefined && folder !== dirname(folder)) {
      folder = dirname(folder);
      this.#addName(folder);
    }
  }

  #addName(path: string): void {
    const folder = dirname(path);
    const names = this.#names.get(folder) ?? new Set();
    this.#names.set(folder, names.add(basename(path)));
  }

  #watch(folder: string): void {
    const inode = inodeOf(folder);
    if (inode === undefined || this.#watched.has(folder)) return;
    try {
      const watcher = watch(folder, (_event, name) => {
        if (name !== null && this.#names.get(folder)?.has(name) !== true) return;
        this.#see();
      });
      watcher.on("error", () => this.#forget(folder));
      this.#watched.set(folder, { watcher, inode });
    } catch {
      // It has just gone, or may not be read: the files' next reading says what is missing.
    }
  }

  #see(): void {
    clearTimeout(this.#settling);
    const seenAt = (this.#seenAt ??= performance.now());
    this.#settling = setTimeout(() => {
      this.#seenAt = undefined;
      this.#changed(seenAt);
    }, settleMs);
  }

  #forget(folder: string): void {
    this.#watched.get(folder)?.watcher.close();
    this.#watched.delete(folder);
  }
}

function inodeOf(folder: string): bigint | undefined {
  try {
    return statSync(folder, { bigint: true }).ino;
  } catch {
    return undefined;
  }
}
