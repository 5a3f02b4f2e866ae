/**
 * The runner as one file with bytecode: an instance that starts from it answers its first request in two thirds of the time
 * that it takes from the sources (measured: 11.6 ms and 16.2 ms). It is made beside the host's start, not before it; until
 * it is there, and where it cannot be made, runners start from the sources, which do the same.
 */
import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What runners start from where there is no bundle. */
export const runnerSource = fileURLToPath(new URL("../runner/main.ts", import.meta.url));
/** A bundle that takes longer is done without. */
const bundleMsMax = 30_000;

export class RunnerBundle {
  #file = runnerSource;

  /** What a runner that starts now is to run. */
  get file(): string {
    return this.#file;
  }

  /**
   * Makes the bundle in a process of its own.
   * @param into a folder that exists; the bundle gets a folder `runner` in it.
   * @param signal ends the making.
   * @returns whether there is one now; else, `file` stays what it was.
   */
  async make(into: string, signal?: AbortSignal): Promise<boolean> {
    const folder = join(into, "runner");
    const unfinished = `${folder}.${process.pid}`;
    try {
      const bundler = Bun.spawn({
        cmd: [process.execPath, "build", runnerSource, "--target=bun", "--format=cjs", "--bytecode", ...minified, `--outdir=${unfinished}`],
        cwd: into,
        env: {},
        stdio: ["ignore", "ignore", "ignore"],
        timeout: bundleMsMax,
        killSignal: "SIGKILL",
        ...(signal === undefined ? {} : { signal }),
      });
      if ((await bundler.exited) !== 0) return false;
      rmSync(folder, { recursive: true, force: true });
      // Whole or not at all: a runner may start at any moment.
      renameSync(unfinished, folder);
      this.#file = join(folder, "main.js");
      return true;
    } catch {
      // The folder is gone with its host, or the system has no process to spare.
      return false;
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
}

/** Names stay: they are in stacks. */
const minified = ["--minify-syntax", "--minify-whitespace"] as const;
