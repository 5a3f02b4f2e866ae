/** Pipes of the kernel's (pipe(7)), which neither Bun nor Node makes: by calls into libc. */
import { dlopen, ptr } from "bun:ffi";
import { chmodSync, closeSync, constants, openSync } from "node:fs";

export interface Pipe {
  /** Does not block. */
  readonly reader: number;
  readonly writer: number;
}

/** fcntl.h: no program inherits it unless it is given to it. */
const closeOnExec = 0o2000000;
const libc = "libc.so.6";

/**
 * Both ends of one without a name, in less than a run of mkfifo takes; the caller closes them. Undefined: there is no libc to
 * ask, or no descriptor is left.
 */
export function makePipe(): Pipe | undefined {
  const ends = new Int32Array(2);
  try {
    const { symbols } = dlopen(libc, { pipe2: { args: ["ptr", "i32"], returns: "i32" } });
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

/**
 * One with a name, mode 666 (fifo(7)), for where there is no mkfifo to run.
 * @throws Error when the kernel refuses, or there is no libc to ask.
 */
export function makeNamedPipe(path: string): void {
  const { symbols } = dlopen(libc, { mkfifo: { args: ["ptr", "u32"], returns: "i32" } });
  if (symbols.mkfifo(ptr(Buffer.from(`${path}\0`)), 0o600) !== 0) throw new Error(`Cannot make the pipe "${path}"`);
  chmodSync(path, 0o666);
}
