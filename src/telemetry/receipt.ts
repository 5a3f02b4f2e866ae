/**
 * What is recorded of an exchange. Made once, when it is over, from what the gateway and the runner measured; the log,
 * `Server-Timing` and later metrics and traces all read it.
 */
export interface Receipt {
  /** X-Request-Id: the client's own or ours. */
  readonly requestId: string;
  /** REQUEST_ID: what the program answered by. The same, unless the client brought its own. */
  readonly exchangeId: string;
  readonly app?: string;
  /** "GET /pets/{petId}"; absent when nothing matched. */
  readonly operation?: string;
  readonly operationId?: string;
  readonly instance?: string;
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly client?: string;
  /** What the client got; 499 when it left first. */
  readonly status: number;
  /** The kind of problem that urocket answered, as in X-Urocket-Error. */
  readonly error?: string;
  /** What exactly happened, for the log. */
  readonly detail?: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Milliseconds from the request's arrival to the end of the response. */
  readonly totalMs: number;
  /** Waiting for a place. */
  readonly queueMs?: number;
  readonly program?: ProgramReceipt;
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
  readonly outputBytesDropped: number;
}

/** A line that a program wrote. */
export interface OutputLine {
  readonly requestId: string;
  readonly exchangeId: string;
  readonly app: string;
  readonly operation: string;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  readonly cut: boolean;
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
  host(event: HostEvent): void;
}
