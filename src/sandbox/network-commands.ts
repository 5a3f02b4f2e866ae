/**
 * The programs that change the kernel's network for us: `ip` of iproute2 and `nft` of nftables, each told much at once. What
 * is asked for at the same time goes into one run of them.
 */
import { findSystemTool } from "../config/surroundings.ts";
import { installCommand, packages } from "./packages.ts";

/** One run; only a kernel or a tool that hangs takes longer. */
const timeoutMs = 30_000;
const errorCharactersMax = 500;

/** What is needed, and what brings it. */
export const networkTools = {
  ip: packages.ip,
  nft: packages.nft,
  nsenter: packages.namespaces,
  unshare: packages.namespaces,
} as const;
export type NetworkTool = keyof typeof networkTools;

/** Tools that are not there, and the command that brings them. Undefined: all are there. */
export function missingNetworkTools(): { readonly names: string; readonly command: string } | undefined {
  const missing = (Object.keys(networkTools) as NetworkTool[]).filter((tool) => findSystemTool(tool) === undefined);
  if (missing.length === 0) return undefined;
  return { names: missing.join(", "), command: installCommand(missing.map((tool) => networkTools[tool])) };
}

/** A tool refused. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
}

/** Absolute; the name itself where it is not to be found, so that starting it says so. */
export function toolPath(tool: NetworkTool): string {
  return findSystemTool(tool) ?? tool;
}

/** Runs a program. @returns its stdout. @throws CommandFailure with what it wrote to stderr. */
export async function runCommand(argv: readonly string[], stdin = ""): Promise<string> {
  const child = start(argv, stdin);
  const [stdout, stderr, status] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  if (status === 0) return stdout;
  const words = stderr.trim().slice(0, errorCharactersMax);
  throw new CommandFailure(words === "" ? `${argv[0]} ended with ${child.signalCode ?? `status ${status}`}` : words);
}

function start(argv: readonly string[], stdin: string): Bun.Subprocess<Blob, "pipe", "pipe"> {
  try {
    return Bun.spawn([...argv], { stdin: new Blob([stdin]), stdout: "pipe", stderr: "pipe", timeout: timeoutMs, killSignal: "SIGKILL" });
  } catch (error) {
    throw new CommandFailure(`Cannot start ${argv[0]}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** `ip -batch`: lines as `ip` has them, without "ip". Stops at the first that fails. */
export async function runIp(lines: readonly string[]): Promise<void> {
  await runCommand([toolPath("ip"), "-batch", "-"], `${lines.join("\n")}\n`);
}

/** `ip -batch` that goes on behind lines that fail, and does not tell: for removing what may be gone already. */
export async function tryIp(lines: readonly string[]): Promise<void> {
  await runCommand([toolPath("ip"), "-force", "-batch", "-"], `${lines.join("\n")}\n`).catch(() => undefined);
}

/** What `ip -j …` lists. Elements are checked by whoever reads them. */
export async function listIp(...words: readonly string[]): Promise<readonly unknown[]> {
  const text = (await runCommand([toolPath("ip"), "-j", ...words])).trim();
  const value: unknown = text === "" ? [] : JSON.parse(text);
  return Array.isArray(value) ? (value as unknown[]) : [];
}

/** One transaction of nftables: all of it holds, or none. */
export async function runNft(script: string): Promise<void> {
  await runCommand([toolPath("nft"), "-f", "-"], script);
}
