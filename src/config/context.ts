/** What is at hand while the keys of a service file become an app. */
import type { Standing } from "./machine.ts";
import type { Reading } from "./reading.ts";

export interface Context {
  /** The app's root, absolute. */
  readonly folder: string;
  /** The service file, absolute. */
  readonly file: string;
  readonly standing: Standing;
  readonly reading: Reading;
}
