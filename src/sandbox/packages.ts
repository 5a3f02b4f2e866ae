/** What the distributions call the packages of what the host needs, and the command that brings them. */
import { findSystemTool } from "../config/surroundings.ts";

/** Its name for each package manager. */
export interface Package {
  readonly apt: string;
  readonly dnf: string;
  readonly apk: string;
}

export const packages = {
  runtime: { apt: "crun", dnf: "crun", apk: "crun" },
  /** It runs wherever an ordinary user may run containers at all. */
  runtimeOfUser: { apt: "runc", dnf: "runc", apk: "runc" },
  init: { apt: "tini", dnf: "catatonit", apk: "tini-static" },
  mount: { apt: "util-linux mount", dnf: "util-linux", apk: "util-linux util-linux-misc mount" },
  /** With unshare and nsenter. */
  namespaces: { apt: "util-linux", dnf: "util-linux", apk: "util-linux util-linux-misc" },
  ip: { apt: "iproute2", dnf: "iproute", apk: "iproute2" },
  nft: { apt: "nftables", dnf: "nftables", apk: "nftables" },
} as const satisfies Record<string, Package>;

/** The command that installs packages on this machine; all three where its package manager is not known. */
export function installCommand(wanted: readonly Package[]): string {
  const command = (tool: keyof Package, words: string): string => `${words} ${[...new Set(wanted.map((each) => each[tool]))].join(" ")}`;
  const all = [
    ["apt-get", command("apt", "apt-get install")],
    ["dnf", command("dnf", "dnf install")],
    ["apk", command("apk", "apk add")],
  ] as const;
  const here = all.find(([tool]) => findSystemTool(tool) !== undefined);
  return here?.[1] ?? all.map(([, words]) => words).join(", or ");
}
