/**
 * Settings of the host from their three sources: flags, then `UROCKET_*` of the environment, then defaults. Pure: what
 * the sources hold is passed in, and every bad value is told at once, each with the source it came from.
 */
import { isIP } from "node:net";
import { resolve } from "node:path";
import { nearest } from "../core/suggest.ts";
import { parseDuration } from "../core/units.ts";

export type LogChoice = "auto" | "json" | "pretty";

/** Which requests the log tells of: those that were answered 400 or more, or broke off, are "failed". */
export type RequestsChoice = "all" | "failed";

export interface ServeSettings {
  /** Default 8080; 0: any free one. */
  readonly port: number;
  /** An IP address or the name of one. Default 127.0.0.1. */
  readonly address: string;
  /** Default false. */
  readonly timing: boolean;
  /** Default false; `dev`: always. */
  readonly watch: boolean;
  /** Default 30 s, at most a day. */
  readonly graceMs: number;
  /** Default auto: pretty on a terminal, JSON otherwise; `dev`: pretty. */
  readonly log: LogChoice;
  /** Default all. */
  readonly requests: RequestsChoice;
  /** Runner processes started ahead of need. Default 1; 0 on machines with less than 1 GiB of memory. At most 64. */
  readonly spares: number;
  /** Absolute. Default: `$CREDENTIALS_DIRECTORY` (systemd.exec(5), LoadCredential); without it there are no secrets. */
  readonly secretsFolder?: string;
  /** Whether contracts are shown under /_docs. Default false; `dev`: true. */
  readonly docs: boolean;
}

/** Which command reads them: their defaults differ. */
export type ServeMode = "serve" | "dev";

/** What defaults depend on. */
export interface MachineSize {
  /** Memory that this process may use, in bytes. */
  readonly memoryBytes: number;
}

/** As written behind the flags; `true` and `false` for `--timing` and `--no-timing`. */
export interface ServeFlags {
  readonly port?: string;
  readonly address?: string;
  readonly timing?: boolean;
  readonly watch?: boolean;
  readonly grace?: string;
  readonly log?: string;
  readonly requests?: string;
  readonly spares?: string;
  readonly secrets?: string;
  readonly docs?: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** A value that cannot be used, as sentences: `Cannot use --port "80a": it is not a port`. */
export interface SettingProblem {
  readonly message: string;
  readonly hint: string;
}

export type ReadSettings =
  | { readonly ok: true; readonly settings: ServeSettings; readonly warnings: readonly SettingProblem[] }
  | { readonly ok: false; readonly problems: readonly SettingProblem[] };

/** Variables that `serve` and `dev` read; `dev` has no use for UROCKET_WATCH. */
export const serveVariables = [
  "UROCKET_PORT",
  "UROCKET_ADDRESS",
  "UROCKET_TIMING",
  "UROCKET_WATCH",
  "UROCKET_GRACE",
  "UROCKET_LOG",
  "UROCKET_REQUESTS",
  "UROCKET_SPARES",
  "UROCKET_SECRETS_DIR",
  "UROCKET_DOCS",
] as const;

const sparesMax = 64;
const smallMachineBytes = 2 ** 30;
const graceMsMax = 24 * 3_600_000;
const logChoices: readonly LogChoice[] = ["auto", "json", "pretty"];

type Checked<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly message: string; readonly hint: string };

export function readServeSettings(mode: ServeMode, flags: ServeFlags, environment: Environment, machine: MachineSize): ReadSettings {
  const defaults = defaultsOf(mode, machine);
  const problems: SettingProblem[] = [];
  /** The setting's value from the first source that has one. */
  const setting = <Value>(
    name: string,
    flag: string | boolean | undefined,
    check: (text: string) => Checked<Value>,
    fallback: Value,
  ): Value => {
    const source = findSource(name, flag, environment);
    if (source === undefined) return fallback;
    const checked = check(source.text);
    if (checked.ok) return checked.value;
    problems.push({ message: `Cannot use ${source.name} ${JSON.stringify(source.text)}: ${checked.message}`, hint: checked.hint });
    return fallback;
  };
  const settings: ServeSettings = {
    port: setting("port", flags.port, toPort, defaults.port),
    address: setting("address", flags.address, toAddress, defaults.address),
    timing: setting("timing", flags.timing, toBoolean, defaults.timing),
    watch: mode === "dev" || setting("watch", flags.watch, toBoolean, defaults.watch),
    graceMs: setting("grace", flags.grace, toGrace, defaults.graceMs),
    log: setting("log", flags.log, toLogChoice, defaults.log),
    requests: setting("requests", flags.requests, toRequestsChoice, defaults.requests),
    spares: setting("spares", flags.spares, toSpares, defaults.spares),
    docs: setting("docs", flags.docs, toBoolean, defaults.docs),
    ...secretsOf(flags, environment, (problem) => problems.push(problem)),
  };
  return problems.length > 0 ? { ok: false, problems } : { ok: true, settings, warnings: findMisspelt(environment) };
}

function defaultsOf(mode: ServeMode, { memoryBytes }: MachineSize): ServeSettings {
  const spares = memoryBytes < smallMachineBytes ? 0 : 1;
  const common = { port: 8080, address: "127.0.0.1", timing: false, graceMs: 30_000, requests: "all", spares } as const;
  return mode === "dev" ? { ...common, watch: true, log: "pretty", docs: true } : { ...common, watch: false, log: "auto", docs: false };
}

function secretsOf(
  flags: ServeFlags,
  environment: Environment,
  tell: (problem: SettingProblem) => void,
): { readonly secretsFolder?: string } {
  if (flags.secrets === "")
    tell({ message: 'Cannot use --secrets "": it is empty', hint: "Name the folder that holds a file for each secret" });
  const folder = flags.secrets ?? (environment["UROCKET_SECRETS_DIR"] || environment["CREDENTIALS_DIRECTORY"]);
  return folder === undefined || folder === "" ? {} : { secretsFolder: resolve(folder) };
}

/** An empty variable counts as unset, so that `UROCKET_PORT= urocket serve` undoes an exported one. */
function findSource(
  name: string,
  flag: string | boolean | undefined,
  environment: Environment,
): { readonly name: string; readonly text: string } | undefined {
  if (flag !== undefined) return { name: `--${name}`, text: String(flag) };
  const variable = `UROCKET_${name.toUpperCase()}`;
  const text = environment[variable];
  return text === undefined || text === "" ? undefined : { name: variable, text };
}

function toPort(text: string): Checked<number> {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return { ok: true, value: port };
  return { ok: false, message: "it is not a port", hint: "Write a number from 1 to 65535, or 0 for any free port" };
}

function toAddress(text: string): Checked<string> {
  const bare = text.replace(/^\[(.*)\]$/, "$1");
  const label = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
  // What looks like numbers and dots is meant as an address, and no name.
  const isName = new RegExp(`^${label}(\\.${label})*$`).test(bare) && !/^[\d.]+$/.test(bare);
  if (isIP(bare) !== 0 || isName) return { ok: true, value: bare };
  return {
    ok: false,
    message: "it is not an address",
    hint: "Write an address of this machine such as 127.0.0.1 or ::1, or 0.0.0.0 for all of them",
  };
}

function toBoolean(text: string): Checked<boolean> {
  if (/^(1|true|yes|on)$/i.test(text)) return { ok: true, value: true };
  if (/^(0|false|no|off)$/i.test(text)) return { ok: true, value: false };
  return { ok: false, message: "it is neither true nor false", hint: "Write 1 or 0" };
}

function toGrace(text: string): Checked<number> {
  const parsed = parseDuration(text);
  if (parsed.ok && parsed.value <= graceMsMax) return parsed;
  return {
    ok: false,
    message: parsed.ok ? "it is longer than a day" : "it is not a duration",
    hint: 'Write a duration such as "250ms", "30s" or "5m", at most 24h',
  };
}

function toSpares(text: string): Checked<number> {
  const spares = Number(text);
  if (/^\d{1,3}$/.test(text) && spares <= sparesMax) return { ok: true, value: spares };
  return {
    ok: false,
    message: `it is not a number from 0 to ${sparesMax}`,
    hint: "Write how many runners are to wait for work, such as 1",
  };
}

function toLogChoice(text: string): Checked<LogChoice> {
  const value = logChoices.find((choice) => choice === text);
  if (value !== undefined) return { ok: true, value };
  return { ok: false, message: "it is no form of log", hint: `Write one of ${logChoices.join(", ")}` };
}

function toRequestsChoice(text: string): Checked<RequestsChoice> {
  if (text === "all" || text === "failed") return { ok: true, value: text };
  return { ok: false, message: "it does not say which requests", hint: "Write all or failed" };
}

/** Variables that are like one of ours but for a slip: they would be ignored without a word. */
function findMisspelt(environment: Environment): SettingProblem[] {
  return Object.keys(environment).flatMap((name) => {
    if (!name.startsWith("UROCKET_") || (serveVariables as readonly string[]).includes(name)) return [];
    const meant = nearest(
      name.slice("UROCKET_".length),
      serveVariables.map((known) => known.slice("UROCKET_".length)),
    );
    return meant === undefined ? [] : [{ message: `${name} is not a setting and is ignored`, hint: `Did you mean UROCKET_${meant}?` }];
  });
}
