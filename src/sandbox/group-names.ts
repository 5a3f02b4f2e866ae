/**
 * Whose a run folder, control group, container, network namespace, link, bridge or nftables table is. Each carries the mark of
 * the host that made it: pid and start time, and where the host has a pid namespace of its own, that too, because there a pid
 * says nothing to others. Only what carries the mark of a host that is provably gone is ever removed by another.
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
  const mark = readMark(name);
  return mark !== undefined && !lives(mark);
}

/** The pid of the host whose mark a name carries, if it is of this pid namespace and lives. */
export function livingOwner(name: string): number | undefined {
  const mark = readMark(name);
  return mark !== undefined && lives(mark) ? mark.pid : undefined;
}

interface Mark {
  readonly pid: number;
  readonly startTicks: number;
}

/** Undefined too for a mark of another pid namespace, of whose processes nothing is known here. */
function readMark(name: string): Mark | undefined {
  const [whole, pid, startTicks, space = firstPidNamespace] = grammar.exec(name) ?? [];
  return whole === undefined || space !== pidNamespace() ? undefined : { pid: Number(pid), startTicks: Number(startTicks) };
}

/** Another process may have got its number. */
const lives = ({ pid, startTicks }: Mark): boolean => processStart(pid) === startTicks;

function pidNamespace(): string {
  return /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "";
}
