/**
 * Programs of the system that tests start and npm cannot bring. On a developer's machine a test whose tool is missing
 * is skipped, aloud; where CI=true it fails, so that a green run there has run everything.
 */
import { test } from "bun:test";
import { statSync } from "node:fs";

/** Debian's package for each tool. scripts/setup-tools.sh installs all of them. */
export const packageOf = {
  curl: "curl",
  php: "php-cli",
  "php-curl": "php-curl",
  perl: "perl",
  python3: "python3",
  gcc: "gcc",
  nc: "netcat-openbsd",
  ps: "procps",
  make: "make",
  zsh: "zsh",
  fish: "fish",
  chromium: "chromium",
  runc: "runc",
  crun: "crun",
  tini: "tini",
  nft: "nftables",
  ip: "iproute2",
  ping: "iputils-ping",
  unshare: "util-linux",
  busybox: "busybox-static",
  newuidmap: "uidmap",
} as const;

export type SystemTool = keyof typeof packageOf;

const systemTools = Object.keys(packageOf) as readonly SystemTool[];

/** The one command that installs them all. */
export const installCommand = "sudo npm run setup-tools";

function isPresent(tool: SystemTool): boolean {
  if (tool !== "php-curl") return Bun.which(tool) !== null;
  if (Bun.which("php") === null) return false;
  return Bun.spawnSync(["php", "-r", "exit(extension_loaded('curl') ? 0 : 1);"]).success;
}

/** Those of the tools that this machine lacks. Default: of all. */
export function findMissingTools(tools: readonly SystemTool[] = systemTools): SystemTool[] {
  return tools.filter((tool) => !isPresent(tool));
}

/**
 * A `test` for what needs these tools: `requireTool("php", "php-curl")("answers through libcurl", async () => …)`.
 * With all of them there it is bun's own `test`. Otherwise it skips, saying what is missing, or throws under CI=true.
 */
export function requireTool(...tools: readonly [SystemTool, ...SystemTool[]]): typeof test {
  const missing = findMissingTools(tools);
  if (missing.length === 0) return test;
  if (process.env["CI"] !== "true") return skipped(`needs ${missing.join(", ")}`);
  // Failing at load fails the file, and its message says what to do.
  throw new Error(`Cannot find ${missing.join(", ")}, which this test needs: install with "${installCommand}"`);
}

/** A `test` for what only some machines or users can do; on others it skips, saying what it needs: "root". */
export function requireThat(holds: boolean, needs: string): typeof test {
  return holds ? test : skipped(`needs ${needs}`);
}

/** A `test` for what only root can do. */
export const requireRoot = requireThat(process.getuid?.() === 0, "root");

/** A network namespace that `npm test` made for this run: what is done to the network here touches nobody. */
const inOwnNetwork = process.env["UROCKET_OWN_NETWORK"] === String(statSync("/proc/self/ns/net").ino);

/**
 * A `test` for what needs containers with their network: root, the tools, and a network namespace of the run's own, which
 * `npm test -- FILE` makes and `bun test FILE` does not.
 */
export function requireContainers(...tools: readonly SystemTool[]): typeof test {
  if (process.getuid?.() !== 0) return skipped("needs root");
  if (!inOwnNetwork && process.env["CI"] !== "true") return skipped("needs a network namespace of its own: run it by npm test");
  if (!inOwnNetwork) throw new Error("This test needs a network namespace of its own: run it by npm test");
  return requireTool("runc", "crun", "tini", "nft", "ip", ...tools);
}

/** `test.skip` whose names end with the reason; those of tables (`each`) keep their own. */
function skipped(reason: string): typeof test {
  return new Proxy(test.skip, {
    apply: (skip, _self, [name, ...rest]: Parameters<typeof test.skip>) => skip(`${String(name)} (${reason})`, ...rest),
  });
}
