/** Where the set-up step puts the compiled programs, and the error of those who have not run it. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";

export const benchFolder = resolve(import.meta.dir, "..");
export const buildFolder = resolve(benchFolder, "build");

/** @throws when the set-up step was not run or something that it installs is missing. */
export function requireSetUp(commands: readonly string[]): void {
  const missing = commands.filter((command) => Bun.which(command, { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` }) === null);
  if (missing.length > 0) throw new Error(`Cannot find ${missing.join(", ")}: run 'npm run bench -- setup' as root first`);
  if (!existsSync(resolve(buildFolder, "load"))) throw new Error("Cannot find bench/build/load: run 'npm run bench -- setup' first");
}
