/** What an instance and the work that is under way on it know of each other. */
import type { Channel } from "../link/channel.ts";
import type { LimitName } from "../core/limit-name.ts";
import type { Frame } from "../link/frames.ts";
import type { LimitWatch } from "./limit-watch.ts";
import type { HostReset } from "./work.ts";

/** Work under way on an instance: an exchange with a program, a call, a listener's client; or a connection to its daemon. */
export interface RunnerWork {
  readonly number: number;
  readonly kind: "program" | "call" | "connection" | "upstream";
  /** A frame of the runner. What it throws ends the link: a runner that speaks out of turn is not to be understood halfway. */
  frame(frame: Frame): void;
  /** A `log` frame of the runner. */
  output(frame: Frame): void;
  /** The instance is gone. @param limit that it ran into: `detail` has it in words. */
  lost(detail: string, limit?: LimitName): void;
}

/** The instance, as its work sees it. */
export interface WorkHost {
  readonly channel: Channel;
  /** UUID */
  readonly id: string;
  readonly limits: LimitWatch;
  /** Nothing of it is left on the instance. @param sound whether the instance did what it should: what counts for its ejection. */
  over(work: RunnerWork, sound: boolean): void;
  /** The host ended the work: the instance must show that it lives, and soon where the work was past its deadline. */
  givenUp(reason: HostReset): void;
  /** A connection has begun, or stopped, to wait for answers. */
  busier(by: 1 | -1): void;
  /** A connection has given so many lines. */
  lines(count: number): void;
}
