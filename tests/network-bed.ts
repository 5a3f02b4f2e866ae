/** A network of instances in a machine of the test's own, driven from outside: tests/network-driver.ts runs there. */
import { fileURLToPath } from "node:url";
import type { NetworkMode } from "../src/config/app.ts";
import type { Finding } from "../src/sandbox/finding.ts";
import { type NetworkSettings, type NetworkSlot } from "../src/sandbox/network.ts";
import { SandboxFailure } from "../src/sandbox/sandbox-failure.ts";
import type { Order } from "./network-driver.ts";
import { enterNamespace, type OwnNetwork } from "./own-network.ts";
import { requireRoot, requireTool } from "./system-tools.ts";

/** A `test` for what changes the kernel's network, in namespaces of its own. */
export const requireNetwork = process.getuid?.() === 0 ? requireTool("ip", "nft", "ping", "nc", "unshare") : requireRoot;

const driver = fileURLToPath(new URL("network-driver.ts", import.meta.url));

export interface OpenedNetwork {
  readonly bridge: string;
  readonly gateway: string;
  readonly gateway6?: string;
  readonly warnings: readonly string[];
}

export interface Instance extends Omit<NetworkSlot, "hosts" | "usage">, ReturnType<typeof enterNamespace> {
  readonly hosts: string;
  usage(): Promise<ReturnType<NetworkSlot["usage"]>>;
  /** Whether an answer comes to an echo request from inside. */
  pings(address: string | undefined, ...options: readonly string[]): boolean;
}

export interface NetworkHost extends AsyncDisposable {
  readonly pid: number;
  open(settings?: Partial<NetworkSettings>): Promise<OpenedNetwork>;
  take(mode?: NetworkMode): Promise<Instance>;
  close(): Promise<void>;
  sweep(): Promise<readonly string[]>;
  leftovers(): Promise<readonly string[]>;
  examine(): Promise<readonly Finding[]>;
  warnings(): Promise<readonly string[]>;
  /** As the kernel does when it is out of memory. */
  kill(): Promise<void>;
}

/** @param before what the driver is started by, in the machine: `unshare …`. */
export function startNetworkHost(machine: OwnNetwork, before: readonly string[] = []): NetworkHost {
  const child = Bun.spawn(machine.command([...before, process.execPath, "--no-env-file", driver]), {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let asked = 0;
  const ask = async <T>(order: Order): Promise<T> => {
    const answer = Promise.withResolvers<unknown>();
    const id = asked++;
    waiting.set(id, answer);
    void child.stdin.write(`${JSON.stringify({ ...order, id })}\n`);
    await child.stdin.flush();
    return (await answer.promise) as T;
  };
  const reading = readAnswers(child.stdout, waiting);
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
    await reading;
  };
  return {
    pid: child.pid,
    open: (settings = {}) => ask({ do: "open", settings }),
    take: async (mode = "open") => toInstance(await ask({ do: "take", mode }), ask),
    close: () => ask({ do: "close" }),
    sweep: () => ask({ do: "sweep" }),
    leftovers: () => ask({ do: "leftovers" }),
    examine: () => ask({ do: "examine" }),
    warnings: () => ask({ do: "warnings" }),
    kill: end,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await ask({ do: "close" });
      await end();
    },
  };
}

type Taken = Omit<NetworkSlot, "hosts"> & { readonly hosts: string; readonly slot: number };
type Ask = <T>(order: Order) => Promise<T>;

function toInstance(taken: Taken, ask: Ask): Instance {
  const { slot, ...facts } = taken;
  const inside = enterNamespace(taken.path);
  return {
    ...facts,
    ...inside,
    join: (app) => ask({ do: "join", slot, app }),
    usage: () => ask({ do: "usage", slot }),
    remove: () => ask({ do: "remove", slot }),
    pings: (address, ...options) => {
      if (address === undefined) throw new Error("There is no address to ping");
      return inside.attempt(["ping", "-n", "-c1", "-W1", ...options, address]).ok;
    },
  };
}

async function readAnswers(stdout: ReadableStream<Uint8Array>, waiting: Map<number, PromiseWithResolvers<unknown>>): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stdout) {
    const lines = (text + decoder.decode(chunk, { stream: true })).split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      const { id, value, failure } = JSON.parse(line) as { id: number; value?: unknown; failure?: { message: string; hint?: string } };
      if (failure === undefined) waiting.get(id)?.resolve(value);
      else
        waiting
          .get(id)
          ?.reject(failure.hint === undefined ? new Error(failure.message) : new SandboxFailure(failure.message, failure.hint));
    }
  }
  for (const { reject } of waiting.values()) reject(new Error("The network's host has ended"));
}
