/** Who answers the lines of a listener: one revision of an app. Replaced by reference when the app is reloaded. */
import type { Listener } from "../config/app.ts";
import type { Log } from "../telemetry/receipt.ts";
import type { Dispatch } from "./dispatch.ts";

export interface LineTarget {
  /** The app's name. */
  readonly app: string;
  /** Its limits hold; its address is the open listener's. */
  readonly listener: Listener;
  /** Its position among the app's listeners. */
  readonly position: number;
  readonly dispatch: Dispatch;
  readonly log: Log;
}
