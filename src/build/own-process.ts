/** Processes of the build: the same runtime as the host's, started in a folder of their own, within a time. */
import { programEnvironment } from "../config/surroundings.ts";

/** The bundler, the type checker: each within this. */
export const buildMsMax = 60_000;
/** Of what a process says; more is not read. */
const outputBytesMax = 8 * 1024 * 1024;

export type RunEnd =
  | { readonly ended: "itself"; readonly exitCode: number; readonly output: string; readonly errors: string }
  /** Killed, by the caller's signal, the time limit, or somebody else. */
  | { readonly ended: "aborted" | "time" | "killed"; readonly output: string; readonly errors: string };

export interface RunOptions {
  readonly folder: string;
  readonly signal: AbortSignal | undefined;
}

/** Nothing of the surroundings reaches it: no .env, no bunfig.toml, no installing, no macros, and no end of the host outlived. */
const isolation = ["--no-orphans", "--no-env-file", "--no-install", "--no-macros", "--config=/dev/null"];

/** Runs the runtime with these arguments, to its end. */
export async function runOwn(args: readonly string[], { folder, signal }: RunOptions): Promise<RunEnd> {
  if (signal?.aborted) return { ended: "aborted", output: "", errors: "" };
  const limit = AbortSignal.timeout(buildMsMax);
  const child = Bun.spawn([process.execPath, ...isolation, ...args], {
    cwd: folder,
    env: { ...programEnvironment(), NO_COLOR: "1", BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    killSignal: "SIGKILL",
  });
  const [output, errors] = await Promise.all([readBounded(child.stdout), readBounded(child.stderr)]);
  await child.exited;
  if (signal?.aborted) return { ended: "aborted", output, errors };
  if (limit.aborted) return { ended: "time", output, errors };
  return child.exitCode === null ? { ended: "killed", output, errors } : { ended: "itself", exitCode: child.exitCode, output, errors };
}

async function readBounded(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.byteLength;
    if (bytes <= outputBytesMax) text += decoder.decode(chunk, { stream: true });
  }
  return text;
}
