/**
 * What a pool does for whoever hands it work: program exchanges, calls of functions, clients of listeners, and places at daemons.
 * As the gateway's ports, without knowing the gateway.
 */
import type { LimitName } from "../core/limit-name.ts";
import type { ReceiptHead, ReplyHead, ResetHead } from "../link/messages.ts";

type RunnerFailure = Exclude<ResetHead["reason"], HostReset>;
/** Why there is no reply, or no more of it. */
export type WorkFailure = RunnerFailure | "runner-died" | "no-instance";
/** Why the host ends work. */
export type HostReset = "deadline" | "client-left" | "shutdown" | "reply-refused";

/** A line that a program wrote, or a function logged. */
export interface WorkOutput {
  readonly stream: "stdout" | "stderr" | "log";
  readonly level?: "debug" | "info" | "warn" | "error";
  readonly text: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  /** It was cut at 16 KiB. */
  readonly cut: boolean;
}

/** Who hears of an exchange with a program, or of a function's call. `ended` comes always and last. */
export interface ExchangeSink {
  taken(instance: string): void;
  reply(reply: ReplyHead, body: Uint8Array, last: boolean): void;
  data(chunk: Uint8Array, last: boolean): void;
  /** @param limit of the instance's that it ran into: `detail` has it in words. */
  failed(reason: WorkFailure, detail: string, advice?: string, limit?: LimitName): void;
  /** A `write` that returned false has gone. */
  writable(): void;
  output(line: WorkOutput): void;
  ended(receipt: ReceiptHead | undefined): void;
}

export interface ExchangeHandle {
  consumed(bytes: number): void;
  verdict(status: 200 | 422, reasons?: Uint8Array): void;
  reset(reason: HostReset): void;
  /** What kept the instance from working since then (`performance.now()`), for people: "limits.cpu of 0.5 held …". */
  strain(sinceMs: number): string | undefined;
}

export interface CallHandle extends ExchangeHandle {
  /** More of the request's body. False: nothing may be written before the sink's `writable`. */
  write(chunk: Uint8Array, last: boolean): boolean;
}

/** Who hears of a listener's client. `closed` comes always and last. */
export interface ConnectionSink {
  taken(instance: string): void;
  data(chunk: Uint8Array, last: boolean): void;
  writable(): void;
  output(line: WorkOutput): void;
  closed(failure?: ConnectionFailure): void;
}

export interface ConnectionFailure {
  readonly reason: WorkFailure;
  readonly detail: string;
  readonly advice?: string;
}

export interface ConnectionHandle {
  /** Whole lines. False: nothing may be written before the sink's `writable`. */
  write(lines: Uint8Array, last: boolean): boolean;
  consumed(bytes: number): void;
  reset(reason: Exclude<HostReset, "reply-refused">): void;
}

/** Who hears of a place at a daemon: one of `placed` and `failed`, once; `lost` only after `placed`. */
export interface PlaceSink {
  placed(place: ServicePlace): void;
  failed(reason: WorkFailure, detail: string, advice?: string): void;
  /** The instance is gone while the place was held. It counts as released. @param limit of the instance's that it ran into. */
  lost(detail: string, limit?: LimitName): void;
}

export interface PlaceHandle {
  /** Gives it up before it was found. Nothing is told any more. */
  withdraw(): void;
}

/** A request's place at an instance's daemon. */
export interface ServicePlace {
  readonly instance: string;
  /** The same object for every place at this instance. */
  readonly upstream: Upstream;
  /** Once. */
  release(outcome: PlaceOutcome): void;
  /** As that of an exchange. */
  strain(sinceMs: number): string | undefined;
  /** The limit that the instance ran into since then (`performance.now()`), for a daemon that fails. */
  reachedLimit(sinceMs: number): ReachedLimit | undefined;
}

/** "failed": the daemon did not answer as it should; "silent": nor did it say anything in time; "untold": nobody knows. */
export type PlaceOutcome = "sound" | "failed" | "silent" | "untold";

export interface ReachedLimit {
  readonly limit: LimitName;
  /** "the app's instance reached limits.memory of 64 MiB" */
  readonly words: string;
}

/** How an instance's daemon is reached. */
export interface Upstream {
  readonly instance: string;
  /** Absent: only `connect` reaches it. */
  readonly address?: { readonly host: string; readonly port: number };
  /** Opens a connection to the daemon's port over the link. */
  connect(sink: ConnectionSink): ConnectionHandle;
  /** Set by whoever keeps connections to it: called when its instance ends, before the daemon is told to. */
  onEnding?: (() => void) | undefined;
}
