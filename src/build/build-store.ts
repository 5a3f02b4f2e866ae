/**
 * Builds that were made: each in a folder named by what went into it, and for each app a page that says of which sources the last
 * one was made, so that the same sources are not built twice.
 */
import { mkdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Diagnostic } from "../core/diagnostic.ts";
import { codeOf } from "../core/system-error.ts";
import { bundleName } from "./bundle.ts";
import type { Build, BuiltModule } from "./build.ts";
import { ownFolder } from "./own-package.ts";
import { contentHash, isStill, type Stamp } from "./stamps.ts";

/** Builds of one app that are kept beside the newest, for what still runs of them. */
const keptMax = 4;

/** What is written of a build. */
export interface BuildRecord {
  readonly hash: string;
  readonly bytecode: boolean;
  readonly modules: readonly BuiltModule[];
  readonly stamps: readonly Stamp[];
  /** Of the bundle itself: a disk that lost power may hold less of it. */
  readonly bundleHash: string;
  readonly warnings: readonly Diagnostic[];
  /** Absent: types were not checked. They were found right, else there would be no record. */
  readonly types?: TypesRecord;
  /** Hashes of builds before, the newest first. */
  readonly before: readonly string[];
}

export interface TypesRecord {
  readonly stamps: readonly Stamp[];
  readonly warnings: readonly Diagnostic[];
}

export class BuildStore {
  readonly #into: string;
  readonly #page: string;

  /** @param key what the build was asked for, as text. */
  constructor(into: string, key: string) {
    this.#into = into;
    this.#page = join(into, `${contentHash(key)}.json`);
  }

  /** The last build, if it is still that of the sources. */
  async fresh(): Promise<BuildRecord | undefined> {
    const record = await this.last();
    if (record === undefined) return undefined;
    const folder = this.folderOf(record.hash);
    const [bundle, ...still] = await Promise.all([
      readFile(join(folder, bundleName)).catch(() => undefined),
      ...record.stamps.map(isStill),
    ]);
    if (bundle === undefined || contentHash(bundle) !== record.bundleHash || still.includes(false)) return undefined;
    const now = new Date();
    await utimes(folder, now, now).catch(() => undefined);
    return record;
  }

  async last(): Promise<BuildRecord | undefined> {
    try {
      return JSON.parse(await readFile(this.#page, "utf8")) as BuildRecord;
    } catch {
      return undefined;
    }
  }

  folderOf(hash: string): string {
    return join(this.#into, hash);
  }

  /** Takes a finished folder over, and forgets builds of long ago. */
  async keep(made: string, record: Omit<BuildRecord, "before">): Promise<BuildRecord> {
    await this.#place(made, record);
    const last = await this.last();
    const before = [...new Set(last === undefined ? [] : [last.hash, ...last.before])].filter((hash) => hash !== record.hash);
    const kept = { ...record, before: before.slice(0, keptMax) };
    await this.write(kept);
    await Promise.all(before.slice(keptMax).map((hash) => rm(this.folderOf(hash), { recursive: true, force: true })));
    return kept;
  }

  /** Another host may be at the same: a folder that is there and whole stays, since it may be in use. */
  async #place(made: string, { hash, bundleHash }: Omit<BuildRecord, "before">): Promise<void> {
    const folder = this.folderOf(hash);
    if (await renamed(made, folder, occupied)) return;
    if ((await hashOf(folder)) === bundleHash) return;
    const broken = `${made}.broken`;
    await renamed(folder, broken, ["ENOENT"]);
    await renamed(made, folder, occupied);
    await rm(broken, { recursive: true, force: true });
  }

  async write(record: BuildRecord): Promise<void> {
    const temporary = `${this.#page}.${crypto.randomUUID()}`;
    await mkdir(this.#into, { recursive: true });
    await writeFile(temporary, JSON.stringify(record));
    await rename(temporary, this.#page);
  }

  buildOf({ hash, bytecode, modules, stamps, types }: BuildRecord): Build {
    const folder = this.folderOf(hash);
    const bundle = join(folder, bundleName);
    const inputs = [...stamps, ...(types?.stamps ?? [])].map(({ file }) => file).filter(isAuthors);
    return { folder, hash, bundle, plainBundle: bundle, sourceMap: `${bundle}.map`, bytecode, modules, inputs: [...new Set(inputs)] };
  }
}

/** Whether a file is the app's own, not a package's. */
export const isAuthors = (file: string): boolean => !file.includes("/node_modules/") && !file.startsWith(ownFolder);

/** What the kernel says of a folder that is there and not empty. */
const occupied: readonly string[] = ["ENOTEMPTY", "EEXIST"];

/** False: for one of these reasons it was not. */
async function renamed(from: string, to: string, reasons: readonly string[]): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (reasons.includes(codeOf(error) ?? "")) return false;
    throw error;
  }
}

async function hashOf(folder: string): Promise<string | undefined> {
  const bundle = await readFile(join(folder, bundleName)).catch(() => undefined);
  return bundle && contentHash(bundle);
}
