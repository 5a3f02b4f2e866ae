/**
 * The life of an exchange inside the runner, as one pure function. An exchange has two sides that end independently:
 * the reply, which the host waits for, and the program, which may outlive its reply or leave others behind. A state
 * names both; what has to be done on the way from one state to the next is `exchange.ts`'s.
 */
import type { ReceiptHead } from "../link/messages.ts";

/** Why a program's tree is ended: `silent` is the runner's own finding, the others are the host's word. */
export type EndCause = "deadline" | "client-left" | "shutdown" | "reply-refused" | "silent";

/** Whether the program itself, without what it left behind, still runs. */
export type ProgramLife = "alive" | "exited";

export type ExchangeState =
  /** Waits for a place. */
  | { readonly phase: "waiting" }
  /** Its program was started and has not replied. Exited: what it may have written before is being looked for. */
  | { readonly phase: "running"; readonly program: ProgramLife }
  /** The reply's head went to the host, its body is coming. */
  | { readonly phase: "replying"; readonly program: ProgramLife }
  /** The whole reply is with the host, which has yet to say whether it takes it. */
  | { readonly phase: "judging"; readonly program: ProgramLife }
  /** Nothing more is expected. Exited: some of its tree lives on, until the deadline. */
  | { readonly phase: "replied"; readonly program: ProgramLife }
  /** Its tree is being ended. */
  | { readonly phase: "ending"; readonly program: ProgramLife; readonly cause: EndCause; readonly ended: ProgramLife }
  /** Nothing of it is left. */
  | { readonly phase: "ended" };

export type ExchangeEvent =
  | { readonly type: "started" }
  /** It could not be started, or must not be. */
  | { readonly type: "refused" }
  | { readonly type: "reply-began" }
  | { readonly type: "reply-complete"; readonly awaitVerdict: boolean }
  /** The program closed its connection before the reply's end. */
  | { readonly type: "reply-aborted" }
  | { readonly type: "verdict" }
  | { readonly type: "exited" }
  /** It exited, and no reply of it is under way. */
  | { readonly type: "silent" }
  | { readonly type: "stopped"; readonly cause: EndCause }
  /** No process of its tree is left. */
  | { readonly type: "tree-gone" };

export const waiting: ExchangeState = { phase: "waiting" };
const ended: ExchangeState = { phase: "ended" };
// One object per state that has no other content: a state is made for each step of each request.
const steps = {
  running: { alive: { phase: "running", program: "alive" }, exited: { phase: "running", program: "exited" } },
  replying: { alive: { phase: "replying", program: "alive" }, exited: { phase: "replying", program: "exited" } },
  judging: { alive: { phase: "judging", program: "alive" }, exited: { phase: "judging", program: "exited" } },
  replied: { alive: { phase: "replied", program: "alive" }, exited: { phase: "replied", program: "exited" } },
} as const satisfies Record<string, Record<ProgramLife, ExchangeState>>;

/** The state after an event. An event that means nothing in a state (a late verdict, a second exit) leaves it as it is: the same object. */
export function transition(state: ExchangeState, event: ExchangeEvent): ExchangeState {
  switch (state.phase) {
    case "waiting":
      if (event.type === "started") return steps.running.alive;
      return event.type === "refused" || event.type === "stopped" ? ended : state;
    case "running":
      if (event.type === "reply-began") return steps.replying[state.program];
      if (event.type === "silent" && state.program === "exited") return ending(state.program, "silent");
      return alongProgram(state, event, "running");
    case "replying":
      if (event.type === "reply-complete") return event.awaitVerdict ? steps.judging[state.program] : steps.replied[state.program];
      // A verdict before the reply's end: so much of it came that it is refused already.
      if (event.type === "reply-aborted" || event.type === "verdict") return steps.replied[state.program];
      return alongProgram(state, event, "replying");
    case "judging":
      if (event.type === "verdict") return steps.replied[state.program];
      return alongProgram(state, event, "judging");
    case "replied":
      if (event.type === "tree-gone" && state.program === "exited") return ended;
      return alongProgram(state, event, "replied");
    case "ending":
      if (event.type === "exited") return { ...state, program: "exited" };
      return event.type === "tree-gone" && state.program === "exited" ? ended : state;
    case "ended":
      return state;
  }
}

function alongProgram(
  state: Extract<ExchangeState, { program: ProgramLife }>,
  event: ExchangeEvent,
  phase: keyof typeof steps,
): ExchangeState {
  if (event.type === "exited" && state.program === "alive") return steps[phase].exited;
  return event.type === "stopped" ? ending(state.program, event.cause) : state;
}

function ending(program: ProgramLife, cause: EndCause): ExchangeState {
  return { phase: "ending", program, cause, ended: program };
}

/** Signals that the kernel itself sends to a program that did what it may not. */
const kernelSignals = new Set(["SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGSYS", "SIGTRAP", "SIGXCPU", "SIGXFSZ", "SIGKILL"]);

/**
 * What a receipt says of how a program ended.
 * @param last the state before the end.
 * @param forced whether processes had to be ended.
 */
export function endedBy(last: ExchangeState, forced: boolean, signal: string | undefined): ReceiptHead["endedBy"] {
  if (last.phase === "ending" && last.ended === "alive" && last.cause !== "silent") return last.cause;
  if (forced) return "leftover";
  return signal !== undefined && kernelSignals.has(signal) ? "kernel" : "itself";
}
