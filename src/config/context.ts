/** What is at hand while the keys of a service file become an app. */
import type { App } from "./app.ts";
import type { Standing } from "./machine.ts";
import type { Reading } from "./reading.ts";

export interface Context {
  /** The app's root, absolute. */
  readonly folder: string;
  /** The service file, absolute. */
  readonly file: string;
  /** What will confine the app: as the host was told, else as the file says. */
  readonly sandbox: App["sandbox"];
  /** It has a root filesystem of its own, in a container. What is on this machine then says nothing of what is in there. */
  readonly ownRoot: boolean;
  readonly standing: Standing;
  readonly reading: Reading;
}
