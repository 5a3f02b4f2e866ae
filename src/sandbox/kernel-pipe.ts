/**
 * A pipe of the kernel's (pipe(7)), which neither Bun nor Node makes: by a call into libc. A named pipe would take a run of mkfifo, which
 * costs a cold start several milliseconds, and is not everywhere.
 */
import { dlopen, ptr } from "bun:ffi";
import { closeSync, constants, openSync } from "node:fs";

export interface Pipe {
  /** Does not block. */
  readonly reader: number;
  readonly writer: number;
}

/** fcntl.h: no program inherits it unless it is given to it. */
const closeOnExec = 0o2000000;

/** Both ends; the caller closes them. Undefined: there is no libc to ask, or no descriptor is left. */
export function makePipe(): Pipe | undefined {
  const ends = new Int32Array(2);
  try {
    const { symbols } = dlopen("libc.so.6", { pipe2: { args: ["ptr", "i32"], returns: "i32" } });
    if (symbols.pipe2(ptr(ends), closeOnExec) !== 0) return undefined;
  } catch {
    return undefined;
  }
  const [reading = 0, writer = 0] = ends;
  try {
    // Opened anew, because whether reading blocks is a matter of the opening, and the writer's is to block.
    return { reader: openSync(`/proc/self/fd/${reading}`, constants.O_RDONLY | constants.O_NONBLOCK), writer };
  } catch {
    closeSync(writer);
    return undefined;
  } finally {
    closeSync(reading);
  }
}
