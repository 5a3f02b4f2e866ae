/**
 * `urocket invoke`: calls one operation of an app, as a client would. Where a host of this user serves the app's folder that one is
 * asked; else the app is started for the call, on a port that nobody knows, and stopped after it.
 */
import { resolve } from "node:path";
import { type App, methods } from "../config/app.ts";
import { loadServiceFile } from "../config/service-file.ts";
import type { Environment } from "../config/settings.ts";
import type { Contract } from "../contract/contract.ts";
import { loadContract } from "../contract/load.ts";
import { complain, type Complaint, tellDiagnostics } from "./complaint.ts";
import { exitCode, type ExitCode } from "./exit-code.ts";
import { kindOfPath, whyNoFolder } from "./folder-kind.ts";
import { type InvokeFlags, type ReadFlags, readFlags } from "./invoke-flags.ts";
import { type Answering, withHost } from "./invoke-host.ts";
import { type InvokeRequest, type RequestData, sendRequest } from "./invoke-http.ts";
import { sendLines } from "./invoke-lines.ts";
import { findTarget, type Invocable, type InvokeTarget, type KnownOperation, templateFits } from "./invoke-target.ts";
import type { Terminal } from "./terminal.ts";

interface FoundApp {
  readonly app: App;
  readonly contract: Contract | undefined;
}

export async function invoke(
  operation: string,
  folder: string,
  flags: InvokeFlags,
  environment: Environment,
  terminal: Terminal,
): Promise<ExitCode> {
  const root = resolve(folder);
  const complaints: Complaint[] = [];
  const read = readFlags(flags, (complaint) => complaints.push(complaint));
  const why = whyNoFolder(kindOfPath(root));
  if (why !== undefined) complaints.push({ message: `Cannot invoke an operation of ${root}: ${why}`, hint: folderHint(operation, folder) });
  if (complaints.length > 0) return refuse(complaints, terminal);
  const found = await findApp(root, terminal);
  if (found === undefined) return exitCode.usage;
  const target = findTarget({ operation: withWholePath(operation, root), ...read }, toInvocable(found));
  if (!target.ok) return refuse(target.complaints, terminal);
  using interruption = watchInterruption();
  const { signal } = interruption;
  return await withHost(
    { root, url: read.url, secrets: flags.secrets, sandbox: flags.sandbox, environment, terminal, signal },
    (answering) => call({ target: target.target, found, read, flags, answering, terminal, signal }),
  );
}

/** A socket's path may be written as in the service file. */
const withWholePath = (operation: string, root: string): string =>
  operation.startsWith("unix:") ? `unix:${resolve(root, operation.slice("unix:".length))}` : operation;

/** A shell makes two words of a verb and a path that are not quoted. */
const folderHint = (operation: string, folder: string): string =>
  folder.startsWith("/") && methods.some((method) => method === operation.toUpperCase())
    ? `Write verb and path as one word: '${operation} ${folder}'`
    : "Name the folder that holds the service file.";

function refuse(complaints: readonly Complaint[], { err }: Terminal): ExitCode {
  for (const complaint of complaints) complain(err, complaint);
  return exitCode.usage;
}

/** Service file and contract; what is wrong with them is told. */
async function findApp(root: string, { err }: Terminal): Promise<FoundApp | undefined> {
  const service = await loadServiceFile(root);
  const loaded = service.ok && service.app.openapi !== undefined ? await loadContract(service.app.openapi) : undefined;
  const problems = [...(service.ok ? [] : service.problems), ...(loaded === undefined || loaded.ok ? [] : loaded.problems)];
  tellDiagnostics(err, problems, process.cwd());
  if (!service.ok || loaded?.ok === false) return undefined;
  return { app: service.app, contract: loaded?.contract };
}

function toInvocable({ app, contract }: FoundApp): Invocable {
  const exported = app.operations.map((operation): KnownOperation => ({
    method: operation.method,
    path: operation.path,
    names: operation.kind === "function" && operation.function.export !== "default" ? [operation.function.export] : [],
  }));
  const described = (contract?.operations ?? []).map(({ method, path, operationId }): KnownOperation => ({
    method,
    path,
    names: operationId === undefined ? [] : [operationId],
  }));
  return {
    app: app.name,
    base: app.base,
    // The contract's first: its names are the ones that clients know.
    operations: [...described, ...exported],
    listeners: app.listeners.map(({ name }) => name),
    servesAnyPath: (app.functions !== undefined || app.service !== undefined) && contract === undefined,
  };
}

interface Call {
  readonly target: InvokeTarget;
  readonly found: FoundApp;
  readonly read: ReadFlags;
  readonly flags: InvokeFlags;
  readonly answering: Answering;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

async function call(options: Call): Promise<ExitCode> {
  const { target, answering, terminal, signal } = options;
  try {
    if (target.kind === "lines") return await callListener(target.listener, options);
    const status = await sendRequest(
      toRequest(target, options),
      { json: options.flags.output === "json", include: options.flags.include === true },
      terminal,
    );
    return status >= 200 && status < 400 ? exitCode.done : exitCode.failed;
  } catch (error) {
    if (signal.aborted) return exitCode.interrupted;
    const hint =
      options.read.url === undefined ? "Its log says more." : "See whether a host serves there, and whether it may be reached from here.";
    complain(terminal.err, {
      message: `Cannot get an answer from ${answering.url}: ${error instanceof Error ? error.message : String(error)}`,
      hint,
    });
    return exitCode.failed;
  }
}

async function callListener(name: string, { answering, read, terminal, signal }: Call): Promise<ExitCode> {
  const at = answering.listeners.find((listener) => listener.name === name);
  if (at === undefined) {
    return refuse(
      [
        {
          message: `Cannot tell where ${name} listens: ${answering.url} is the address of HTTP`,
          hint: "Leave --url out to ask the host that serves this folder.",
        },
      ],
      terminal,
    );
  }
  await sendLines(at.url, read.data ?? { from: "stdin" }, terminal.out, signal);
  return exitCode.done;
}

function toRequest(target: { readonly method: string; readonly path: string }, { answering, read, found, signal }: Call): InvokeRequest {
  const given = new Set(read.headers.map(([name]) => name.toLowerCase()));
  const type = read.data === undefined || given.has("content-type") ? [] : [["content-type", typeOf(read.data, target, found)] as const];
  const [virtualHost] = found.app.hosts;
  const host = virtualHost === undefined || given.has("host") || read.url !== undefined ? [] : [["host", virtualHost] as const];
  return {
    method: target.method,
    url: new URL(target.path, answering.url),
    headers: [...host, ...type, ...read.headers],
    ...(read.data === undefined ? {} : { data: read.data }),
    signal,
  };
}

/** Media types that are tried, in this order, where the contract takes no JSON. */
const otherTypes = ["application/x-www-form-urlencoded", "application/xml", "text/plain", "application/octet-stream"];

/** What the operation takes; JSON where the contract leaves the choice, a file's own type where it takes that. */
function typeOf(
  data: RequestData,
  { method, path }: { readonly method: string; readonly path: string },
  { app, contract }: FoundApp,
): string {
  const own = data.from === "file" ? [Bun.file(data.path).type] : [];
  const candidates = [...own, "application/json", ...otherTypes];
  const pathname = path.split("?")[0] ?? "";
  const operation = contract?.operations.find((one) => one.method === method && templateFits(app.base + one.path, pathname));
  return candidates.find((type) => operation?.takesMediaType(type) ?? type === "application/json") ?? "application/octet-stream";
}

/** INT and TERM end the call; what was started for it is stopped before the command ends. */
function watchInterruption(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort();
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => void process.off("SIGINT", interrupt).off("SIGTERM", interrupt),
  };
}
