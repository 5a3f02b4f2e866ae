/**
 * From the keys as they were read to the app: defaults filled in, paths made absolute, and everything checked that needs
 * more than one key, or the machine.
 */
import { basename, dirname, resolve } from "node:path";
import { closedFolder } from "../core/folder-access.ts";
import { payloadPlaceholder } from "../core/program-arguments.ts";
import { shellWord } from "../core/shell-word.ts";
import { socketPathBytesMax } from "../core/socket-path.ts";
import { methods } from "./app.ts";
import type { App, AppOperation, EnvironmentEntry, Limits, Method, Scale } from "./app.ts";
import { defaults, isLabel } from "./description.ts";
import type { ReadInject, ReadOperation, ReadPathItem, ReadServiceFile } from "./description.ts";
import type { Located, Row } from "./fields.ts";
import { normalHost } from "./host-names.ts";
import { findExecutable, foldersOf, kindOf, userExists } from "./machine.ts";
import type { Standing } from "./machine.ts";
import { outtakeDefault, replyPathOf } from "./outtake.ts";
import { checkTemplate, requestPath, templateShape } from "./path-template.ts";
import type { Reading } from "./reading.ts";
import { findScript } from "./script.ts";
import { quoted } from "./value.ts";
import type { Spot } from "./value.ts";

export interface Context {
  /** The app's root, absolute. */
  readonly folder: string;
  /** The service file, absolute. */
  readonly file: string;
  readonly standing: Standing;
  readonly reading: Reading;
}

/**
 * There is no app when there is no name; every other problem is told to the context's reading only, and then the app is
 * not to be used. The contract is there whenever its file is.
 */
export function toApp(read: ReadServiceFile, context: Context): { readonly app?: App; readonly openapi?: string } {
  const name = nameOf(read, context);
  const openapi = documentOf(read, context);
  const socket = socketOf(read, context);
  const operations = operationsOf(read, context);
  const named = openapi === undefined ? {} : { openapi };
  if (name === undefined) return named;
  const app: App = {
    name,
    folder: context.folder,
    file: context.file,
    ...named,
    base: baseOf(read, context),
    hosts: [...new Set((read.hosts?.value ?? []).map((host) => normalHost(host.value)))],
    ...(socket === undefined ? {} : { socket }),
    limits: limitsOf(read),
    scale: scaleOf(read, context),
    balance: read.balance?.value ?? "least-requests",
    operations,
  };
  return { app, ...named };
}

function nameOf(read: ReadServiceFile, { folder, reading }: Context): string | undefined {
  if (read.name !== undefined) return read.name.value;
  const label = labelOf(basename(folder));
  if (label === undefined && !read.given.has("name"))
    reading.error(
      { offset: 0 },
      `The app has no name, and its folder's name ${quoted(basename(folder))} does not make one`,
      "Add `name:` with a name such as pets",
    );
  return label;
}

/** A folder's name as an RFC 1035 label: "My Pets 2" → "my-pets-2". */
export function labelOf(folderName: string): string | undefined {
  const label = folderName
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, 63)
    .replace(/-+$/, "");
  return isLabel(label) ? label : undefined;
}

function documentOf(read: ReadServiceFile, { folder, reading }: Context): string | undefined {
  if (read.openapi === undefined) {
    if (!read.given.has("paths") && !read.given.has("openapi"))
      reading.error(
        { offset: 0 },
        "The app has nothing to serve: there is neither `paths` nor `openapi`",
        "Add `paths:` with an operation",
      );
    return undefined;
  }
  const { value, at } = read.openapi;
  const path = resolve(folder, value);
  const kind = kindOf(path);
  if (kind === "file") return path;
  if (/^[a-z]+:\/\//i.test(value))
    reading.error(
      at,
      `The document ${quoted(value)} is an address; nothing is fetched`,
      "Save it into the app's folder and write its file name",
    );
  else if (kind === "missing") reading.error(at, `Cannot find the OpenAPI document ${quoted(value)}`, `There is no ${path}`);
  else reading.error(at, `The OpenAPI document ${quoted(value)} is not a file that can be read`);
  return undefined;
}

function baseOf(read: ReadServiceFile, { reading }: Context): string {
  if (read.base === undefined) return "";
  const written = read.base.value;
  const checked = checkTemplate(written.replace(/\/$/, ""));
  if (!checked.ok) reading.error(read.base.at, `The base ${quoted(written)} ${checked.message}`);
  else if (requestPath(checked.path) !== checked.path)
    reading.error(read.base.at, `The base ${quoted(written)} has a query or a fragment`, "Only the path of a request is compared");
  else if (checked.parameters.length > 0)
    reading.error(read.base.at, `The base ${quoted(written)} has a parameter`, "Parameters belong into the paths");
  else return checked.path === "/" ? "" : checked.path;
  return "";
}

function socketOf(read: ReadServiceFile, { folder, reading }: Context): string | undefined {
  if (read.socket === undefined) return undefined;
  const { value, at } = read.socket;
  const path = resolve(folder, value);
  const bytes = Buffer.byteLength(path);
  const there = kindOf(path);
  if (bytes > socketPathBytesMax)
    reading.error(at, `The socket's path has ${bytes} bytes; the kernel takes ${socketPathBytesMax} at most`, `It is ${path}`);
  else if (kindOf(dirname(path)) !== "folder")
    reading.error(at, `Cannot make the socket ${quoted(value)}: its folder does not exist`, `Create ${dirname(path)}`);
  else if (there !== "missing" && there !== "socket")
    reading.error(at, `Cannot make the socket ${quoted(value)}: something else is there`, `Move ${path} away, or choose another path`);
  return path;
}

function limitsOf(read: ReadServiceFile): Limits {
  const { memory, cpu, pids, body } = read.limits?.value ?? {};
  return {
    ...(memory ? { memoryBytesMax: memory.value } : {}),
    ...(cpu ? { cpuMax: cpu.value } : {}),
    ...(pids ? { pidsMax: pids.value } : {}),
    bodyBytesMax: body?.value ?? defaults.bodyBytesMax,
  };
}

function scaleOf(read: ReadServiceFile, { reading }: Context): Scale {
  const { min, max, concurrency, queue, idle } = read.scale?.value ?? {};
  const least = min?.value ?? defaults.scaleMin;
  const most = max?.value ?? Math.max(least, defaults.scaleMax);
  if (min && max && least > most)
    reading.error(min.at, `"scale.min" (${least}) is more than "scale.max" (${most})`, "Raise max or lower min");
  return {
    min: least,
    max: most,
    concurrency: concurrency?.value ?? defaults.concurrency,
    queue: queue?.value ?? defaults.queue,
    idleMs: idle?.value ?? defaults.idleMs,
  };
}

function operationsOf(read: ReadServiceFile, context: Context): readonly AppOperation[] {
  const { reading } = context;
  const seen = new Map<string, { readonly at: Spot; readonly path: string }>();
  const operations: AppOperation[] = [];
  for (const row of read.paths?.value ?? []) {
    const template = checkTemplate(row.key.text);
    if (!template.ok) {
      reading.error(row.key, `The path ${quoted(row.key.text)} ${template.message}`);
      continue;
    }
    for (const [method, operation] of verbsOf(row)) {
      const key = `${method} ${templateShape(template.path)}`;
      const first = seen.get(key);
      if (first === undefined) seen.set(key, { at: operation.key, path: template.path });
      else refuseSecond(method, template.path, operation.key, first, reading);
      const made = operationOf(template.path, method, operation, read, context);
      if (made !== undefined) operations.push(made);
    }
  }
  return operations;
}

function refuseSecond(method: Method, path: string, at: Spot, first: { readonly at: Spot; readonly path: string }, reading: Reading): void {
  const { line } = reading.placeOf(first.at);
  if (path === first.path) reading.error(at, `The operation ${method} ${path} is there twice`, `It stands first on line ${line}; keep one`);
  else
    reading.error(
      at,
      `${method} ${path} matches the same requests as ${method} ${first.path}`,
      `The other stands on line ${line}; keep one`,
    );
}

function verbsOf(row: Row<ReadPathItem>): readonly (readonly [Method, Located<ReadOperation>])[] {
  return methods.flatMap((method) => {
    const operation = row.value[method.toLowerCase() as Lowercase<Method>];
    return operation === undefined ? [] : [[method, operation] as const];
  });
}

function operationOf(
  path: string,
  method: Method,
  { value, key }: Located<ReadOperation>,
  read: ReadServiceFile,
  context: Context,
): AppOperation | undefined {
  const { inject, outtake, logstdout } = value;
  const [validateIn, validateOut] = [value["validate-in"], value["validate-out"]];
  for (const asked of [validateIn, validateOut]) {
    if (asked?.value && !read.given.has("openapi"))
      context.reading.error(
        asked.key,
        `Cannot validate ${method} ${path}: the app has no contract`,
        "Add `openapi:` with the contract's file",
      );
  }
  const made = inject && injectOf(inject, read, context);
  if (made === undefined) return undefined;
  return {
    path,
    method,
    inject: made,
    replyPath: replyPathOf(outtake?.value ?? outtakeDefault),
    logStdout: logStdoutOf(logstdout?.value ?? true),
    ...(validateIn ? { validateIn: validateIn.value } : {}),
    validateOut: validateOut?.value ?? false,
    place: context.reading.placeOf(key),
    ...(validateIn ? { validateInPlace: context.reading.placeOf(validateIn.key) } : {}),
    ...(validateOut ? { validateOutPlace: context.reading.placeOf(validateOut.key) } : {}),
  };
}

function logStdoutOf(word: boolean | "header"): AppOperation["logStdout"] {
  if (word === "header") return "header";
  return word ? "always" : "never";
}

function injectOf({ value }: Located<ReadInject>, read: ReadServiceFile, context: Context): AppOperation["inject"] | undefined {
  const { cmd, user } = value;
  const wd = wdOf(value, context);
  const env = [...(read.env?.value ?? []), ...(value.env?.value ?? [])];
  const channel = value.channel?.value ?? "stdin";
  if (user) checkUser(user, context);
  if (cmd === undefined) return undefined;
  const closed = wd === undefined ? undefined : closedFolder(wd);
  if (closed !== undefined) warnOfClosed(value.wd?.at ?? cmd.at, closed, context);
  else if (wd !== undefined) warnOfProgram(cmd, wd, env, context);
  if (channel === "stdin" && cmd.value.some((word) => word.includes(payloadPlaceholder))) {
    context.reading.error(
      cmd.at,
      `${payloadPlaceholder} needs the payload on the command line, and the channel is stdin`,
      "Write `channel: cmdline`, or take it out of `cmd`",
    );
  }
  return {
    wd: wd ?? context.folder,
    env,
    argv: cmd.value,
    channel,
    encoding: value.encoding?.value ?? "json",
    timeoutMs: value.timeout?.value ?? read.timeout?.value ?? defaults.timeoutMs,
    ...(user ? { user: user.value } : {}),
  };
}

/** A wrong one is told here: the kernel's own answer to it (ENOENT) would name the program instead. */
function wdOf({ wd }: ReadInject, { folder, reading }: Context): string | undefined {
  if (wd === undefined) return folder;
  const path = resolve(folder, wd.value);
  const kind = kindOf(path);
  if (kind === "folder") return path;
  if (kind === "missing") reading.error(wd.at, `Cannot find the working directory ${quoted(wd.value)}`, `There is no ${path}`);
  else reading.error(wd.at, `The working directory ${quoted(wd.value)} is not a folder that can be entered`, `It is ${path}`);
  return undefined;
}

/** Only a warning: the program may be installed later. */
function warnOfProgram(
  cmd: Located<readonly [string, ...string[]]>,
  wd: string,
  env: readonly EnvironmentEntry[],
  { standing, reading }: Context,
): void {
  const path = env.findLast(([name]) => name === "PATH")?.[1];
  const folders = path === undefined ? standing.programFolders : foldersOf(path);
  const executable = findExecutable(cmd.value[0], wd, folders);
  const needed = executable.found ? findScript(cmd.value, wd, folders) : executable;
  if (!needed.found) reading.warning(cmd.at, needed.message, needed.hint);
}

/** Only a warning: its permissions may change. */
function warnOfClosed(at: Spot, closed: string, { standing, reading }: Context): void {
  reading.warning(
    at,
    `The working directory cannot be entered by user ${standing.uid}: permission denied at ${closed}`,
    `Run: chmod a+x ${shellWord(closed)}; until then its requests are answered 502`,
  );
}

function checkUser({ value, at }: Located<string>, { standing, reading }: Context): void {
  if (!userExists(value, standing.usersFile))
    reading.error(at, `There is no user ${quoted(value)} on this system`, "Create it, or take `user:` out");
  else if (standing.uid !== 0)
    reading.error(at, `Running a program as ${quoted(value)} needs root`, "Run urocket as root, or take `user:` out");
}
