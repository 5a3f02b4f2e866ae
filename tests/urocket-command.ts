/** The real `bin/urocket`, run to its end: what a person would see of it. */
import { join } from "node:path";

export const root = join(import.meta.dir, "..");
export const binary = join(root, "bin/urocket");

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A user of every Linux who owns nothing. */
export const nobody = 65_534;

export interface RunOptions {
  readonly cwd?: string;
  /** The whole environment besides PATH and HOME. */
  readonly env?: Readonly<Record<string, string>>;
  /** Run as this user; needs root. */
  readonly uid?: number;
  readonly stdin?: string | Uint8Array<ArrayBuffer>;
}

/** Runs a command line and waits for its end. */
export async function urocket(args: readonly string[], { cwd = root, env = {}, stdin = "", uid }: RunOptions = {}): Promise<Ran> {
  const user = uid === undefined ? {} : { uid, gid: uid };
  const options = { cwd, env: ownEnvironment(env), stdin: new Blob([stdin]), stdout: "pipe", stderr: "pipe", ...user } as const;
  const child = Bun.spawn([binary, ...args], options);
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, stdout, stderr };
}

/** Nothing of the machine that runs the tests but what is needed to start. */
export function ownEnvironment(env: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { PATH = "", HOME = "/" } = process.env;
  return { PATH, HOME, ...env };
}
