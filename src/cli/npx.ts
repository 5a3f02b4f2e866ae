/**
 * npx does not hand signals on: it ends the shell between itself and us, and we would serve on, an orphan on the user's
 * port. So a command that npx started takes its parent's end for a TERM.
 */

import type { Environment } from "../config/settings.ts";

/** How often the parent is looked at. */
const lookEveryMs = 200;

/** Calls `left` once when this process was started by npx and its parent has ended. Disposing stops the looking. */
export function watchNpx(environment: Environment, left: () => void): Disposable {
  const byNpx = environment["npm_command"] === "exec" && environment["npm_lifecycle_event"] === "npx";
  if (!byNpx) return { [Symbol.dispose]: () => {} };
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    left();
  }, lookEveryMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
