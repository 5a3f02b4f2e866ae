/** A host's network without the host: does what it is told by lines of JSON. Tests start it in a network namespace of theirs. */
import { networkDefaults } from "../src/config/network-settings.ts";
import type { NetworkMode } from "../src/config/app.ts";
import { examineNetwork } from "../src/sandbox/network-examine.ts";
import { describeNetworkLeftovers, sweepNetworks } from "../src/sandbox/network-leftovers.ts";
import { type Network, type NetworkSettings, type NetworkSlot, openNetwork } from "../src/sandbox/network.ts";
import { SandboxFailure } from "../src/sandbox/sandbox-failure.ts";

export type Order =
  | { readonly do: "open"; readonly settings: Partial<NetworkSettings> }
  | { readonly do: "take"; readonly mode: NetworkMode }
  | { readonly do: "join"; readonly slot: number; readonly app: string }
  | { readonly do: "usage" | "remove"; readonly slot: number }
  | { readonly do: "close" | "sweep" | "leftovers" | "examine" | "warnings" };

let network: Network | undefined;
const slots: NetworkSlot[] = [];
const warnings: string[] = [];

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case "open": {
      network = await openNetwork({ ...networkDefaults, ...order.settings }, (message) => warnings.push(message));
      return { bridge: network.bridge, gateway: network.gateway, gateway6: network.gateway6, warnings };
    }
    case "take": {
      const slot = await network?.take(order.mode);
      if (slot === undefined) throw new Error("There is no network");
      return { ...slot, slot: slots.push(slot) - 1, hosts: slot.hosts("me") };
    }
    case "join":
      return await slots[order.slot]?.join(order.app);
    case "usage":
      return slots[order.slot]?.usage();
    case "remove":
      return await slots[order.slot]?.remove();
    case "close":
      return await network?.close();
    case "warnings":
      return warnings;
    case "sweep":
      return await sweepNetworks();
    case "leftovers":
      return await describeNetworkLeftovers();
    case "examine":
      return await examineNetwork();
  }
}

async function answer(line: string): Promise<void> {
  const { id, ...order } = JSON.parse(line) as Order & { id: number };
  try {
    console.log(JSON.stringify({ id, value: await obey(order) }));
  } catch (error) {
    const failure = error instanceof SandboxFailure ? { message: error.message, hint: error.hint } : { message: String(error) };
    console.log(JSON.stringify({ id, failure }));
  }
}

for await (const line of console) void answer(line);
