/** A host's run folder, laid out: its builds, and a folder for the instances and the secrets of each app. */
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { removeUnusedBuilds } from "../build/build-store.ts";
import { runtimeFolders } from "../config/surroundings.ts";
import { describeHost, type HostDescription, openRunFolder, passable } from "./run-folder.ts";

export class HostFolder {
  readonly path: string;
  /** Where functions, and the runner, are built. */
  readonly builds: string;
  #apps = 0;
  #secrets = 0;

  /**
   * Makes it, after removing what hosts that were killed left behind.
   * @throws RunFolderFailure when there is no place for it.
   */
  constructor() {
    this.path = openRunFolder(runtimeFolders());
    this.builds = join(this.path, "builds");
    mkdirSync(this.builds, { mode: 0o700 });
  }

  /** An app's revisions share a folder, so that a reply which reaches another revision's socket finds its own instance. */
  makeAppFolder(): string {
    const folder = join(this.path, `a${this.#apps++}`);
    mkdirSync(folder, { mode: passable });
    chmodSync(folder, passable);
    return folder;
  }

  /** A name that nothing has yet, for a revision's copies of secrets. @param appFolder as of `makeAppFolder`. */
  newSecretsFolder(appFolder: string): string {
    return join(appFolder, `secrets-${this.#secrets++}`);
  }

  /** Tells other commands on this machine where the host listens, and for which apps. */
  describe(description: HostDescription): void {
    describeHost(this.path, description);
  }

  /** Removes builds but these. Not while apps are loaded, which may turn out to be made of an old build again. */
  keepBuilds(used: Iterable<string>): void {
    removeUnusedBuilds(this.builds, new Set(used));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
