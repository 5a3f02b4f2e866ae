/**
 * What the gateway needs of whatever runs operations: a way to hand an exchange over and to hear of it. Pools provide
 * it; the gateway knows neither instances nor links.
 */
import type { ProgramReceipt } from "../telemetry/receipt.ts";

export interface Dispatch {
  /** Hands an exchange to an instance. Everything that becomes of it is told to the sink, never thrown. */
  open(request: DispatchRequest, payload: Uint8Array, sink: DispatchSink): OpenExchange;
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
}

/** The gateway's side of an exchange that was handed over. Calls come in this order, each at most once but `data`; `ended` comes always and last. */
export interface DispatchSink {
  /** The instance that took it, told before anything else. */
  taken(instance: string): void;
  reply(reply: DispatchReply, body: Uint8Array, last: boolean): void;
  data(chunk: Uint8Array, last: boolean): void;
  /** There is no reply, or no more of it. `ended` follows. */
  failed(reason: FailureReason, detail: string, /** For the log alone. */ advice?: string): void;
  /** A line that the program wrote. May come at any time before `ended`. */
  output(stream: "stdout" | "stderr", text: string, cut: boolean): void;
  /** Nothing of the exchange is left on the instance. Without a receipt when the instance was lost or none took it. */
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
  | "runner-died"
  | "no-instance";

export interface OpenExchange {
  /** The gateway has passed so many bytes of the reply on. */
  consumed(bytes: number): void;
  /** Tells the program what became of its reply, where a verdict was awaited: 200, or 422 with the reasons. */
  verdict(status: 200 | 422, reasons?: Uint8Array): void;
  /** Ends the exchange on the instance. `ended` follows when its processes are gone. */
  reset(reason: "deadline" | "client-left" | "shutdown" | "reply-refused"): void;
}
