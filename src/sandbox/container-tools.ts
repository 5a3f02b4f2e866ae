/** The programs of the system that containers are made with, and how to get those that are missing. */
import { findSystemTool } from "../config/surroundings.ts";
import type { MountTools } from "./mount-namespace.ts";
import { findRuntime, type OciRuntime, type RuntimeName } from "./oci-runtime.ts";
import { readElf } from "./elf.ts";
import { installCommand, type Package, packages } from "./packages.ts";
import { SandboxFailure } from "./sandbox-failure.ts";

/** PID 1 of a container: it passes signals on and reaps what is orphaned. */
export interface Init {
  readonly file: string;
  /** Between it and the command. */
  readonly words: readonly string[];
  /** It needs nothing of the root filesystem. */
  readonly isStatic: boolean;
}

/** With it tini tells at its end how its child ended. */
const tiniWords = ["-v", "--"];

/** The best first: those that are linked statically run in any root filesystem. */
const inits: readonly { readonly name: string; readonly words: readonly string[] }[] = [
  { name: "tini-static", words: tiniWords },
  { name: "docker-init", words: tiniWords },
  { name: "catatonit", words: ["--"] },
  { name: "tini", words: tiniWords },
  { name: "dumb-init", words: ["--single-child", "--"] },
];

export interface ContainerTools {
  readonly runtime: OciRuntime;
  readonly init: Init;
  /** Absent: an ordinary user, who cannot use them. */
  readonly mount?: MountTools;
}

export function findInit(): Init | undefined {
  for (const { name, words } of inits) {
    const file = findSystemTool(name);
    if (file === undefined) continue;
    const elf = readElf(file);
    return { file, words, isStatic: elf.elf && elf.interpreter === undefined };
  }
  return undefined;
}

export function findMountTools(): { readonly found?: MountTools; readonly missing: readonly string[] } {
  const names = ["unshare", "nsenter", "mount", "umount"] as const;
  const [unshare, nsenter, mount, umount] = names.map((name) => findSystemTool(name));
  const missing = names.filter((name) => findSystemTool(name) === undefined);
  if (unshare === undefined || nsenter === undefined || mount === undefined || umount === undefined) return { missing };
  return { found: { unshare, nsenter, mount, umount }, missing };
}

/**
 * All that containers need.
 * @param only this runtime.
 * @throws SandboxFailure that names what is missing, all at once, and the command that brings it.
 */
export async function findContainerTools(isRoot: boolean, only?: RuntimeName): Promise<ContainerTools> {
  const [runtime, init, mount] = [await findRuntime(isRoot, only), findInit(), findMountTools()];
  const missing: string[] = [];
  const wanted: Package[] = [];
  if (runtime.found === undefined) {
    missing.push(`an OCI runtime (${only ?? "crun or runc"}${runtime.unfit.map((reason) => `; ${reason}`).join("")})`);
    wanted.push(isRoot ? packages.runtime : packages.runtimeOfUser);
  }
  if (init === undefined) {
    missing.push(`an init for PID 1 (${inits.map(({ name }) => name).join(", ")})`);
    wanted.push(packages.init);
  }
  if (isRoot && mount.found === undefined) {
    missing.push(mount.missing.join(", "));
    wanted.push(packages.mount);
  }
  if (runtime.found === undefined || init === undefined || missing.length > 0) {
    throw new SandboxFailure(
      `Cannot run apps in containers: this machine lacks ${missing.join(" and ")}`,
      `Install it: ${installCommand(wanted)}; or use --sandbox process. "urocket doctor" tells all that it finds`,
    );
  }
  return { runtime: runtime.found, init, ...(isRoot && mount.found !== undefined ? { mount: mount.found } : {}) };
}
