/** What an instance is and uses at a moment, for `ps`, `top` and the line that tells of its end. */
import type { InstanceUsage } from "../core/instance-usage.ts";

export interface InstanceSample extends InstanceUsage {
  readonly app: string;
  /** UUID */
  readonly instance: string;
  readonly sandbox: "process" | "container";
  readonly state: "starting" | "ready" | "frozen" | "unresponsive" | "draining" | "stopped";
  /** The runner's, as the host sees it. */
  readonly pid?: number;
  readonly ageMs: number;
  /** Requests and connections that it has now. */
  readonly open: number;
  /** And those that it was given. */
  readonly served: number;
}

/** Fields of the line that tells of an instance's end: what is meaningless when nothing runs any more, and zeros of rare things, are left out. */
export function endFields(usage: InstanceUsage): Readonly<Record<string, number>> {
  const { cpuMs, throttledMs, memoryPeakBytes, networkBytesIn, networkBytesOut, oomKills, pidsRefused } = usage;
  const all = {
    cpuMs: rounded(cpuMs),
    throttledMs: rounded(throttledMs) || undefined,
    memoryPeakBytes,
    networkBytesIn,
    networkBytesOut,
    oomKills: oomKills || undefined,
    pidsRefused: pidsRefused || undefined,
  };
  return Object.fromEntries(Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms);
}
