/**
 * What containers are connected by: a bridge of the host's own, and a network namespace with an address for each instance. The parts:
 * network-bridge (name, subnet, gateway), network-rules and network-firewall (who reaches whom), network-forwarding (the machine as a
 * router), network-namespace (an instance's own end), network-names (resolv.conf), network-leftovers (what a killed host left).
 *
 * Namespaces are made ahead: taking one costs nothing on the way of a cold start.
 */
import type { NetworkMode } from "../config/app.ts";
import type { Cidr } from "../config/cidr.ts";
import { type Checked, networkDefaults, toBridge, toSubnet, toSubnet6 } from "../config/network-settings.ts";
import { Addresses } from "./network-addresses.ts";
import { type Bridge, bridgeNames, candidates, isTaken, makeBridge, removeBridge, type SubnetsWanted } from "./network-bridge.ts";
import { addressAt, formatCidr, halves, macOf, sizeOf } from "./network-cidr.ts";
import { CommandFailure, tryIp } from "./network-commands.ts";
import { explained, refuseWithoutTools } from "./network-failure.ts";
import { Firewall } from "./network-firewall.ts";
import { enableForwarding, hasIpv6 } from "./network-forwarding.ts";
import { Gatherer } from "./network-gatherer.ts";
import { hostsLines, resolvingFor } from "./network-names.ts";
import { bridgeLookEveryMs, isBridgeWhole, repairBridge } from "./network-repair.ts";
import { makeNamespaces, type Namespace, pathOf, removeNamespaces } from "./network-namespace.ts";
import { findOtherFirewalls } from "./network-other-firewalls.ts";
import { ownerMark } from "./group-names.ts";
import type { RuledInstance } from "./network-rules.ts";
import { Stock } from "./network-stock.ts";
import { bytesOf, linkNames } from "./network-usage.ts";
import { SandboxFailure } from "./sandbox-failure.ts";

export { sweepNetworks } from "./network-leftovers.ts";

export interface NetworkSettings {
  /** Of the bridge, and of the nftables table. In the default's place the next that is free is taken: "urocket1", …; any other has to be free. */
  readonly bridge: string;
  /** CIDR; the bridge has its first address. In the default's place the next that is free is taken; any other has to be free. */
  readonly subnet: string;
  readonly subnet6: string;
}

export interface Network {
  /** As it came to be named: what a firewall of the machine's own has to let through. */
  readonly bridge: string;
  /** The bridge's address, by which instances reach the host. */
  readonly gateway: string;
  readonly gateway6?: string;
  /** A network namespace for one instance. @throws SandboxFailure */
  take(mode: NetworkMode): Promise<NetworkSlot>;
  /** Removes bridge, rules and what is left of slots. Idempotent, never rejects. */
  close(): Promise<void>;
}

export interface NetworkSlot {
  /** Of the namespace, for the OCI runtime: /run/netns/…. */
  readonly path: string;
  /** Its own addresses; absent with "none". */
  readonly address?: string;
  readonly address6?: string;
  /** Lines of its /etc/resolv.conf. */
  readonly resolvConf: string;
  /** Lines of its /etc/hosts. */
  hosts(hostname: string): string;
  /**
   * Lets it reach, and be reached by, the app's other instances. Once. A grant: nothing else has to wait for it. Where the kernel refuses
   * that is a warning of the network's.
   */
  join(app: string): Promise<void>;
  usage(): { readonly networkBytesIn?: number; readonly networkBytesOut?: number };
  /** To be called when no process of it is left. Never rejects. */
  remove(): Promise<void>;
}

/** A bridge of Linux has room for 1023 ports (BR_MAX_PORTS); some are left for what the kernel has not taken away yet. */
const slotsMax = 1000;
/** Made by one shell. */
const namespacesAtOnceMax = 16;
const stockSize = 2;
const refillAfterMs = 250;
/** How long the kernel may take to tear down what was removed, before it is told again. */
const teardownMs = 3000;
const otherSubnets = ["172.24.0.0/16", "172.25.0.0/16", "172.26.0.0/16", "172.27.0.0/16", "192.168.224.0/20"];

/**
 * Makes the bridge and its rules, and makes the machine a router.
 * @param onWarning told of what does not work all the same, and of what was changed of the machine's.
 * @throws SandboxFailure; then nothing is left.
 */
export async function openNetwork(settings: NetworkSettings, onWarning: (message: string) => void = () => undefined): Promise<Network> {
  refuseWithoutTools();
  const ipv6 = await hasIpv6();
  const name = checked(settings.bridge, toBridge);
  const wanted = {
    subnets: candidates(checked(settings.subnet, toSubnet), networkDefaults.subnet, otherSubnets),
    subnets6: ipv6 ? candidates(checked(settings.subnet6, toSubnet6), networkDefaults.subnet6, []) : [],
  };
  const { bridge, firewall } = await explained(() => makeBoth(name, wanted));
  const network = new BridgedNetwork(bridge, firewall, onWarning);
  try {
    for (const warning of await enableAndExamine(bridge)) onWarning(warning);
    return network;
  } catch (error) {
    await network.close();
    throw error;
  }
}

async function enableAndExamine({ name, gateway, subnet6 }: Bridge): Promise<string[]> {
  const ipv6 = subnet6 !== undefined;
  const changed = await enableForwarding(ipv6);
  const [firewalls, { problem }] = await Promise.all([findOtherFirewalls(name), resolvingFor({ mode: "open", gateway, ipv6 })]);
  const closed = firewalls.map(
    (other) => `A firewall keeps containers from the outside: ${other.problem}; let them through by "${other.fix}"`,
  );
  return [...changed, ...closed, ...(problem === undefined ? [] : [problem])];
}

type Mode = Exclude<NetworkMode, "none">;

/** A namespace with what has to be given back with it. */
interface Held extends Namespace {
  readonly mode: NetworkMode;
  readonly index?: number;
}

class BridgedNetwork implements Network {
  readonly bridge: string;
  readonly gateway: string;
  readonly gateway6?: string;
  readonly #bridge: Bridge;
  readonly #firewall: Firewall;
  readonly #owner = ownerMark();
  readonly #addresses: Readonly<Record<Mode, Addresses>>;
  readonly #making: Gatherer<Held, void>;
  readonly #removing: Gatherer<Held, void>;
  readonly #stocks = new Map<NetworkMode, Stock<Held>>();
  /** All that are there, or on their way. */
  readonly #held = new Set<Held>();
  readonly #warn: (message: string) => void;
  readonly #looking: ReturnType<typeof setInterval>;
  #mending: Promise<void> | undefined;
  #toldOfBridge: string | undefined;
  #made = 0;
  #closing: Promise<void> | undefined;

  constructor(bridge: Bridge, firewall: Firewall, warn: (message: string) => void) {
    this.#warn = warn;
    this.#bridge = bridge;
    this.bridge = bridge.name;
    this.gateway = bridge.gateway;
    if (bridge.gateway6 !== undefined) this.gateway6 = bridge.gateway6;
    this.#firewall = firewall;
    const half = Number(sizeOf(halves(bridge.subnet)[0]));
    const room = bridge.subnet6 === undefined ? half : Math.min(half, Number(sizeOf(halves(bridge.subnet6)[0])));
    // The lower half begins with the network's own address and the bridge's, the upper ends with the broadcast's.
    this.#addresses = { open: new Addresses({ from: 2, to: room }), internal: new Addresses({ from: 1, to: room - 1 }) };
    this.#making = new Gatherer((some) => this.#wire(some), namespacesAtOnceMax);
    this.#removing = new Gatherer((some) => removeNamespaces(bridge, some).then(() => some.map(() => undefined)), slotsMax);
    this.#looking = setInterval(() => void this.#mend(), bridgeLookEveryMs);
    this.#looking.unref();
    void this.#stock("open").fill();
  }

  async take(mode: NetworkMode): Promise<NetworkSlot> {
    const held = await this.#stock(mode).take();
    const { lines } = await resolvingFor({ mode, gateway: this.gateway, ipv6: this.gateway6 !== undefined });
    return this.#slot(held, lines);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #stock(mode: NetworkMode): Stock<Held> {
    let stock = this.#stocks.get(mode);
    if (stock === undefined) this.#stocks.set(mode, (stock = new Stock(() => this.#make(mode), stockSize, refillAfterMs)));
    return stock;
  }

  async #make(mode: NetworkMode): Promise<Held> {
    const held = this.#plan(mode);
    this.#held.add(held);
    try {
      await explained(() => this.#making.do(held));
      return held;
    } catch (error) {
      this.#forget(held);
      throw error;
    }
  }

  async #wire(some: readonly Held[]): Promise<readonly void[]> {
    if (!isBridgeWhole(this.#bridge)) {
      await this.#mend();
      if (!isBridgeWhole(this.#bridge)) throw new CommandFailure(`The bridge ${this.bridge} is gone`);
    }
    await makeNamespaces(this.#bridge, some);
    return some.map(() => undefined);
  }

  /** Brings the bridge back, where it is not as it should be. Never rejects. */
  #mend(): Promise<void> {
    if (this.#closing !== undefined || isBridgeWhole(this.#bridge)) return Promise.resolve();
    this.#mending ??= this.#repair().finally(() => (this.#mending = undefined));
    return this.#mending;
  }

  async #repair(): Promise<void> {
    const wired = [...this.#held].map((held) => held.wired).filter((one) => one !== undefined);
    const words = await repairBridge(this.#bridge, this.#owner, wired).catch(
      (error: unknown) =>
        `The bridge ${this.bridge} is gone and cannot be made anew: ${error instanceof Error ? error.message : String(error)}`,
    );
    // What stays so is told once, not every few seconds.
    if (words !== this.#toldOfBridge) this.#warn(words);
    this.#toldOfBridge = isBridgeWhole(this.#bridge) ? undefined : words;
  }

  #plan(mode: NetworkMode): Held {
    if (this.#closing !== undefined)
      throw new SandboxFailure("Cannot give an instance a network: it is being closed", "Start the host again");
    if (this.#held.size >= slotsMax) throw tooMany();
    const number = this.#made++;
    const name = `${this.#owner}-${number}`;
    if (mode === "none") return { name, mode };
    const index = this.#addresses[mode].take();
    if (index === undefined) throw exhausted(this.#bridge, mode, this.#addresses[mode].size);
    const { subnet, subnet6 } = this.#bridge;
    const address = addressAt(halfOf(subnet, mode), BigInt(index));
    const address6 = subnet6 === undefined ? undefined : addressAt(halfOf(subnet6, mode), BigInt(index));
    // A link's name is unique within the machine: the bridge's number is, as long as there is the bridge.
    const wired = { link: `ur${this.#bridge.index}-${number}`, mac: macOf(address), address, address6 };
    return { name, mode, index, wired };
  }

  #slot(held: Held, resolvConf: string): NetworkSlot {
    const { wired } = held;
    let joined: Promise<string | undefined> | undefined;
    let removed: Promise<void> | undefined;
    return {
      path: pathOf(held),
      ...(wired === undefined ? {} : { address: wired.address }),
      ...(wired?.address6 === undefined ? {} : { address6: wired.address6 }),
      resolvConf,
      hosts: (hostname) =>
        hostsLines(
          hostname,
          [wired?.address, wired?.address6].filter((address) => address !== undefined),
        ),
      join: async (app) => {
        if (wired === undefined) return;
        joined = this.#join(app, wired);
        await joined;
      },
      usage: () => {
        const bytes = wired === undefined ? undefined : bytesOf(wired.link);
        return bytes === undefined ? {} : { networkBytesIn: bytes.sent, networkBytesOut: bytes.received };
      },
      remove: () => (removed ??= this.#remove(held, joined)),
    };
  }

  /** @returns the app, if it is in. */
  async #join(app: string, instance: RuledInstance): Promise<string | undefined> {
    try {
      await this.#firewall.join(app, instance);
      return app;
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      this.#warn(`An instance of ${app} at ${instance.address} and the app's others do not reach each other: ${error.message}`);
      return undefined;
    }
  }

  async #remove(held: Held, joined: Promise<string | undefined> | undefined): Promise<void> {
    const app = await joined?.catch(() => undefined);
    const { wired } = held;
    const left = app === undefined || wired === undefined ? undefined : this.#firewall.leave(app, wired).catch(() => undefined);
    await Promise.all([left, this.#removing.do(held)]);
    this.#forget(held);
  }

  #forget(held: Held): void {
    this.#held.delete(held);
    if (held.index !== undefined && held.mode !== "none") this.#addresses[held.mode].giveBack(held.index);
  }

  async #close(): Promise<void> {
    clearInterval(this.#looking);
    for (const stock of this.#stocks.values()) await stock.close();
    await this.#mending;
    await this.#making.idle();
    await this.#removing.idle();
    await removeNamespaces(this.#bridge, [...this.#held]);
    this.#held.clear();
    await this.#firewall[Symbol.asyncDispose]();
    await removeBridge(this.#bridge.name);
    await this.#tornDown();
  }

  /** The kernel takes wires down behind our back. What this returns from is really gone. */
  async #tornDown(): Promise<void> {
    const left = (): string[] => [...linkNames()].filter((link) => link.startsWith(`ur${this.#bridge.index}-`));
    for (const end = performance.now() + teardownMs; performance.now() < end && left().length > 0;) await Bun.sleep(5);
    await tryIp(left().map((link) => `link del ${link}`));
  }
}

function halfOf(block: Cidr, mode: Mode): Cidr {
  return halves(block)[mode === "open" ? 0 : 1];
}

async function makeBoth(first: string, wanted: SubnetsWanted): Promise<{ bridge: Bridge; firewall: Firewall }> {
  const owner = ownerMark();
  const names = bridgeNames(first);
  for (const name of names) {
    try {
      const bridge = await makeBridge(name, wanted, owner);
      return { bridge, firewall: await openFirewall(bridge, owner) };
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
  }
  throw new SandboxFailure(
    `Cannot make the bridge "${first}": it exists already${names.length === 1 ? "" : ", and so do all that would follow it"}`,
    `Choose another; "ip link" and "nft list tables" show whose it is; "urocket doctor --clean" removes what hosts left that are no more`,
  );
}

async function openFirewall(bridge: Bridge, owner: string): Promise<Firewall> {
  try {
    return await Firewall.open({ bridge: bridge.name, owner, subnet: bridge.subnet, subnet6: bridge.subnet6 });
  } catch (error) {
    await removeBridge(bridge.name);
    throw error;
  }
}

/** What settings say in words, and not yet checked where somebody made them by hand. */
function checked(text: string, check: (text: string) => Checked<string>): string {
  const result = check(text);
  if (result.ok) return result.value;
  throw new SandboxFailure(`Cannot use "${text}" for the network of containers: ${result.message}`, result.hint);
}

function tooMany(): SandboxFailure {
  return new SandboxFailure(
    `Cannot give an instance a network: ${slotsMax} have one, and a bridge of Linux has room for no more`,
    `Lower "scale.max" of the apps, or serve some of them by a second host: it makes a bridge of its own`,
  );
}

function exhausted({ subnet }: Bridge, mode: NetworkMode, size: number): SandboxFailure {
  return new SandboxFailure(
    `Cannot give an instance an address: all ${size} that ${formatCidr(subnet)} has for the network "${mode}" are taken`,
    `Choose a larger subnet, or lower "scale.max" of the apps`,
  );
}
