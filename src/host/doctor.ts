/**
 * What `urocket doctor` looks at: everything that apps may need of this machine, and what hosts that were killed have left on it.
 * Nothing is changed by looking.
 */
import { runtimeFolders } from "../config/surroundings.ts";
import { examineContainers } from "../sandbox/container-examine.ts";
import { describeLeftovers, sweepContainers } from "../sandbox/container-leftovers.ts";
import type { Finding } from "../sandbox/finding.ts";
import { describeAbandonedGroups, sweepGroups } from "../sandbox/group-leftovers.ts";
import { examineLimits } from "../sandbox/limits-examine.ts";
import { examineNetwork } from "../sandbox/network-examine.ts";
import { describeNetworkLeftovers, sweepNetworks } from "../sandbox/network-leftovers.ts";
import { examineHost, type HostFacts } from "./examine-host.ts";
import { abandonedRunFolders, sweepRunFolders } from "./run-folder.ts";

export type { Finding } from "../sandbox/finding.ts";

export type DoctorFacts = Omit<HostFacts, "runFolders">;

/** Everything that was looked at, what matters to every app first. */
export async function examine(facts: DoctorFacts): Promise<readonly Finding[]> {
  const parts = await Promise.all([
    whatever("host", () => examineHost({ ...facts, runFolders: runtimeFolders() })),
    whatever("limits", examineLimits),
    whatever("containers", examineContainers),
    whatever("network", examineNetwork),
  ]);
  return parts.flat();
}

/** A look that fails on a machine unlike all others is a finding, too. */
async function whatever(what: string, look: () => readonly Finding[] | Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    const detail = `cannot be looked at: ${error instanceof Error ? error.message : String(error)}`;
    return [{ what, state: "limited", detail, fix: "Please report this with the line above" }];
  }
}

/** What hosts that were killed have left, each as a word or two: "control group /sys/fs/cgroup/…". */
export async function leftovers(): Promise<readonly string[]> {
  const network = await describeNetworkLeftovers();
  const folders = abandonedRunFolders(runtimeFolders()).map((folder) => `run folder ${folder}`);
  return [...describeLeftovers(), ...network, ...describeAbandonedGroups(), ...folders];
}

/**
 * Removes it, in the order in which a host does when it starts. What belongs to a host that runs, or to anybody else, stays.
 * @returns what was left and is gone.
 */
export async function clean(): Promise<readonly string[]> {
  const before = await leftovers();
  sweepContainers();
  await sweepNetworks();
  await sweepGroups();
  sweepRunFolders(runtimeFolders());
  const after = new Set(await leftovers());
  return before.filter((what) => !after.has(what));
}
