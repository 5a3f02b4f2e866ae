/**
 * A network namespace of the bench's own, in which bridges, firewall rules and load never touch the machine's network: the bench runs
 * itself anew in one.
 */
import { statSync } from "node:fs";

/** Holds the inode of the namespace that was made for this run. */
const variable = "UROCKET_OWN_NETWORK";

/** Arguments: the tool `ip`, then what to run. */
const inside = `"$0" link set lo up && exec env ${variable}=$(stat -L -c %i /proc/self/ns/net) "$@"`;

export function isInOwnNetwork(): boolean {
  return process.env[variable] === String(statSync("/proc/self/ns/net").ino);
}

/** What keeps this machine, or this user, from making one; undefined: nothing. */
export function findNetworkLack(): string | undefined {
  if (process.getuid?.() !== 0) return "it needs root";
  const missing = ["unshare", "ip", "stat"].filter((tool) => findTool(tool) === null);
  return missing.length === 0 ? undefined : `it needs ${missing.join(", ")}`;
}

/** Also where PATH has no folders of system tools. */
export function findTool(name: string): string | null {
  return Bun.which(name, { PATH: `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin` });
}

/** Runs this program with its arguments in one, to its end. @returns its exit code. */
export async function runInOwnNetwork(): Promise<number> {
  const [unshare, ip] = [findTool("unshare") ?? "unshare", findTool("ip") ?? "ip"];
  const argv = [unshare, "--net", "sh", "-c", inside, ip, process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = Bun.spawn(argv, { stdio: ["inherit", "inherit", "inherit"] });
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  // A terminal sends it to both.
  process.on("SIGINT", () => undefined);
  return child.exited;
}
