/**
 * Builds that were made: each in a folder named by what went into it, and for each app a page that says of which sources the last
 * one was made, so that the same sources are not built twice.
 */
import { readdirSync, rmSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Diagnostic } from "../core/diagnostic.ts";
import { codeOf } from "../core/system-error.ts";
import { bundleName } from "./bundle.ts";
import type { Build, BuiltModule } from "./build.ts";
import { ownFolder } from "./own-package.ts";
import { contentHash, isContentHash, isStill, type Stamp } from "./stamps.ts";

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

  /** Takes a finished folder over. */
  async keep(made: string, record: BuildRecord): Promise<BuildRecord> {
    await this.#place(made, record);
    await this.write(record);
    return record;
  }

  /** Another host may be at the same: a folder that is there and whole stays, since it may be in use. */
  async #place(made: string, { hash, bundleHash }: BuildRecord): Promise<void> {
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
    return { folder, hash, bundle, sourceMap: `${bundle}.map`, bytecode, modules, inputs: [...new Set(inputs)] };
  }
}

/**
 * Removes the builds that nobody uses: what runs of one imports it when its next instance starts. Not while one is made, which
 * may turn out to be one of these again. @param used folders of those that stay.
 */
export function removeUnusedBuilds(into: string, used: ReadonlySet<string>): void {
  for (const name of readdirSync(into)) {
    const folder = join(into, name);
    if (isContentHash(name) && !used.has(folder)) rmSync(folder, { recursive: true, force: true });
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
