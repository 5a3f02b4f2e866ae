/** How many descriptors this process may have open (RLIMIT_NOFILE, getrlimit(2)): clients must leave some for everything else. */
import { readFileSync } from "node:fs";

/** Undefined: no limit, or none that can be read. */
export function openFilesMax(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)\s/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
