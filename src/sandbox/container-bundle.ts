/**
 * One container's own part: its bundle, its network, and what is mounted for it, from its start until nothing of it is left.
 */
import { chownSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { copySecrets, makeBundle, makeFolder, ownData } from "./container-files.ts";
import type { Prepared } from "./container-instance.ts";
import { insideRunner, isOwnSource, runnerSource } from "./container-paths.ts";
import { inside, type RootPlan } from "./container-root.ts";
import type { ContainerTools } from "./container-tools.ts";
import { groupName } from "./group-names.ts";
import type { InstanceGroups } from "./instance-groups.ts";
import { removeGroup } from "./memory-slots.ts";
import type { MountNamespace } from "./mount-namespace.ts";
import { type MountLine, readMounts, readOnlyLines } from "./mounts.ts";
import type { Network, NetworkSlot } from "./network.ts";
import { type ContainerPlan, followedBind, mappedUser, ociConfig, type OciMount, readOnlyBind, writableBind } from "./oci-config.ts";
import { runCommand, stateFolder } from "./oci-runtime.ts";
import { engineSettings } from "./runner-engine.ts";
import type { Confinement, RunnerOptions } from "./sandbox.ts";

/** Of /tmp, where an app does not say. */
export const tmpBytesMaxDefault = 64 * 1024 * 1024;
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** What follows into a container that was started ahead. */
const followed = ["app", "functions", "secrets"] as const;

/** What becomes a container's "/". */
export interface Root {
  readonly plan: RootPlan;
  readonly folder: string;
}

/** What all containers of a host share. */
export interface SharedParts {
  readonly tools: ContainerTools;
  /** Where bundles are made. */
  readonly folder: string;
  readonly network: Network | undefined;
  /** What crun made of the seccomp profile for the first container, base64: to make it again for each would take 2 ms. */
  readonly seccompFilter: string | undefined;
  root(rootfs: string | undefined): Promise<Root>;
  /** Where containers' mounts are; undefined for an ordinary user. */
  mounts(): MountNamespace | undefined;
  /** A folder that the host built, made readable for the users of containers. */
  opened(folder: string): string;
  takesSpare(app: Confinement): boolean;
}

export class ContainerBundle {
  readonly #shared: SharedParts;
  readonly #options: RunnerOptions;
  readonly #network: Network | undefined;
  readonly #tools: ContainerTools;
  readonly #folder: string;
  readonly #slots: string;
  #slot: NetworkSlot | undefined;
  #taking: Promise<unknown> | undefined;
  /** That of its start: what is mounted in a later one does not follow into it. */
  #mounts: MountNamespace | undefined;
  #attached: readonly string[] = [];

  constructor(shared: SharedParts, options: RunnerOptions) {
    const name = options.instance.slice(-12);
    this.#shared = shared;
    this.#options = options;
    this.#network = shared.network;
    this.#tools = shared.tools;
    this.#folder = join(shared.folder, name);
    this.#slots = join(shared.folder, "slots", name);
  }

  async prepare(groups: InstanceGroups): Promise<Prepared> {
    const { app, link, instance } = this.#options;
    const data = app?.data === undefined ? undefined : ownData(app.data);
    const taking = this.#network?.take(app?.network ?? "open").then((slot) => (this.#slot = slot));
    this.#taking = taking;
    const [root, network] = await Promise.all([this.#shared.root(app?.rootfs), taking, data]);
    // Nobody else may connect to it, and in the container nobody but that user is.
    if (this.#asRoot) chownSync(link, mappedUser, mappedUser);
    const hostname = instance.slice(-12);
    const etc = {
      hostname: `${hostname}\n`,
      hosts: network?.hosts(hostname) ?? `127.0.0.1 localhost ${hostname}\n::1 localhost\n`,
      "resolv.conf": network?.resolvConf ?? "",
    };
    const groupPath = this.#groupPath(groups);
    const { seccompFilter } = this.#shared;
    const pidsMax = !this.#asRoot && groups.missing.pids !== undefined ? app?.limits.pidsMax : undefined;
    makeBundle(this.#folder, ociConfig({ ...this.#plan(root, hostname), groupPath, pidsMax, seccompFilter }), etc);
    const pidFile = join(this.#folder, "pid");
    const run = runCommand(this.#tools.runtime, { id: groupName(instance), folder: this.#folder, pidFile });
    const mounts = this.#shared.mounts();
    this.#mounts = mounts;
    if (app === undefined) void mounts?.hurry();
    const bornInGroups = groupPath === undefined || groups.births.every(({ version }) => version === 1);
    return {
      command: [...(mounts?.prefix ?? []), ...run],
      pidFile,
      network,
      runFolder: inside.run,
      bornInGroups,
      pidsHeld: pidsMax !== undefined,
    };
  }

  /** What the runtime made of the seccomp profile, where it keeps that. */
  readFilter(): string | undefined {
    try {
      return readFileSync(join(this.#folder, stateFolder, groupName(this.#options.instance), "seccomp.bpf")).toString("base64");
    } catch {
      return undefined;
    }
  }

  /** Of one that was started without an app. */
  async attach(app: Confinement): Promise<void> {
    const mounts = this.#mounts;
    if (mounts === undefined || !this.#shared.takesSpare(app)) throw new Error(`it cannot be confined to ${app.name} after its start`);
    const sources = this.#sources(app);
    const lines: MountLine[] = [];
    const targets: string[] = [];
    for (const [name, source] of sources) {
      // What follows into the container is a mount as it is: that it is read-only has to be so before.
      const prepared = join(this.#folder, `read-only-${name}`);
      makeFolder(prepared);
      targets.push(join(this.#slots, name), prepared);
      lines.push(...readOnlyLines(source, prepared), {
        source: prepared,
        target: join(this.#slots, name),
        type: "none",
        options: ["rbind"],
      });
    }
    this.#attached = targets;
    await mounts.bind(lines);
  }

  async remove(): Promise<void> {
    try {
      await this.#taking;
    } catch {
      // There is none then.
    }
    await this.#mounts?.unmount(this.#attached).catch(() => {});
    if (this.#tools.runtime.name === "runc")
      for (const root of runcGroupRoots()) removeGroup(join(root, groupName(this.#options.instance)));
    await Promise.all([
      this.#slot?.remove(),
      ...[this.#folder, this.#slots].map((folder) => rm(folder, { recursive: true, force: true }).catch(() => {})),
    ]);
  }

  get #asRoot(): boolean {
    return this.#tools.mount !== undefined;
  }

  #plan(root: Root, hostname: string): ContainerPlan {
    const { app, functions, instance, token, file = runnerSource } = this.#options;
    const name = groupName(instance);
    return {
      root: root.folder,
      argv: [
        inside.init,
        ...this.#tools.init.words,
        ...root.plan.bun,
        "--no-env-file",
        "--no-install",
        "--config=/dev/null",
        insideRunner(file),
      ],
      environment: [
        `PATH=${searchPath}:${inside.bin}`,
        "HOME=/tmp",
        ...Object.entries(engineSettings(functions, app)).map(([name, value]) => `${name}=${value}`),
        `UROCKET_CONTAINER=${name}`,
        `UROCKET_INSTANCE=${instance}`,
        `UROCKET_LINK=${inside.link}`,
        `UROCKET_TOKEN=${token}`,
        ...(app === undefined ? ["UROCKET_SPARE=1"] : []),
      ],
      hostname,
      binds: [...(this.#asRoot ? [] : root.plan.binds.map(({ source, at }) => readOnlyBind(source, at))), ...this.#binds(file, app)],
      tmpBytesMax: app?.limits.tmpBytesMax ?? tmpBytesMaxDefault,
      // Seen from the host's own mounts: where those of a namespace were made private, what came later is missing in it.
      networkNamespace: this.#slot === undefined ? undefined : `/proc/${process.pid}/root${this.#slot.path}`,
      ids: this.#asRoot ? "range" : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
      architecture: process.arch,
    };
  }

  /**
   * The group that runc makes, or moves the container into. Of version 1 that is one of devices, which is nobody else's. Of version 2 it
   * is the instance's own, and nothing may be in it before.
   */
  #groupPath({ births }: InstanceGroups): string | undefined {
    if (!this.#asRoot || this.#tools.runtime.name !== "runc") return undefined;
    const own = births.find(({ version }) => version === 2)?.folder;
    const root = own === undefined ? undefined : readMounts().find(({ type, point }) => type === "cgroup2" && own.startsWith(`${point}/`));
    return own === undefined || root === undefined ? `/${groupName(this.#options.instance)}` : own.slice(root.point.length);
  }

  #binds(file: string, app: Confinement | undefined): OciMount[] {
    const binds = [readOnlyBind(join(this.#folder, "etc"), inside.etc), writableBind(this.#options.link, inside.link)];
    if (!isOwnSource(file)) binds.push(readOnlyBind(this.#shared.opened(dirname(file)), inside.runner));
    if (app === undefined) {
      for (const name of followed) {
        makeFolder(join(this.#slots, name));
        binds.push(followedBind(join(this.#slots, name), inside[name]));
      }
      return binds;
    }
    for (const [name, source] of this.#sources(app)) binds.push(readOnlyBind(source, inside[name]));
    if (app.data !== undefined) binds.push(writableBind(app.data, inside.data));
    return binds;
  }

  #sources(app: Confinement): [(typeof followed)[number], string][] {
    const sources: [(typeof followed)[number], string][] = [["app", app.folder]];
    if (app.bundle !== undefined) sources.push(["functions", this.#shared.opened(app.bundle)]);
    for (const [, source] of sources) if (!existsSync(source)) throw new Error(`there is no ${source}`);
    if (app.secrets !== undefined) {
      const copies = join(this.#folder, "secrets");
      makeFolder(this.#folder);
      copySecrets(app.secrets, readdirSync(app.secrets), copies, mappedUser);
      sources.push(["secrets", copies]);
    }
    return sources;
  }
}

/**
 * Where runc makes a group of its own for each container: version 1 of devices alone, which is all that it sees. The others are
 * the instance's (instance-groups.ts).
 */
function runcGroupRoots(): string[] {
  return readMounts().flatMap(({ type, superOptions, point }) => (type === "cgroup" && superOptions.includes("devices") ? [point] : []));
}
