/**
 * Settings of the host from their three sources: flags, then `UROCKET_*` of the environment, then defaults. Pure: what
 * the sources hold is passed in, and every bad value is told at once, each with the source it came from.
 */
import { isIP } from "node:net";
import { isAbsolute, join, resolve } from "node:path";
import { nearest } from "../core/suggest.ts";
import { parseDuration } from "../core/units.ts";
import { type Checked, networkDefaults, toBridge, toSubnet, toSubnet6, toTrustedProxies } from "./network-settings.ts";

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
  /** What confines instances, whatever service files say. Default: as they say. */
  readonly sandbox?: "process" | "container";
  /** Of containers. With the defaults the first that is free is taken of each and its followers. */
  readonly network: { readonly bridge: string; readonly subnet: string; readonly subnet6: string };
  /** Addresses and CIDR blocks. Default: none. */
  readonly trustedProxies: readonly string[];
  /** Absolute. Default: /var/lib/urocket of root, else `urocket` in $XDG_DATA_HOME or in ~/.local/share. */
  readonly dataFolder: string;
}

/** Which command reads them: their defaults differ. */
export type ServeMode = "serve" | "dev";

/** What defaults depend on. */
export interface OwnMachine {
  /** Memory that this process may use, in bytes. */
  readonly memoryBytes: number;
  /** Who runs; 0 is root. */
  readonly uid: number;
  /** The user's folder, absolute. */
  readonly home: string;
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
  readonly sandbox?: string;
  readonly bridge?: string;
  readonly subnet?: string;
  readonly subnet6?: string;
  readonly trustedProxies?: string;
  readonly data?: string;
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
  "UROCKET_SANDBOX",
  "UROCKET_BRIDGE",
  "UROCKET_SUBNET",
  "UROCKET_SUBNET6",
  "UROCKET_TRUSTED_PROXIES",
  "UROCKET_DATA",
] as const;

const sparesMax = 64;
const smallMachineBytes = 2 ** 30;
const graceMsMax = 24 * 3_600_000;
const logChoices: readonly LogChoice[] = ["auto", "json", "pretty"];

export function readServeSettings(mode: ServeMode, flags: ServeFlags, environment: Environment, machine: OwnMachine): ReadSettings {
  const defaults = defaultsOf(mode, machine);
  const problems: SettingProblem[] = [];
  const doubts: SettingProblem[] = [];
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
    const named = `${source.name} ${JSON.stringify(source.text)}`;
    if (checked.ok) {
      if (checked.warning !== undefined) doubts.push({ message: `${named}: ${checked.warning.message}`, hint: checked.warning.hint });
      return checked.value;
    }
    problems.push({ message: `Cannot use ${named}: ${checked.message}`, hint: checked.hint });
    return fallback;
  };
  const sandbox = setting<ServeSettings["sandbox"]>("sandbox", flags.sandbox, toSandbox, undefined);
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
    ...(sandbox === undefined ? {} : { sandbox }),
    network: {
      bridge: setting("bridge", flags.bridge, toBridge, networkDefaults.bridge),
      subnet: setting("subnet", flags.subnet, toSubnet, networkDefaults.subnet),
      subnet6: setting("subnet6", flags.subnet6, toSubnet6, networkDefaults.subnet6),
    },
    trustedProxies: setting("trusted-proxies", flags.trustedProxies, toTrustedProxies, []),
    dataFolder: setting("data", flags.data, toFolder, dataFolderOf(machine, environment)),
    ...secretsOf(flags, environment, (problem) => problems.push(problem)),
  };
  return problems.length > 0 ? { ok: false, problems } : { ok: true, settings, warnings: [...doubts, ...findMisspelt(environment)] };
}

type Defaults = Omit<ServeSettings, "sandbox" | "network" | "trustedProxies" | "dataFolder">;

function defaultsOf(mode: ServeMode, { memoryBytes }: OwnMachine): Defaults {
  const spares = memoryBytes < smallMachineBytes ? 0 : 1;
  const common = { port: 8080, address: "127.0.0.1", timing: false, graceMs: 30_000, requests: "all", spares } as const;
  return mode === "dev" ? { ...common, watch: true, log: "pretty", docs: true } : { ...common, watch: false, log: "auto", docs: false };
}

/** https://specifications.freedesktop.org/basedir-spec: a path in XDG_DATA_HOME that is not absolute is to be ignored. */
export function dataFolderOf({ uid, home }: Pick<OwnMachine, "uid" | "home">, environment: Environment): string {
  if (uid === 0) return "/var/lib/urocket";
  const xdg = environment["XDG_DATA_HOME"];
  return join(xdg !== undefined && isAbsolute(xdg) ? xdg : join(home, ".local/share"), "urocket");
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
  const variable = `UROCKET_${name.toUpperCase().replaceAll("-", "_")}`;
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

function toSandbox(text: string): Checked<"process" | "container"> {
  if (text === "process" || text === "container") return { ok: true, value: text };
  return { ok: false, message: "it is no sandbox", hint: "Write process or container" };
}

function toFolder(text: string): Checked<string> {
  if (text.trim() !== "") return { ok: true, value: resolve(text) };
  return { ok: false, message: "it is empty", hint: "Name the folder that apps keep their data in" };
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
