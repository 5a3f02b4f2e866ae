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
  readonly balance: "least-requests" | "round-robin";
  readonly operations: readonly AppOperation[];
}

/** `undefined` means: not limited. Memory, CPU and processes are an instance's, the body is a request's. */
export interface Limits {
  readonly memoryBytesMax?: number;
  /** CPUs' worth of time: 0.5 is half of one. */
  readonly cpuMax?: number;
  readonly pidsMax?: number;
  /** Default 10 MiB. */
  readonly bodyBytesMax: number;
}

export interface Scale {
  /** Instances kept. Default 0. */
  readonly min: number;
  /** Instances at the most. Default 4. */
  readonly max: number;
  /** Exchanges that run at once. Default 32. */
  readonly concurrency: number;
  /** Exchanges that wait beyond these. Default 256. */
  readonly queue: number;
  /** Default 5 minutes. */
  readonly idleMs: number;
}

/** One (path, verb) of the service file with its handler. */
export interface AppOperation {
  /** With a leading slash, `{templates}` as in the contract, without the app's base. */
  readonly path: string;
  readonly method: Method;
  readonly inject: Inject;
  /** The reply's path on the reply socket, with `{req_id}` in it: "/uri/{req_id}". */
  readonly replyPath: string;
  readonly logStdout: "always" | "never" | "header";
  /** Default (undefined): validated where the contract has the operation. */
  readonly validateIn?: boolean;
  /** Default false. */
  readonly validateOut: boolean;
  /** Where in the service file the operation's verb stands. */
  readonly place: Place;
  /** Where `validate-in` and `validate-out` stand, if they do. */
  readonly validateInPlace?: Place;
  readonly validateOutPlace?: Place;
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
  /** Of the whole exchange: the operation's, else the app's, else 30 s. */
  readonly timeoutMs: number;
  /** Run as this user of the system. */
  readonly user?: string;
}
