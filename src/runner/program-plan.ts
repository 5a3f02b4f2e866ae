/**
 * What is known of an operation's program before any request: its executable found, its environment begun, its
 * arguments laid out. Made once per operation; a request adds its own values.
 */
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { closedFolder } from "../core/folder-access.ts";
import { argumentBytesMax, payloadPlaceholder } from "../core/program-arguments.ts";
import type { UserIds } from "../core/users.ts";
import type { LoadHead, ProgramSpec, RequestHead } from "../link/messages.ts";

/** Where programs are looked for when nothing says so (as execvp does). */
const fallbackPath = "/usr/local/bin:/usr/bin:/bin";

export interface ProgramPlan {
  readonly operation: string;
  readonly spec: ProgramSpec;
  /** argv[0] as it is spawned: a path, where one was found. */
  readonly executable: string;
  readonly user?: UserIds;
  /** Where its program is to reply. */
  readonly replySocket: string;
  /** Indices of the arguments that hold the placeholder; none: the payload is added. */
  readonly placeholders: readonly number[];
  /** Without the request's values. */
  readonly environment: Readonly<Record<string, string>>;
}

export function planProgram(operation: string, spec: ProgramSpec, load: LoadHead, replySocket: string, user?: UserIds): ProgramPlan {
  const environment: Record<string, string> = { ...load.environment };
  for (const [name, value] of spec.env) environment[name] = value;
  environment["UROCKET_SOCKET"] = replySocket;
  environment["UROCKET_INSTANCE"] = load.instance;
  const placeholders = spec.argv.flatMap((argument, index) => (index > 0 && argument.includes(payloadPlaceholder) ? [index] : []));
  const executable = findExecutable(spec.argv[0], spec.wd, environment["PATH"] ?? fallbackPath) ?? spec.argv[0];
  return { operation, spec, executable, replySocket, placeholders, environment, ...(user === undefined ? {} : { user }) };
}

/** The file that a shell would start: the word itself when it has a slash, else the first match in PATH. */
export function findExecutable(word: string, wd: string, path: string): string | undefined {
  if (word.includes("/")) return resolve(wd, word);
  for (const folder of path.split(":")) {
    const file = join(folder === "" ? wd : resolve(wd, folder), word);
    if (isExecutable(file)) return file;
  }
  return undefined;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The arguments of one request's program. */
export function programArguments(plan: ProgramPlan, payload: string | undefined): string[] {
  const argv: string[] = [...plan.spec.argv];
  argv[0] = plan.executable;
  if (payload === undefined) return argv;
  for (const index of plan.placeholders) argv[index] = (argv[index] ?? "").replaceAll(payloadPlaceholder, () => payload);
  if (plan.placeholders.length === 0) argv.push(payload);
  return argv;
}

/** The first argument that is too long for the kernel, in bytes of UTF-8; undefined: none is. */
export function oversizedArgument(argv: readonly string[]): number | undefined {
  for (const argument of argv) {
    // A character is at most three bytes a UTF-16 unit: most arguments need no counting.
    if (argument.length * 3 <= argumentBytesMax) continue;
    const bytes = Buffer.byteLength(argument);
    if (bytes > argumentBytesMax) return bytes;
  }
  return undefined;
}

/** The environment of one request's program. */
export function programEnvironment(plan: ProgramPlan, head: RequestHead, replyPath: string): Record<string, string> {
  const environment: Record<string, string> = { ...plan.environment };
  environment["URIPATH"] = head.path;
  environment["REQUEST_ID"] = head.id;
  environment["REQUEST_METHOD"] = head.method;
  environment["QUERY_STRING"] = head.query;
  if (head.contentType !== undefined) environment["CONTENT_TYPE"] = head.contentType;
  if (head.contentLength !== undefined) environment["CONTENT_LENGTH"] = `${head.contentLength}`;
  environment["UROCKET_REPLY"] = replyPath;
  environment["UROCKET_DEADLINE_MS"] = `${head.deadline}`;
  for (const name in head.parameters) environment[parameterName(name)] = head.parameters[name] ?? "";
  if (head.traceparent !== undefined) environment["TRACEPARENT"] = head.traceparent;
  if (head.tracestate !== undefined) environment["TRACESTATE"] = head.tracestate;
  return environment;
}

/** "petId" → "UROCKET_PARAM_PETID". */
export function parameterName(name: string): string {
  return `UROCKET_PARAM_${name.toUpperCase().replace(/[^A-Z0-9_]/g, "_")}`;
}

/** The request's value that holds a NUL byte, which no environment and no argument can; undefined: none does. */
export function valueWithNul(head: RequestHead): string | undefined {
  if (head.path.includes("\0")) return "the path";
  if (head.query.includes("\0")) return "the query";
  if (head.contentType?.includes("\0") === true) return "Content-Type";
  if (head.traceparent?.includes("\0") === true || head.tracestate?.includes("\0") === true) return "the trace context";
  for (const name in head.parameters) {
    if (name.includes("\0") || (head.parameters[name] ?? "").includes("\0")) return `path parameter "${name}"`;
  }
  return undefined;
}

/** Why a program could not be started: what a client may know, and what is for the log alone. */
export interface SpawnFailure {
  readonly detail: string;
  readonly advice?: string;
}

/** Says it in words, from the error that the spawn threw. */
export function spawnFailure(plan: ProgramPlan, error: unknown): SpawnFailure {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const start = `Cannot start "${plan.spec.argv[0]}" for ${plan.operation}`;
  const folder = folderProblem(plan.spec.wd);
  if (folder !== undefined) return { detail: `${start}: its working directory cannot be used`, advice: folder };
  switch (code) {
    case "ENOENT":
      return { detail: `${start}: it was not found (ENOENT)`, advice: missing(plan) };
    case "EACCES":
    case "EPERM":
      return {
        detail: `${start}: it may not be executed (${code})`,
        advice: `run chmod +x on "${plan.executable}", and check the folders above it`,
      };
    case "ENOEXEC":
      return {
        detail: `${start}: it is neither a binary of this machine nor a script whose first line is #! and an interpreter (ENOEXEC)`,
        advice: `see "${plan.executable}"`,
      };
    case "E2BIG":
      return {
        detail: `${start}: its arguments and environment together are over the kernel's limit (E2BIG)`,
        advice: "use channel: stdin for the payload",
      };
    case "EAGAIN":
      return { detail: `${start}: the limit on the number of processes is reached (EAGAIN)` };
    case "ENOMEM":
      return { detail: `${start}: the machine is out of memory (ENOMEM)` };
    case "EMFILE":
    case "ENFILE":
      return { detail: `${start}: the limit on open files is reached (${code})` };
    default:
      return { detail: `${start}: ${code === "" ? "the system refused" : code}`, advice: String(error) };
  }
}

function folderProblem(wd: string): string | undefined {
  const closed = closedFolder(wd);
  if (closed !== undefined) {
    const where = closed === wd ? "" : ` at "${closed}"`;
    return `its working directory "${wd}" may not be entered by user ${process.geteuid?.()}${where} (EACCES): run chmod a+x on it`;
  }
  try {
    return statSync(wd).isDirectory() ? undefined : `its working directory "${wd}" is not a folder`;
  } catch {
    return `its working directory "${wd}" does not exist`;
  }
}

function missing(plan: ProgramPlan): string {
  if (!plan.executable.includes("/")) return `there is no such program in PATH (${plan.environment["PATH"] ?? fallbackPath})`;
  const interpreter = interpreterOf(plan.executable);
  if (interpreter !== undefined) return `the interpreter "${interpreter}" that its first line names does not exist`;
  return `the file "${plan.executable}" does not exist`;
}

function interpreterOf(file: string): string | undefined {
  try {
    return /^#![ \t]*(\S+)/.exec(readFileSync(file, "latin1").slice(0, 256))?.[1];
  } catch {
    return undefined;
  }
}
