/**
 * Names of what is made in the kernel for an instance. They carry the host's pid and start time, so that what a killed host
 * left behind is known as such, and never taken for a living host's or somebody else's.
 */
import { processStart } from "./process-figures.ts";

/** "urocket-<host's pid>-<its start in ticks since boot>-<instance>" */
export function groupName(instance: string): string {
  return `urocket-${process.pid}-${processStart(process.pid) ?? 0}-${instance}`;
}

/** Whether a name is one of ours and its host is gone: no process of that pid and start time. */
export function isAbandoned(name: string): boolean {
  const parts = /^urocket-(\d+)-(\d+)-/.exec(name);
  return parts !== null && processStart(Number(parts[1])) !== Number(parts[2]);
}
