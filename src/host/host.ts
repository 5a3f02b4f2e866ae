/**
 * What `urocket serve` runs: every part wired together, in one process. It is started with folders and stops in order;
 * the command line turns its outcomes into words and exit codes.
 */
import type { NetworkMode } from "../config/app.ts";
import type { Diagnostic } from "../core/diagnostic.ts";
import type { ProgramSample } from "../link/messages.ts";
import type { InstanceSample } from "../telemetry/instance-sample.ts";
import type { Log } from "../telemetry/receipt.ts";

export interface HostSettings {
  /** App folders, absolute, at least one. */
  readonly folders: readonly string[];
  /** Address to listen on. Default 127.0.0.1. */
  readonly address: string;
  /** TCP port; 0: any free one. Default 8080. */
  readonly port: number;
  /** Whether responses carry `Server-Timing`. */
  readonly timing: boolean;
  /** Whether service files and contracts are watched and reloaded on change. */
  readonly watch: boolean;
  /** How long open exchanges may go on after a stop is asked for, in ms. Default 30 s. */
  readonly graceMs: number;
  /** "dev": types are checked beside serving, and told as warnings; sources of functions are watched too. */
  readonly mode: "serve" | "dev";
  /** Runner processes started ahead. */
  readonly spares: number;
  /** Where secrets are read from, absolute; absent: there are none. */
  readonly secretsFolder?: string;
  /** What confines instances, whatever service files say. Absent: as they say. */
  readonly sandbox?: "process" | "container";
  /** Of containers: the bridge's name, and the private networks of its instances. Default "urocket0", the first that is free. */
  readonly network: { readonly bridge: string; readonly subnet: string; readonly subnet6: string };
  /** Who may say for whom a request comes: addresses and CIDR blocks whose `Forwarded` and `X-Forwarded-*` are believed. */
  readonly trustedProxies: readonly string[];
  /** Where apps keep their data, absolute. */
  readonly dataFolder: string;
  /** Whether `docs-pages.ts` is served under /_docs. */
  readonly docs: boolean;
  readonly log: Log;
  /** Aborted while the host starts: it fails, as soon as what it began is taken away. */
  readonly givenUp?: AbortSignal;
  /** Told of type errors in what is served already ("dev" only), and of their end by an empty list. */
  readonly onTypes?: (app: CheckedTypes) => void;
  /** Told of the files that the apps are made of, before their first instances are started. */
  readonly onLoaded?: (files: readonly string[]) => void;
  /** Told of each app's reload, whoever asked for it. */
  readonly onReload?: (app: ReloadedApp) => void;
}

export interface CheckedTypes {
  readonly name: string;
  readonly folder: string;
  readonly problems: readonly Diagnostic[];
}

export interface RunningHost {
  /** "http://127.0.0.1:8080" */
  readonly url: string;
  readonly apps: readonly ServedApp[];
  /** What the containers of its apps are connected by. Absent: there is none. */
  readonly network?: { readonly bridge: string; readonly gateway: string; readonly gateway6?: string } | undefined;
  /** Every instance that runs, with what it uses now. */
  instances(): readonly InstanceSample[];
  /** Programs that run longer than a second, with what they use now: ready for `top`. */
  running(): readonly ProgramSample[];
  /** Reads every service file and contract again; a bad one keeps the old version and is told in `problems`. */
  reload(): Promise<ReloadOutcome>;
  /** Closes the listener at once, lets open exchanges finish within `graceMs`, then ends what is left. Idempotent. */
  drain(): Promise<void>;
  /** Ends everything now. Also while draining. */
  stop(): Promise<void>;
}

export interface ServedApp {
  readonly name: string;
  readonly folder: string;
  /** What confines its instances. */
  readonly sandbox: "process" | "container";
  /** What they reach, where they are containers. */
  readonly network: NetworkMode;
  readonly operations: readonly {
    readonly method: string;
    readonly path: string;
    readonly validated: boolean;
    readonly handled: boolean;
    /** Absent: nothing does. */
    readonly handler?: "program" | "function" | "service";
    readonly operationId?: string;
  }[];
  /** Lines over TCP or a unix socket; `url` is "tcp://127.0.0.1:1234" or "unix:/run/fib.sock". */
  readonly listeners: readonly { readonly name: string; readonly url: string }[];
  /** Limits of the service file that this machine does not let us hold, as sentences. */
  readonly limitsNotHeld: readonly string[];
}

export interface ReloadOutcome {
  readonly apps: readonly ReloadedApp[];
}

export interface ReloadedApp {
  readonly name: string;
  readonly folder: string;
  readonly outcome: "reloaded" | "unchanged" | "kept-old";
  /** Of "kept-old" none: the new version was given up, because the host stops, or because a newer one is there. */
  readonly problems: readonly Diagnostic[];
  /** Of "reloaded": from the change that was seen, or the request to reload, until the new version served, in ms. */
  readonly tookMs?: number;
}

/** Why a host did not start. Nothing is left running. */
export type StartFailure =
  | { readonly kind: "configuration"; readonly problems: readonly Diagnostic[] }
  | {
      readonly kind:
        | "address-in-use"
        | "address-not-allowed"
        | "address-not-found"
        | "instance-failed"
        | "no-data-folder"
        | "no-run-folder"
        | "no-sandbox"
        | "reply-socket-in-use";
      readonly message: string;
      readonly hint?: string;
    };

export type StartOutcome =
  | { readonly ok: true; readonly host: RunningHost; readonly warnings: readonly Diagnostic[] }
  /** `inputs`: files, absolute, whose change may mend it; none where the machine is at fault. */
  | { readonly ok: false; readonly failure: StartFailure; readonly inputs: readonly string[] };
