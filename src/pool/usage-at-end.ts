/** What an instance has used, when it has ended. Pure. */
import type { InstanceUsage } from "../sandbox/sandbox.ts";

/** What only grows. A part of it is gone with the group of the program or daemon that it was counted for. */
const growing = [
  "memoryPeakBytes",
  "cpuMs",
  "throttledMs",
  "networkBytesIn",
  "networkBytesOut",
  "oomKills",
  "pidsRefused",
] as const satisfies readonly (keyof InstanceUsage)[];

/** @param seen while it ran. @param left what was still to be read at its end. */
export function usageAtEnd(seen: InstanceUsage, left: InstanceUsage): InstanceUsage {
  const most = growing.flatMap((name) => {
    const [before, after] = [seen[name], left[name]];
    return before === undefined && after === undefined ? [] : [[name, Math.max(before ?? 0, after ?? 0)] as const];
  });
  return { ...left, ...Object.fromEntries(most) };
}
