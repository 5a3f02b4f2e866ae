/**
 * What the host and a runner say to each other over the link (docs/link-protocol.md). These are the heads of frames:
 * small JSON objects; bodies travel as bytes beside them.
 */

/** Runner → host, first frame: who it is. */
export interface HelloHead {
  /** The instance's secret from its environment, so that nothing else can pose as it. */
  readonly token: string;
  readonly instance: string;
  /** Of urocket: the host takes only its own. */
  readonly version: string;
}

/** Host → runner: what to serve. Answered by `loaded`. */
export interface LoadHead {
  readonly app: string;
  readonly instance: string;
  /** The instance's own reply socket; the runner makes it, 0600. */
  readonly replySocket: string;
  /** The app's configured reply socket path; one instance at a time gets it. */
  readonly sharedReplySocket?: string;
  /** It belongs to the revision before of this same host, which is being retired: take it over though it is alive. */
  readonly takesOverReplySocket?: boolean;
  /** Reply sockets of the app's instances lie at `<siblings>/<instance>/reply.sock`, for handing on a reply that reached the wrong one. */
  readonly siblings: string;
  /** Handlers by operation key ("GET /pets"). */
  readonly programs: Readonly<Record<string, ProgramSpec>>;
  /** Programs that may run at once, replied or not. */
  readonly programsMax: number;
  /** From TERM to KILL. */
  readonly graceMs: number;
  /** Where memory is accounted per program; absent: the host may not make control groups. */
  readonly memorySlots?: { readonly version: 1 | 2; readonly folder: string };
  /** What the programs inherit of the host's environment: PATH, LANG, TZ where set. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A failure's message goes on "its instance …": "cannot make the reply socket /x: a live host has it". */
export type LoadedHead =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly message: string;
      /** The configured reply socket belongs to another live host. */ readonly code?: "reply-socket-in-use";
    };

/** How to start the program of an operation. */
export interface ProgramSpec {
  readonly argv: readonly [string, ...string[]];
  readonly wd: string;
  readonly env: readonly (readonly [string, string])[];
  readonly channel: "cmdline" | "stdin";
  readonly user?: string;
  /** With `{req_id}`. */
  readonly replyPath: string;
}

/** Host → runner: an exchange. Its payload is the frame's body and the `data` that follows. */
export interface RequestHead {
  readonly operation: string;
  /** REQUEST_ID: names the exchange on the reply socket; random, so that it cannot be guessed. */
  readonly id: string;
  readonly method: string;
  /** URIPATH: the path as the client sent it. */
  readonly path: string;
  readonly query: string;
  readonly contentType?: string;
  readonly contentLength?: number;
  /** Decoded path parameters. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Unix time in ms. The host ends the exchange with `reset`; programs are told it. */
  readonly deadline: number;
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** Whether stdout lines are sent as `log`. */
  readonly logStdout: boolean;
  /** The host will say by `verdict` whether the reply is taken; until then the program's POST waits for its answer. */
  readonly awaitVerdict: boolean;
}

/** Runner → host: the program's reply. Its body is the frame's body and the `data` that follows. */
export interface ReplyHead {
  readonly status: number;
  /** End-to-end headers, names in lower case. `content-type` is absent when the operation's declared one is meant. */
  readonly headers: readonly (readonly [string, string])[];
  /** As in the receipt, as far as they are known now. */
  readonly waitMs: number;
  readonly spawnMs: number;
  readonly runMs: number;
}

/** Host → runner, after a reply for which a verdict is awaited: 200 taken, 422 refused with the reasons as problem+json. */
export interface VerdictHead {
  readonly status: 200 | 422;
}

/** Either side ends an exchange. */
export interface ResetHead {
  readonly reason: ResetReason;
  /** For clients: what happened, naming the program and the value. */
  readonly detail?: string;
  /** For the log alone: paths of the machine, and what to do. Goes on after `detail` and a colon. */
  readonly advice?: string;
}
export type ResetReason =
  // from the host
  | "deadline"
  | "client-left"
  | "shutdown"
  | "reply-refused"
  // from the runner
  | "no-reply"
  | "spawn-failed"
  | "argument-too-large"
  | "bad-reply"
  | "reply-aborted"
  | "overloaded"
  // the request holds what cannot reach a program: a NUL byte, or bytes that are not UTF-8 for an argument
  | "bad-request";

/** Runner → host: the last frame of an exchange that was started, when its process tree is gone. */
export interface ReceiptHead {
  /** Milliseconds: waiting in the runner for a place; fork and exec; until the reply's head; the reply's transfer; until the program's end. */
  readonly waitMs: number;
  readonly spawnMs: number;
  readonly runMs: number;
  readonly replyMs: number;
  readonly totalMs: number;
  readonly cpuUserMs: number;
  readonly cpuSystemMs: number;
  readonly memoryPeakBytes?: number;
  /** Where the peak comes from: a control group of its own, /proc while it ran, or the kernel's figure that is only an upper bound. */
  readonly memorySource?: "cgroup" | "sampled" | "at-most";
  readonly exitCode?: number;
  readonly signal?: string;
  readonly endedBy: "itself" | "deadline" | "client-left" | "shutdown" | "reply-refused" | "kernel" | "leftover";
  readonly outputBytesDropped: number;
}

/** Runner → host: a line that a program wrote. The body is the line. */
export interface LogHead {
  readonly id: string;
  readonly operation: string;
  readonly stream: "stdout" | "stderr";
  /** The line was cut at 16 KiB. */
  readonly cut?: boolean;
}

/** Either side: the receiver of a body has consumed so many bytes more. */
export interface WindowHead {
  readonly bytes: number;
}

/**
 * Runner → host, about each second while some program has run for longer than one: what it uses now (ready for `top`).
 * Once more after the last has ended, without any.
 */
export interface SampleHead {
  readonly programs: readonly ProgramSample[];
}
export interface ProgramSample {
  readonly id: string;
  readonly operation: string;
  readonly pid: number;
  readonly ageMs: number;
  readonly residentBytes: number;
  readonly cpuMs: number;
  /** CPUs' worth of time since the last sample. */
  readonly cpuNow: number;
  readonly processes: number;
}
