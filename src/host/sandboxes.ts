/**
 * The sandboxes that a host's apps need: each kind made when the first app asks for it, with runners started ahead in it; and the
 * network of containers likewise. A machine without what containers, or their network, need serves every other app all the same.
 */
import type { App } from "../config/app.ts";
import { Spares } from "../pool/spares.ts";
import { type ContainerSandbox, openContainers } from "../sandbox/container.ts";
import { type Network, openNetwork } from "../sandbox/network.ts";
import { processSandbox } from "../sandbox/process.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { HostSettings } from "./host.ts";

export interface SandboxesOptions {
  readonly settings: Pick<HostSettings, "network" | "sandbox">;
  /** The host's run folder. */
  readonly folder: string;
  /** What runners run. */
  readonly runner: { readonly file: string };
  /** Told of what works, but with less. */
  readonly warn: (message: string) => void;
}

/** A kind of sandbox, and the runners that wait in it. */
export interface Confinings {
  readonly sandbox: Sandbox;
  readonly spares: Spares;
}

export class Sandboxes {
  readonly #options: SandboxesOptions;
  readonly #kinds = new Map<App["sandbox"], Confinings>();
  #network: Network | undefined;
  #containers: ContainerSandbox | undefined;
  #preparing: Promise<void> | undefined;

  constructor(options: SandboxesOptions) {
    this.#options = options;
  }

  /**
   * Makes what these apps need and is not there yet.
   * @throws SandboxFailure when this machine cannot.
   */
  async prepare(apps: readonly App[]): Promise<void> {
    for (const app of apps) {
      this.#preparing = this.#prepare(app);
      await this.#preparing;
    }
  }

  kindOf(app: App): App["sandbox"] {
    return this.#options.settings.sandbox ?? app.sandbox;
  }

  /** Of an app that was prepared. */
  of(app: App): Confinings {
    const found = this.#kinds.get(this.kindOf(app));
    if (found === undefined) throw new Error(`no ${this.kindOf(app)} sandbox was prepared`);
    return found;
  }

  /** What containers are connected by; undefined: none asks for it, or this user may not make networks. */
  get network(): Network | undefined {
    return this.#network;
  }

  /** Keeps so many runners in each of these kinds. */
  keepSpares(count: number, kinds: ReadonlySet<App["sandbox"]>): void {
    for (const [kind, { spares }] of this.#kinds) spares.resize(kinds.has(kind) ? count : 0);
  }

  /** Ends the runners that wait. */
  async closeSpares(): Promise<void> {
    await Promise.all([...this.#kinds.values()].map(({ spares }) => spares.close()));
  }

  /** Removes what was made. To be called when no instance is left. */
  async close(): Promise<void> {
    await this.#preparing?.catch(() => {});
    await this.#containers?.close();
    await this.#network?.close();
  }

  async #prepare(app: App): Promise<void> {
    const kind = this.kindOf(app);
    if (!this.#kinds.has(kind)) this.#add(kind === "container" ? await this.#openContainers() : processSandbox());
    if (kind === "container" && app.network !== "none") await this.#connect();
  }

  async #openContainers(): Promise<ContainerSandbox> {
    return (this.#containers = await openContainers({ folder: this.#options.folder }));
  }

  /** Containers that start from now on have a network. */
  async #connect(): Promise<void> {
    if (this.#containers === undefined || this.#network !== undefined || process.getuid?.() !== 0) return;
    const { settings, warn } = this.#options;
    this.#containers.network = this.#network = await openNetwork(settings.network, warn);
  }

  #add(sandbox: Sandbox): void {
    const { folder, runner } = this.#options;
    this.#kinds.set(sandbox.kind, { sandbox, spares: new Spares({ sandbox, folder, count: 0, runner }) });
  }
}
