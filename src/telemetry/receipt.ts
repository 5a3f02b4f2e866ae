/**
 * What is recorded of an exchange. Made once, when it is over, from what the gateway and the runner measured; the log,
 * `Server-Timing` and later metrics and traces all read it.
 */
import type { LimitName } from "../core/limit-name.ts";

export interface Receipt {
  /** X-Request-Id: the client's own or ours. */
  readonly requestId: string;
  /** REQUEST_ID: what the program answered by. The same, unless the client brought its own. */
  readonly exchangeId: string;
  readonly app?: string | undefined;
  /** "GET /pets/{petId}"; absent when nothing matched. */
  readonly operation?: string | undefined;
  readonly operationId?: string | undefined;
  readonly instance?: string | undefined;
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly client?: string | undefined;
  /** What the client got; 499 when it left first. */
  readonly status: number;
  /** The kind of problem that urocket answered, as in X-Urocket-Error. */
  readonly error?: string | undefined;
  /** What exactly happened, for the log. */
  readonly detail?: string | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Milliseconds from the request's arrival to the end of the response. */
  readonly totalMs: number;
  /** Waiting for a place. */
  readonly queueMs?: number | undefined;
  readonly program?: ProgramReceipt | undefined;
  /** Of a function: from its call to its reply's head, in ms. */
  readonly functionMs?: number | undefined;
  /** Of a service: from its request's dispatch to the reply's head, in ms. */
  readonly serviceMs?: number | undefined;
  /** Of a service: instances that it was tried on, where more than one. */
  readonly attempts?: number | undefined;
  /** The limit that its program or instance ran into. */
  readonly limit?: LimitName | undefined;
  /** Of a function: what it noted on its span. */
  readonly span?:
    | {
        readonly attributes?: Readonly<Record<string, string | number | boolean>>;
        readonly events?: readonly { readonly name: string; readonly atMs: number }[];
      }
    | undefined;
}

export interface ProgramReceipt {
  readonly waitMs: number;
  readonly spawnMs: number;
  readonly runMs: number;
  readonly replyMs: number;
  readonly totalMs: number;
  readonly cpuUserMs: number;
  readonly cpuSystemMs: number;
  readonly memoryPeakBytes?: number;
  readonly memorySource?: "cgroup" | "sampled" | "at-most";
  readonly exitCode?: number;
  readonly signal?: string;
  readonly endedBy: string;
  /** The limit that ended it, or something of its tree. */
  readonly limit?: LimitName;
  readonly outputBytesDropped: number;
}

/** A line that a program wrote, or that a function logged. */
export interface OutputLine {
  /** Absent with `exchangeId` and `operation`: outside of any exchange, while the functions' modules were loaded, say. */
  readonly requestId?: string;
  readonly exchangeId?: string;
  readonly app: string;
  readonly operation?: string;
  /** Of a line outside of any exchange: an exchange's own line tells it. */
  readonly instance?: string;
  readonly stream: "stdout" | "stderr" | "log";
  /** Of "log": `ctx.log` or `console.*`. */
  readonly level?: "debug" | "info" | "warn" | "error";
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly cut: boolean;
}

/** A client of a listener, when it is gone. */
export interface ConnectionReceipt {
  readonly connectionId: string;
  readonly app: string;
  /** "tcp:1234" */
  readonly listener: string;
  readonly instance?: string;
  readonly client?: string;
  readonly lines: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly totalMs: number;
  /** Why it ended, where that was not the client's or the function's doing. */
  readonly detail?: string;
}

/** Something of the host itself: started, reloaded, an instance ended. */
export interface HostEvent {
  readonly level: "info" | "warn" | "error";
  readonly event: string;
  readonly message: string;
  readonly fields?: Readonly<Record<string, string | number | boolean>>;
}

/** Where events go. Never blocks, never throws; what cannot be written in time is counted. */
export interface Log {
  exchange(receipt: Receipt): void;
  output(line: OutputLine): void;
  connection(receipt: ConnectionReceipt): void;
  host(event: HostEvent): void;
}
