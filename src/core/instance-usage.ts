/** Of the instance's control groups and network, as far as they tell it here. */
export interface InstanceUsage {
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
