/** Who answers what `urocket invoke` asks: a host of this user that serves the folder, or one that is started for the call. */
import { realpathSync } from "node:fs";
import { type Environment, readServeSettings } from "../config/settings.ts";
import { ownMachine, runtimeFolders } from "../config/surroundings.ts";
import type { RunningHost } from "../host/host.ts";
import { findHosts } from "../host/run-folder.ts";
import { openLog } from "../telemetry/log.ts";
import type { Log } from "../telemetry/receipt.ts";
import { complain } from "./complaint.ts";
import { exitCode, type ExitCode } from "./exit-code.ts";
import { tellStartFailure } from "./serve-messages.ts";
import { withSourceLines } from "./source-lines.ts";
import type { Terminal } from "./terminal.ts";

export interface Answering {
  readonly url: string;
  readonly listeners: readonly { readonly name: string; readonly url: string }[];
}

export interface Surroundings {
  /** The app's folder, absolute. */
  readonly root: string;
  /** Of a host that is to be asked, whatever serves the folder. */
  readonly url: URL | undefined;
  /** Of --secrets, as written. */
  readonly secrets: string | undefined;
  /** Of --sandbox, as written. */
  readonly sandbox: string | undefined;
  readonly environment: Environment;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** Calls `use` with who answers; what was started for it is stopped afterwards. */
export async function withHost(surroundings: Surroundings, use: (answering: Answering) => Promise<ExitCode>): Promise<ExitCode> {
  const { root, url, terminal, signal } = surroundings;
  if (url !== undefined) return await use({ url: url.href, listeners: [] });
  const served = findServed(root);
  if (served !== undefined) return await use(served);
  const started = await startFor(surroundings);
  if (!started.ok) return started.code;
  const { host } = started;
  try {
    return signal.aborted ? exitCode.interrupted : await use({ url: host.url, listeners: host.apps.flatMap(({ listeners }) => listeners) });
  } finally {
    await (signal.aborted ? host.stop() : host.drain());
    await started.close();
    await terminal.err.flush();
  }
}

function findServed(root: string): Answering | undefined {
  const real = realpathSync(root);
  for (const { url, apps } of findHosts(runtimeFolders())) {
    const app = apps.find(({ folder }) => folder === root || folder === real);
    if (app !== undefined) return { url, listeners: app.listeners };
  }
  return undefined;
}

type Started = { readonly ok: true; readonly host: RunningHost; close(): Promise<void> } | { readonly ok: false; readonly code: ExitCode };

/** How long what goes on after the answer may take: a program that outlives its reply. */
const graceMs = 5000;

/** Variables that say what an instance finds. */
const instanceVariables = [
  "UROCKET_SECRETS_DIR",
  "CREDENTIALS_DIRECTORY",
  "UROCKET_SANDBOX",
  "UROCKET_BRIDGE",
  "UROCKET_SUBNET",
  "UROCKET_SUBNET6",
  "UROCKET_DATA",
  "XDG_DATA_HOME",
];

async function startFor({ root, secrets, sandbox, environment, terminal }: Surroundings): Promise<Started> {
  // Variables of `serve` are about a host that stays; only what an instance finds is as for that.
  const found = Object.fromEntries(instanceVariables.map((name) => [name, environment[name]]));
  const flags = { ...(secrets === undefined ? {} : { secrets }), ...(sandbox === undefined ? {} : { sandbox }) };
  const read = readServeSettings("dev", flags, found, { ...ownMachine(), memoryBytes: 0 });
  if (!read.ok) {
    for (const problem of read.problems) complain(terminal.err, problem);
    return { ok: false, code: exitCode.usage };
  }
  const log = openLog({ fd: 2, format: "pretty", colours: terminal.err.colours, annotate: withSourceLines() });
  // Not needed where a host serves already, and large.
  const { startHost } = await import("../host/start.ts");
  const settings = { ...read.settings, port: 0, watch: false, docs: false, graceMs };
  const outcome = await startHost({ ...settings, mode: "dev", folders: [root], log: withoutChatter(log) });
  if (outcome.ok) return { ok: true, host: outcome.host, close: () => log.close() };
  await log.close();
  return { ok: false, code: tellStartFailure(terminal.err, outcome.failure, process.cwd()) };
}

/** What the operation writes, and what went wrong: the rest is the answer's to tell. */
function withoutChatter(log: Log): Log {
  return {
    exchange: (receipt) => (receipt.status >= 500 ? log.exchange(receipt) : undefined),
    output: (line) => log.output(line),
    connection: (receipt) => (receipt.detail === undefined ? undefined : log.connection(receipt)),
    host: (event) => (event.level === "info" ? undefined : log.host(event)),
  };
}
