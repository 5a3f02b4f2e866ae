/**
 * What the gateway needs of whatever runs operations: a way to hand an exchange over and to hear of it. Pools provide
 * it; the gateway knows neither instances nor links.
 */
import type { LimitName } from "../core/limit-name.ts";
import type { ProgramReceipt } from "../telemetry/receipt.ts";

export interface Dispatch {
  /** Hands an exchange to an instance. Everything that becomes of it is told to the sink, never thrown. */
  open(request: DispatchRequest, payload: Uint8Array, sink: DispatchSink): OpenExchange;
  /**
   * Calls a function. As `open`, but its body may go on after it: by `write` of what is returned.
   * @param last whether `body` is all of it.
   */
  call(call: DispatchCall, body: Uint8Array, last: boolean, sink: DispatchSink): OpenCall;
  /** Whether a call's function reads its request's body in the form that it came in, as a Fetch handler does. */
  isFetch(call: number): boolean;
  /** Hands a client of a listener to an instance. */
  connect(connection: DispatchConnection, sink: ConnectionSink): OpenConnection;
  /**
   * Finds an instance whose daemon takes a request, now or when one has room.
   * @param avoid instances that have just failed on this request: one is taken only when there is no other after a while.
   */
  place(sink: PlaceSink, avoid?: readonly string[]): OpenPlace;
}

/** One of both, once; `lost` only after `placed`. */
export interface PlaceSink {
  placed(place: ServicePlace): void;
  failed(reason: FailureReason, detail: string, advice?: string): void;
  /** The instance is gone while the place was held. It counts as released. @param limit of the instance's that it ran into. */
  lost(detail: string, limit?: LimitName): void;
}

export interface OpenPlace {
  /** Gives it up before it was found. Nothing is told any more. */
  withdraw(): void;
}

/** A request's place at an instance's daemon. */
export interface ServicePlace {
  readonly instance: string;
  /** The same object for every place at this instance: connections are kept by it. */
  readonly upstream: Upstream;
  /** Once. */
  release(outcome: PlaceOutcome): void;
  /** As that of an exchange. */
  strain?(sinceMs: number): string | undefined;
  /** The limit that the instance ran into since then (`performance.now()`), for a daemon that fails. */
  reachedLimit?(sinceMs: number): ReachedLimit | undefined;
}

/**
 * What a request says of its daemon. "failed": it did not answer as it should; "silent": nor did it say anything in its time. Some of
 * both in a row, and it is out of rotation for a while; where the last was silence it is asked for any sign of life. "untold": nothing,
 * for its client left, or had not sent all of it, or the host could not reach anybody.
 */
export type PlaceOutcome = "sound" | "failed" | "silent" | "untold";

export interface ReachedLimit {
  readonly limit: LimitName;
  /** "the app's instance reached limits.memory of 64 MiB" */
  readonly words: string;
}

/** How an instance's daemon is reached. */
export interface Upstream {
  readonly instance: string;
  /** Absent: it has no address that the host reaches; only `connect` does. */
  readonly address?: { readonly host: string; readonly port: number };
  /** Opens a connection to the daemon's port over the link. Bytes go both ways as they are. */
  connect(sink: ConnectionSink): OpenConnection;
  /** Set by whoever keeps connections to it: called when its instance ends, before the daemon is told to. */
  onEnding?: (() => void) | undefined;
}

/** As the link's `CallHead`, which tells more of each. */
export interface DispatchCall {
  /** Position in the app's calls. */
  readonly call: number;
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly host: string;
  readonly proto?: "https" | undefined;
  readonly headers: readonly string[];
  readonly params?: Readonly<Record<string, unknown>> | undefined;
  readonly queryValues?: Readonly<Record<string, unknown>> | undefined;
  readonly headerValues?: Readonly<Record<string, unknown>> | undefined;
  readonly body?: "json" | "bytes" | undefined;
  readonly deadline: number;
  readonly client?: string | undefined;
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

export interface OpenCall extends OpenExchange {
  /** More of the request's body. False: wait for the sink's `writable`. Nothing is written after `last`. */
  write(chunk: Uint8Array, last: boolean): boolean;
}

export interface DispatchConnection {
  /** Position in the app's listeners. */
  readonly listener: number;
  readonly id: string;
  readonly client?: string;
  readonly timeoutMs: number;
}

/** Calls come in this order: `taken`, `data` in any number, then `closed`, always and last. `writable` at any time between. */
export interface ConnectionSink {
  taken(instance: string): void;
  /** Answers, each with its newline. `last`: none follows. */
  data(chunk: Uint8Array, last: boolean): void;
  /** A `write` that returned false has gone. */
  writable(): void;
  output(line: DispatchOutput): void;
  /** Nothing of it is left on the instance. With what went wrong, where something did. */
  closed(failure?: { readonly reason: FailureReason; readonly detail: string; readonly advice?: string }): void;
}

export interface OpenConnection {
  /** Whole lines, each with its "\n". False: wait for `writable`. `last`: the client has half-closed. */
  write(lines: Uint8Array, last: boolean): boolean;
  /** The gateway has passed so many bytes of the answers on. */
  consumed(bytes: number): void;
  /** Ends it on the instance. `closed` follows. */
  reset(reason: "deadline" | "client-left" | "shutdown"): void;
}

/** A line that a program wrote (stdout, stderr), or that a function logged. */
export interface DispatchOutput {
  readonly stream: "stdout" | "stderr" | "log";
  readonly level?: "debug" | "info" | "warn" | "error";
  readonly text: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly cut: boolean;
}

export interface DispatchRequest {
  /** Key of the app's handler: "GET /pets". */
  readonly operation: string;
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly contentType?: string;
  readonly contentLength?: number;
  readonly parameters: Readonly<Record<string, string>>;
  /** Unix time in ms. */
  readonly deadline: number;
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly logStdout: boolean;
  readonly awaitVerdict: boolean;
}

export interface DispatchReply {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** Milliseconds that the instance measured until this reply. */
  readonly waitMs: number;
  readonly spawnMs: number;
  readonly runMs: number;
  /** How long the body will be, where not all of it is there and that is known. Whoever tells it has counted. */
  readonly bodyBytes?: number;
  /** Of a function: what it noted on its span. */
  readonly span?: SpanNotes;
}

export interface SpanNotes {
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
  readonly events?: readonly { readonly name: string; readonly atMs: number }[];
}

/** The gateway's side of an exchange that was handed over. Calls come in this order, each at most once but `data`; `ended` comes always and last. */
export interface DispatchSink {
  /** The instance that took it, told before anything else. */
  taken(instance: string): void;
  reply(reply: DispatchReply, body: Uint8Array, last: boolean): void;
  data(chunk: Uint8Array, last: boolean): void;
  /**
   * There is no reply, or no more of it. `ended` follows.
   * @param advice for the log alone.
   * @param limit of the instance's that it ran into: `detail` has it in words.
   */
  failed(reason: FailureReason, detail: string, advice?: string, limit?: LimitName): void;
  /** A `write` of an open call that returned false has gone. */
  writable(): void;
  /** May come at any time before `ended`. */
  output(line: DispatchOutput): void;
  /** Nothing of the exchange is left on the instance. Without a receipt: a function's, or the instance was lost, or none took it. */
  ended(receipt: ProgramReceipt | undefined): void;
}

export type FailureReason =
  | "no-reply"
  | "spawn-failed"
  | "argument-too-large"
  | "bad-reply"
  | "bad-request"
  | "reply-aborted"
  | "overloaded"
  | "function-failed"
  | "runner-died"
  | "no-instance";

export interface OpenExchange {
  /** The gateway has passed so many bytes of the reply on. */
  consumed(bytes: number): void;
  /** Tells the program what became of its reply, where a verdict was awaited: 200, or 422 with the reasons. */
  verdict(status: 200 | 422, reasons?: Uint8Array): void;
  /** Ends the exchange on the instance. `ended` follows when its processes are gone. */
  reset(reason: "deadline" | "client-left" | "shutdown" | "reply-refused"): void;
  /**
   * What kept the instance from working since then (`performance.now()`), where something did, for a deadline's words: "limits.cpu of
   * 0.5 held the app's instance back for 4200 ms of that".
   */
  strain?(sinceMs: number): string | undefined;
}
