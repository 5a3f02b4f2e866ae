/**
 * What the host and a runner say to each other over the link (docs/link-protocol.md). These are the heads of frames:
 * small JSON objects; bodies travel as bytes beside them.
 */
import type { LimitName } from "../core/limit-name.ts";

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
  /** Where the kernel does not hold the memory limit: a program that has more, with all it started, is ended by the runner. */
  readonly memoryWatchedBytesMax?: number;
  /** The runner is under the memory limit together with what it starts: the kernel is to kill that first. */
  readonly runnerLimited?: boolean;
  /** What the programs and functions inherit of the host's environment: PATH, LANG, TZ where set. */
  readonly environment: Readonly<Record<string, string>>;
  /** Absent: the app has none. */
  readonly functions?: FunctionsSpec;
  /** Absent: the app has none. */
  readonly service?: ServiceSpec;
}

/** The app's daemon: started when the instance is loaded, which is `loaded` when the daemon is ready. Its end is the instance's. */
export interface ServiceSpec {
  readonly argv: readonly [string, ...string[]];
  readonly wd: string;
  readonly env: readonly (readonly [string, string])[];
  /** What it should listen on: HOST. */
  readonly host: string;
  /** Where it is looked for, and has to answer: an address of the instance that others reach too. */
  readonly reach: string;
  /** PORT. Absent: the runner finds a free one. */
  readonly port?: number;
  readonly health: { readonly path?: string; readonly everyMs: number; readonly timeoutMs: number; readonly failuresMax: number };
  readonly startTimeoutMs: number;
  /** From TERM to KILL when the instance ends. */
  readonly graceMs: number;
}

/** What an instance needs to serve its app's functions and listeners. */
export interface FunctionsSpec {
  /** What the runner imports: the app's functions in one file (src/build). Its default export is a list of modules. */
  readonly bundle: string;
  /** Working directory of the functions: the app's folder. */
  readonly folder: string;
  /** The app's environment, added to `environment`. */
  readonly env: readonly (readonly [string, string])[];
  /** A folder with a file for each secret of the app: UROCKET_SECRETS. */
  readonly secrets?: string;
  /** What a `call` names by its position. */
  readonly calls: readonly FunctionSpec[];
  /** What a `connect` names by its position. */
  readonly listeners: readonly FunctionSpec[];
  /** Calls that may be open at once. */
  readonly callsMax: number;
}

export interface FunctionSpec {
  /** "GET /pets", or the listener's name: what log lines say. */
  readonly operation: string;
  /** Position in the bundle's list of modules. */
  readonly module: number;
  readonly export: string;
  /** Its source, for people: "src/pets.ts". */
  readonly file?: string;
  /** Media types of the contract by status ("200", "2XX", "default"): how a string or a value is written. Absent: no contract. */
  readonly mediaTypes?: Readonly<Record<string, string>>;
}

/** A failure's message goes on "its instance …": "cannot make the reply socket /x: a live host has it", or, with a stack, "cannot load its functions: …". */
export type LoadedHead =
  | {
      readonly ok: true;
      /** Positions of the calls whose function is a Fetch handler: it reads bodies in the form they come in. Absent: none. */
      readonly fetches?: readonly number[];
      /** Where the daemon listens. Absent: there is none. */
      readonly servicePort?: number;
    }
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

/**
 * Host → runner: a function is called. The request's body is the frame's body and the `data` that follows. Answered by `reply`
 * (and `data`), whose end is the end of the exchange: no `receipt` follows it. A `reset` of either side ends it too.
 */
export interface CallHead {
  /** Position in the load's `calls`. */
  readonly call: number;
  /** X-Request-Id of the response. */
  readonly id: string;
  readonly method: string;
  /** As the client sent them; the query without "?". */
  readonly path: string;
  readonly query: string;
  /** What the client asked for, for the URL of a web-standard Request; trusted proxies may say so in the Host header's place. */
  readonly host: string;
  /** "https": the client spoke TLS, with a trusted proxy. Absent: it did not. */
  readonly proto?: "https" | undefined;
  /** All end-to-end headers: name in lower case, value, name, value, … in the order of the request. */
  readonly headers: readonly string[];
  /** Typed by the contract, or text without one. Absent: nothing of the kind. */
  readonly params?: Readonly<Record<string, unknown>> | undefined;
  readonly queryValues?: Readonly<Record<string, unknown>> | undefined;
  /** Declared headers as the contract types them; names in lower case. */
  readonly headerValues?: Readonly<Record<string, unknown>> | undefined;
  /** "json": the body is whole, and JSON (whatever form it came in); "bytes": as it came. Absent: there is none. */
  readonly body?: "json" | "bytes" | undefined;
  /** Unix time in ms. */
  readonly deadline: number;
  readonly client?: string | undefined;
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

/**
 * Host → runner: a client has connected to a listener. `data` of the host holds whole lines, each with its "\n"; `data` of the
 * runner the answers, each with its "\n", in order. `end` from the host: no line follows (the client's half-close); `end` from
 * the runner: no answer follows. `reset` of either side ends it at once. Windows as for bodies. Without `listener` it is a
 * connection to the daemon's port: the runner's first `data` has no bytes and tells that the daemon has taken it, `end`
 * half-closes it on its side, and it is over when both sides have ended.
 */
export interface ConnectHead {
  /** Position in the load's `listeners`. Absent: a connection to the daemon's port, whose bytes go both ways as they are. */
  readonly listener?: number;
  readonly id: string;
  readonly client?: string;
  /** For one line, from when it came, in ms: `ctx.deadline`. The host enforces it. */
  readonly timeoutMs: number;
}

/**
 * Runner → host, for exchange 0, when so many calls that the host gave up have not ended by themselves: the instance should be
 * replaced. Told at each change.
 */
export interface AbandonedHead {
  readonly calls: number;
}

/** Host → runner, for exchange 0: no exchange follows. */
export interface DrainHead {
  /** None is open either: end all that runs, tell its last lines, and close the link. Absent: those that are open go on. */
  readonly stop?: boolean;
}

/**
 * Runner → host, for exchange 0: how the daemon is, at each change. "failing": it did not answer so many looks in a row as its health
 * says; "well": it answers again. "ended": it is gone, and the instance ends with it.
 */
export interface HealthHead {
  readonly state: "well" | "failing" | "ended";
  /** Of "ended": the limit that ended it, where the runner knows it. */
  readonly limit?: LimitName;
  /** "GET /healthz answered 500", "exited with status 1". */
  readonly detail?: string;
  /** Of "ended", for the log alone: the last lines that it wrote. */
  readonly lastWords?: string;
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
  /** Of a function whose reply goes on in `data` frames: how long its body will be, where it is known. */
  readonly bodyBytes?: number;
  /** Of a function: what it noted on its span. At most 32 attributes and 32 events. */
  readonly span?: SpanNotes;
}

export interface SpanNotes {
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
  readonly events?: readonly { readonly name: string; readonly atMs: number }[];
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
  /** The program ended by a signal, or with a status that is not 0: it may have run into a limit. */
  readonly badExit?: true;
  /** The limit that ended it, where the runner knows. */
  readonly limit?: LimitName;
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
  // a function threw: 500
  | "function-failed"
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
  /** The limit that ended it, or something of its tree. */
  readonly limit?: LimitName;
  readonly outputBytesDropped: number;
}

/** Runner → host: a line that a program wrote, or a function logged. The body is the line. */
export interface LogHead {
  /** Absent: outside of any exchange, while the functions' modules were loaded, say. */
  readonly id?: string;
  readonly operation?: string;
  /** "log": `ctx.log` or `console.*` of a function. */
  readonly stream: "stdout" | "stderr" | "log";
  /** Of "log". */
  readonly level?: "debug" | "info" | "warn" | "error";
  /** Of "log": what `ctx.log` was given beside the message. */
  readonly fields?: Readonly<Record<string, unknown>>;
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
