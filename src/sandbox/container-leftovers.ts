/**
 * What a host that was killed left of its containers. Their mounts went with the host, their folders go with its run folder, and
 * each ends by itself when its link does; what does not (it never looks, say) is ended by the next host. All of it carries its host's
 * pid and start time, and nothing else is touched.
 */
import { readdirSync, readFileSync } from "node:fs";
import { isAbandoned } from "./group-names.ts";
import { endProcess } from "./instance-groups.ts";

/** Of the environment of every process that a container starts with. */
const mark = "UROCKET_CONTAINER=";
const environmentBytesMax = 64 * 1024;

interface Leftover {
  /** Of the container: its host's pid and start time, and the instance. */
  readonly name: string;
  readonly pids: readonly number[];
}

/** Containers whose host is no more, as words. */
export function describeLeftovers(): string[] {
  return leftovers().map(({ name, pids }) => `container ${name} of a host that is gone, with ${pids.length} processes`);
}

/** Ends them. Their control groups are swept as all others (group-leftovers.ts). */
export function sweepContainers(): void {
  for (const pid of leftovers().flatMap(({ pids }) => pids)) endProcess(pid);
}

function leftovers(): Leftover[] {
  const found = new Map<string, number[]>();
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    const name = Number.isInteger(pid) ? containerOf(pid) : undefined;
    if (name === undefined || !isAbandoned(name)) continue;
    found.set(name, [...(found.get(name) ?? []), pid]);
  }
  return [...found].map(([name, pids]) => ({ name, pids }));
}

/** Whether a process was started in a container, and in which. */
function containerOf(pid: number): string | undefined {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`).subarray(0, environmentBytesMax).toString("latin1");
    const variable = environment.split("\0").find((text) => text.startsWith(mark));
    return variable?.slice(mark.length);
  } catch {
    // Gone, or somebody else's, who then is no container of ours either.
    return undefined;
  }
}
