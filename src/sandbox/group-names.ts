/**
 * Whose a control group, container, network namespace, link, bridge or nftables table is. Each carries the mark of the host that made
 * it: pid and start time, and where the host has a pid namespace of its own, that too, because there a pid says nothing to others.
 * Only what carries the mark of a host that is provably gone is ever removed by another.
 */
import { readlinkSync } from "node:fs";
import { processStart } from "./process-figures.ts";

/** PROC_PID_INIT_INO of the kernel's include/linux/proc_ns.h: the machine's own pid namespace. */
const firstPidNamespace = "4026531836";

/** Letters, digits and "-" only: it is a file name, and an nftables chain's. */
const grammar = /^urocket-(\d+)-(\d+)(?:-p(\d+))?(?:-|$)/;

/** "urocket-4711-123456": this process's mark, with its start in ticks since boot. */
export function ownerMark(): string {
  const space = pidNamespace();
  return `urocket-${process.pid}-${processStart(process.pid) ?? 0}${space === firstPidNamespace ? "" : `-p${space}`}`;
}

/** Of what is made for an instance. */
export function groupName(instance: string): string {
  return `${ownerMark()}-${instance}`;
}

/** Whether a name or alias carries the mark of a host of this pid namespace that is no more. */
export function isAbandoned(name: string): boolean {
  const mark = grammar.exec(name);
  if (mark === null || (mark[3] ?? firstPidNamespace) !== pidNamespace()) return false;
  return processStart(Number(mark[1])) !== Number(mark[2]);
}

function pidNamespace(): string {
  return /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "";
}
