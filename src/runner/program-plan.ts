/**
 * What is known of an operation's program before any request: its executable found, its environment begun, its
 * arguments laid out. Made once per operation; a request adds its own values.
 */
import { accessSync, constants, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { argumentBytesMax, payloadPlaceholder } from "../core/program-arguments.ts";
import type { UserIds } from "../core/users.ts";
import type { LoadHead, ProgramSpec, RequestHead } from "../link/messages.ts";
import type { SpawnAttempt } from "./spawn-failure.ts";

/** Where programs are looked for when nothing says so (as execvp does). */
export const fallbackPath = "/usr/local/bin:/usr/bin:/bin";

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

/** What a failed start of its program is told by. */
export function spawnAttempt({ operation, spec, executable, environment }: ProgramPlan): SpawnAttempt {
  const path = environment["PATH"] ?? fallbackPath;
  return {
    what: `Cannot start "${spec.argv[0]}" for ${operation}`,
    executable,
    wd: spec.wd,
    path,
    tooLong: "use channel: stdin for the payload",
  };
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
