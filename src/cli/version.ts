/** `urocket version`: what runs here. Kept apart from the command tree, so that it answers at once. */
import manifest from "../../package.json" with { type: "json" };
import { exitCode, type ExitCode } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

export const version: string = manifest.version;
/** The version of Bun that this version is tested with, and installed with. */
export const testedBun: string = manifest.optionalDependencies["@oven/bun-linux-x64"];

export function tellVersion({ out }: Terminal, asJson: boolean): ExitCode {
  const details = { urocket: version, bun: Bun.version, platform: `${process.platform} ${process.arch}` };
  out.line(asJson ? JSON.stringify(details) : `urocket ${details.urocket} (bun ${details.bun}, ${details.platform})`);
  return exitCode.done;
}
