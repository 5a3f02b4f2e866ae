/** What all exchanges of a runner share. */
import type { Ticker } from "../core/ticker.ts";
import type { MemorySlots } from "../sandbox/memory-slots.ts";
import type { EndedExchanges } from "./ended-exchanges.ts";
import type { ReplyTarget } from "./reply-connection.ts";
import type { Gated, StartGate } from "./start-gate.ts";
import type { StdioPipes } from "./stdio-pipes.ts";

export interface RunnerParts {
  readonly gate: StartGate;
  readonly ticker: Ticker;
  readonly pipes: StdioPipes;
  /** Absent: control groups cannot be made. */
  readonly slots?: MemorySlots;
  /** The memory that a program may have, with all it started, where the kernel does not hold it. */
  readonly memoryWatchedBytesMax?: number;
  /** Programs are killed before the runner when memory runs out. */
  readonly runnerLimited?: boolean;
  /** Exchanges whose program was started, by their reply path. */
  readonly targets: Map<string, ReplyTarget>;
  readonly ended: EndedExchanges;
  readonly replies: { readonly hasUnattributed: boolean };
  /** From TERM to KILL. */
  readonly graceMs: number;
  /** The host ends an exchange at its deadline; the runner does so itself when so much more has passed. */
  readonly deadlineSlackMs: number;
  /** Nothing of an exchange is left. */
  over(exchange: Gated): void;
}
