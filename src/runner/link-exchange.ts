/** What is under way on a runner's link under a number of its own: a program's exchange, a function's call, a client of a listener. */
import type { ResetHead } from "../link/messages.ts";

/** What the host may say of it after it was opened. */
export interface LinkExchange {
  /** More of its body. @param end nothing follows. */
  data(bytes: Uint8Array, end: boolean): void;
  /** The host has consumed so many bytes more of what was sent. */
  granted(bytes: number): void;
  /** The host has given it up. */
  reset(head: ResetHead): void;
  /** The host has judged the reply. */
  verdict(status: number, reasons: Uint8Array): void;
}
