/**
 * A process that mounts, by mount(2) itself. mount(8) does the same; to start that takes 2 ms, more than everything else when an app is
 * given to a container that was started ahead. It runs where the mounts are to be, reads lists of them, a line of JSON each,
 * answers each with a line, and ends with its input.
 */
import { dlopen, FFIType, read } from "bun:ffi";
import { writeSync } from "node:fs";
import type { MountLine } from "./mounts.ts";

export interface MountAnswer {
  /** Absent: all is mounted. */
  readonly error?: string;
}

/** mount(2); sys/mount.h */
const flags: Readonly<Record<string, number>> = { ro: 1, nosuid: 2, nodev: 4, bind: 4096, rbind: 4096 | 16384 };
const remount = 32;
/** Flags of a mount itself, which a bind takes in a second step. */
const ownFlags = 1 | 2 | 4;
const bindFlag = 4096;
/** glibc's, and musl's. */
const libraries = ["libc.so.6", "libc.so"];

const { mount, __errno_location: errnoLocation } = openLibrary();

function openLibrary(): { mount: (...words: unknown[]) => number; __errno_location: () => number } {
  for (const name of libraries) {
    try {
      const { symbols } = dlopen(name, {
        mount: { args: [FFIType.ptr, FFIType.ptr, FFIType.ptr, FFIType.u64, FFIType.ptr], returns: FFIType.i32 },
        __errno_location: { args: [], returns: FFIType.ptr },
      });
      return symbols as unknown as ReturnType<typeof openLibrary>;
    } catch {
      // The other one, then.
    }
  }
  throw new Error("no C library can be opened");
}

function mountLine({ source, target, options }: MountLine): void {
  const wanted = options.reduce((sum, option) => sum | (flags[option] ?? 0), 0);
  call(source, target, wanted & ~ownFlags);
  if ((wanted & ownFlags) !== 0) call("none", target, (wanted & ownFlags) | bindFlag | remount);
}

function call(source: string, target: string, wanted: number): void {
  const [from, to] = [source, target].map((path) => Buffer.from(`${path}\0`));
  if (mount(from, to, null, wanted, null) === 0) return;
  throw new Error(`cannot mount ${source} at ${target}: error ${read.i32(errnoLocation(), 0)} of mount(2)`);
}

function answer(line: string): MountAnswer {
  try {
    for (const each of JSON.parse(line) as readonly MountLine[]) mountLine(each);
    return {};
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

for await (const line of console) writeSync(1, `${JSON.stringify(answer(line))}\n`);
