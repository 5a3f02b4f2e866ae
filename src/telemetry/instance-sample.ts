/** What an instance is and uses at a moment, for `ps`, `top` and the line that tells of its end. */

/** Of the instance's control groups and network, as far as they tell it here. */
export interface InstanceUse {
  /** Without page cache that was not read again. */
  readonly memoryBytes?: number;
  readonly memoryPeakBytes?: number;
  readonly cpuMs?: number;
  /** Time in which its CPU limit kept it from running; two processors at once count twice. */
  readonly throttledMs?: number;
  /** Processes and threads. */
  readonly pids?: number;
  readonly networkBytesIn?: number;
  readonly networkBytesOut?: number;
  /** Processes that the kernel killed for want of memory. */
  readonly oomKills?: number;
  /** Processes and threads that its pids limit refused. */
  readonly pidsRefused?: number;
}

export interface InstanceSample extends InstanceUse {
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
export function endFields(use: InstanceUse): Readonly<Record<string, number>> {
  const { cpuMs, throttledMs, memoryPeakBytes, networkBytesIn, networkBytesOut, oomKills, pidsRefused } = use;
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
