/**
 * Network namespaces that a test makes for itself: a "machine", in which bridges, firewall rules and sysctls may be changed as one
 * likes, and if wanted an "outside" that it is connected to, and that knows no way back to what is behind the machine.
 * Needs root and the tool `ip`. Its names are unique; all is removed at the end, with the processes that were started in it.
 */
import { existsSync, readdirSync } from "node:fs";

/** Addresses of the line between machine and outside (RFC 5737, RFC 3849). */
export const machineAddress = "198.51.100.2";
export const outsideAddress = "198.51.100.1";
export const machineAddress6 = "2001:db8:0:1::2";
export const outsideAddress6 = "2001:db8:0:1::1";

export interface OwnNetwork extends AsyncDisposable {
  /** Of the namespace, as `ip netns` has it. */
  readonly name: string;
  /** Runs a command in it, and waits. @returns its stdout. @throws Error with its stderr when it fails. */
  run(argv: readonly string[], stdin?: string): string;
  /** Runs a command in it, and waits; for those that may fail. */
  attempt(argv: readonly string[], stdin?: string): { readonly ok: boolean; readonly stdout: string; readonly stderr: string };
  /** What to start to run a command in it. /sys/fs/cgroup and all mounts are the machine's real ones, /proc/sys/net is its own. */
  command(argv: readonly string[]): string[];
}

export interface Machine extends OwnNetwork {
  /** Of `makeMachine({ outside: true })`. */
  readonly outside: OwnNetwork;
}

let made = 0;

/** A namespace with its loopback up. With `outside`: and a second one, connected by "wan0", with a default route to it. */
export function makeMachine({ outside = false }: { readonly outside?: boolean } = {}): Machine {
  sweepOthers();
  const machine = makeNamespace("machine");
  // A new namespace has it from the real machine, which may forward for other containers.
  machine.run(["sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"]);
  if (!outside) return { ...machine, outside: absent };
  const world = makeNamespace("outside");
  // The machine's end has a number that the other has not: between equal ones the kernel takes a second to see that both are up.
  const lines = (own: string, own6: string): string =>
    `addr add ${own}/24 dev wan0\naddr add ${own6}/64 dev wan0 nodad\nlink set wan0 addrgenmode none up\n`;
  machine.run(
    ["ip", "-batch", "-"],
    `link add wan0 index 20 type veth peer name wan0 netns ${world.name}\n${lines(machineAddress, machineAddress6)}`,
  );
  world.run(["ip", "-batch", "-"], lines(outsideAddress, outsideAddress6));
  machine.run(["ip", "-batch", "-"], `route add default via ${outsideAddress}\nroute add ::/0 via ${outsideAddress6}\n`);
  return {
    ...machine,
    outside: world,
    async [Symbol.asyncDispose]() {
      await machine[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

/** One more namespace, with its loopback up and nothing else: for a line of one's own. */
export function makeNamespace(role: string): OwnNetwork {
  const name = `urockettest-${process.pid}-${made++}-${role}`;
  runHere(["ip", "netns", "add", name]);
  const command = (argv: readonly string[]): string[] => ["nsenter", `--net=/run/netns/${name}`, "--", ...argv];
  const network = {
    name,
    command,
    run: (argv: readonly string[], stdin?: string) => runHere(command(argv), stdin),
    attempt: (argv: readonly string[], stdin?: string) => attemptHere(command(argv), stdin),
    async [Symbol.asyncDispose]() {
      for (const pid of pidsIn(name)) endProcess(pid);
      runHere(["ip", "netns", "del", name]);
      await Promise.resolve();
    },
  };
  network.run(["ip", "link", "set", "lo", "up"]);
  return network;
}

/** A namespace by its name, made by somebody else: that of an instance. */
export function enterNamespace(path: string): Pick<OwnNetwork, "run" | "attempt" | "command"> {
  const command = (argv: readonly string[]): string[] => ["nsenter", `--net=${path}`, "--", ...argv];
  return {
    command,
    run: (argv, stdin) => runHere(command(argv), stdin),
    attempt: (argv, stdin) => attemptHere(command(argv), stdin),
  };
}

const absent: OwnNetwork = {
  name: "",
  run: () => refuse(),
  attempt: () => refuse(),
  command: () => refuse(),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

function refuse(): never {
  throw new Error("This machine was made without an outside");
}

/** Namespaces of test runs that were killed: no process has the pid in their name. */
function sweepOthers(): void {
  for (const name of existsSync("/run/netns") ? readdirSync("/run/netns") : []) {
    const pid = /^urockettest-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) attemptHere(["ip", "netns", "del", name]);
  }
}

function pidsIn(name: string): number[] {
  const { ok, stdout } = attemptHere(["ip", "netns", "pids", name]);
  return ok ? stdout.split("\n").filter(Boolean).map(Number) : [];
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function runHere(argv: readonly string[], stdin = ""): string {
  const { ok, stdout, stderr } = attemptHere(argv, stdin);
  if (!ok) throw new Error(`${argv.join(" ")}: ${stderr.trim() || stdout.trim() || "failed"}`);
  return stdout;
}

function attemptHere(argv: readonly string[], stdin = ""): { ok: boolean; stdout: string; stderr: string } {
  const done = Bun.spawnSync([...argv], { stdin: Buffer.from(stdin), stdout: "pipe", stderr: "pipe", timeout: 20_000 });
  return { ok: done.success, stdout: done.stdout.toString(), stderr: done.stderr.toString() };
}
