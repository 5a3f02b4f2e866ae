/**
 * A service file after it was checked: every default filled in, every path absolute, every duration in milliseconds
 * and size in bytes. The rest of the program reads this and never the file.
 */
import type { Place } from "../core/diagnostic.ts";

/** HTTP methods that an operation may have (OpenAPI's path item fields). */
export const methods = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"] as const;
export type Method = (typeof methods)[number];

/** `[name, value]`, in the order of the file; a later one of the same name wins. */
export type EnvironmentEntry = readonly [name: string, value: string];

export interface App {
  /** An RFC 1035 label. Default: the folder's name. */
  readonly name: string;
  /** The app's root, absolute. */
  readonly folder: string;
  /** The service file, absolute. */
  readonly file: string;
  /** The OpenAPI document, absolute. */
  readonly openapi?: string;
  /** Prefix of every path: "" or "/v1", never with a trailing slash. */
  readonly base: string;
  /** Virtual hosts, lower case, without a port; empty: any. */
  readonly hosts: readonly string[];
  /** The reply socket's configured path, absolute (`socket`, `socketpath`). Default: none, only the instance's own. */
  readonly socket?: string;
  readonly limits: Limits;
  readonly scale: Scale;
  /** What confines its instances. Default "process". */
  readonly sandbox: "process" | "container";
  /** What an instance in a container reaches. Default "open". */
  readonly network: NetworkMode;
  /** Of a container: a root filesystem of the app's own, absolute. Default: the host's /usr and the like, read-only. */
  readonly rootfs?: string;
  /** Whether the app has a folder that outlives its instances: UROCKET_APP_DATA, /data in a container. Default false. */
  readonly data: boolean;
  /** When an instance that serves well is replaced all the same. Default: never. */
  readonly recycle: Recycle;
  readonly balance: "least-requests" | "round-robin";
  /** Environment of everything in the app; an operation's program has it in its own already. */
  readonly env: readonly EnvironmentEntry[];
  /** Deadline of an operation or a line that has none of its own, in ms. Default 30 s. */
  readonly timeoutMs: number;
  /** Names of the app's secrets; each is a file's name. */
  readonly secrets: readonly string[];
  /** A file whose exports serve the operations of the contract that are named so: `functions:`. */
  readonly functions?: FunctionsFile;
  /** The app's own HTTP daemon. Operations with no other handler are its, and without a contract every path below `base`. */
  readonly service?: Service;
  /** Those of the service file; what `functions` serves joins them when its exports are known. */
  readonly operations: readonly AppOperation[];
  readonly listeners: readonly Listener[];
}

/** "open": the outside, and the bridge; "internal": only what listens on the bridge, and the app's other instances; "none": nothing. */
export type NetworkMode = "open" | "internal" | "none";

/** An HTTP/1.1 daemon that the instance runs, and that the gateway proxies to. */
export interface Service {
  /** The command, split into words, with `{{port}}` and `{{host}}` in them as written. */
  readonly argv: readonly [string, ...string[]];
  /** Working directory, absolute. Default: the app's folder. */
  readonly wd: string;
  /** The app's environment and the service's own, in that order. PORT and HOST come on top. */
  readonly env: readonly EnvironmentEntry[];
  /** Where it listens in a container. In a process sandbox it is told a free port of the loopback. Default 8080. */
  readonly port: number;
  readonly health: Health;
  /** From its start until it is ready, in ms. Default 30 s. */
  readonly startTimeoutMs: number;
  /** From a request's arrival until the reply's head, in ms: the service's `timeout`, else the app's, else 30 s. */
  readonly timeoutMs: number;
  /** A reply or a WebSocket on which neither side says anything for so long is ended, in ms. Default 5 minutes. */
  readonly idleMs: number;
  /** Where in the service file it stands. */
  readonly place: Place;
}

export interface Health {
  /** With its leading slash. Absent: it is well while its port accepts connections. */
  readonly path?: string;
  /** Between two looks at a ready one, in ms. Default 10 s. */
  readonly everyMs: number;
  /** For one answer, in ms. Default 2 s. */
  readonly timeoutMs: number;
  /** So many failures in a row, and the instance is replaced. Default 3. */
  readonly failuresMax: number;
}

export interface FunctionsFile {
  /** Absolute. */
  readonly file: string;
  /** Where in the service file it stands. */
  readonly place: Place;
}

/** `undefined` means: not for that reason. */
export interface Recycle {
  readonly ageMs?: number;
  /** Requests, and lines, that it has served. */
  readonly requests?: number;
  readonly memoryBytes?: number;
}

/** `undefined` means: not limited. Memory, CPU and processes are an instance's, the body is a request's. */
export interface Limits {
  readonly memoryBytesMax?: number;
  /** CPUs' worth of time: 0.5 is half of one. */
  readonly cpuMax?: number;
  readonly pidsMax?: number;
  /** Of a container's private /tmp, which is memory. Default 64 MiB. */
  readonly tmpBytesMax: number;
  /** Default 10 MiB. */
  readonly bodyBytesMax: number;
}

export interface Scale {
  /** Instances kept. Default 0. */
  readonly min: number;
  /** Instances at the most. Default 4. */
  readonly max: number;
  /** Programs of the app that run at once; functions, or requests to its daemon, at once in each instance. Default 32; of a service 1024. */
  readonly concurrency: number;
  /** Exchanges that wait beyond these. Default 256. */
  readonly queue: number;
  /** Default 5 minutes. */
  readonly idleMs: number;
}

/** One (path, verb) with what serves it. */
export type AppOperation = ProgramOperation | FunctionOperation | ServiceOperation;

/** What operations of every kind have. */
export interface OperationTerms {
  /** With a leading slash, `{templates}` as in the contract, without the app's base. */
  readonly path: string;
  readonly method: Method;
  /** Of the whole exchange: the operation's, else the app's, else 30 s. */
  readonly timeoutMs: number;
  /** Default (undefined): validated where the contract has the operation. */
  readonly validateIn?: boolean;
  /** Default false. */
  readonly validateOut: boolean;
  /** Where in the service file the operation's verb stands; of one that `functions` serves, that key. */
  readonly place: Place;
  /** Where `validate-in` and `validate-out` stand, if they do. */
  readonly validateInPlace?: Place;
  readonly validateOutPlace?: Place;
}

export interface ProgramOperation extends OperationTerms {
  readonly kind: "program";
  readonly inject: Inject;
  /** The reply's path on the reply socket, with `{req_id}` in it: "/uri/{req_id}". */
  readonly replyPath: string;
  readonly logStdout: "always" | "never" | "header";
}

export interface FunctionOperation extends OperationTerms {
  readonly kind: "function";
  readonly function: FunctionReference;
}

/** The app's daemon serves it. */
export interface ServiceOperation extends OperationTerms {
  readonly kind: "service";
}

/** An export of a source file: `src/pets.ts#addPet`. */
export interface FunctionReference {
  /** Absolute. */
  readonly file: string;
  /** "default" is an object with a `fetch` method (the Fetch-handler convention), or a function like any other. */
  readonly export: string;
  /** False: the service file names the file alone. Then an export called as the operation's operationId goes before the default one. */
  readonly named: boolean;
  /** Where in the service file it stands. */
  readonly place: Place;
}

/** A TCP or unix socket on which a function answers lines. */
export interface Listener {
  /** What names it in logs and on the link: "tcp:1234", "tcp:[::1]:1234", "unix:/run/fib.sock". */
  readonly name: string;
  readonly at: { readonly kind: "tcp"; readonly address: string; readonly port: number } | { readonly kind: "unix"; readonly path: string };
  readonly framing: "lines";
  readonly function: FunctionReference;
  /** Of one line: from when it came until its answer, in ms. The listener's, else the app's, else 30 s. */
  readonly timeoutMs: number;
  /** A connection that is silent for so long is closed, in ms. Default 5 minutes. */
  readonly idleMs: number;
  /** Bytes of a line without its end. Default 64 KiB. */
  readonly lineBytesMax: number;
  /** Default 1024. */
  readonly connectionsMax: number;
  readonly place: Place;
}

/** A program that is started for every request. */
export interface Inject {
  /** Working directory, absolute. */
  readonly wd: string;
  /** The app's environment and the operation's own, in that order. */
  readonly env: readonly EnvironmentEntry[];
  /** The command, split into words; the first is the executable as written. */
  readonly argv: readonly [string, ...string[]];
  readonly channel: "cmdline" | "stdin";
  readonly encoding: "json" | "raw";
  /** Run as this user of the system. */
  readonly user?: string;
}
