/**
 * The `container` sandbox: each instance in namespaces of its own, made by an OCI runtime from a bundle that is made here. As root
 * containers have addresses on the host's bridge and are users that the host has none of; an ordinary user's have a loopback and
 * are that user.
 *
 * What they are made of is mounted in a mount namespace of the host's (mount-namespace.ts), once for all. One that was started
 * ahead, for whichever app may come, has its /app by mount propagation: a folder of the host follows into it, and the host
 * mounts the app there (mount_namespaces(7), "slave").
 */
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ownCommands } from "../config/surroundings.ts";
import { shellWord } from "../core/shell-word.ts";
import { Container, copySecrets, makeBundle, openToAll, type Prepared } from "./container-instance.ts";
import { removeEmpty, runtimeGroupRoots } from "./container-leftovers.ts";
import { inside, makeSkeleton, planRoot, type RootPlan } from "./container-root.ts";
import { type ContainerTools, ContainerFailure, findContainerTools } from "./container-tools.ts";
import { groupName } from "./group-names.ts";
import type { InstanceGroups } from "./instance-groups.ts";
import { readMounts } from "./mounts.ts";
import { MountNamespace, type MountLine } from "./mount-namespace.ts";
import type { Network, NetworkSlot } from "./network.ts";
import { type ContainerPlan, followedBind, mappedUser, ociConfig, type OciMount, readOnlyBind, writableBind } from "./oci-config.ts";
import { type RuntimeName, runCommand, stateFolder } from "./oci-runtime.ts";
import type { Confinement, RunnerOptions, RunnerProcess, Sandbox } from "./sandbox.ts";
import { unreadableFiles } from "./unreadable-files.ts";

export { sweepContainers } from "./container-leftovers.ts";
export { ContainerFailure } from "./container-tools.ts";

export interface ContainerOptions {
  /** The host's run folder: what containers are made of lies in its folder `containers`. */
  readonly folder: string;
  /** Absent: containers have a loopback alone. */
  readonly network?: Network | undefined;
  /** Told of what works, but with less. */
  readonly warn?: ((message: string) => void) | undefined;
  /** This runtime and no other. Default: crun, else runc. */
  readonly runtime?: RuntimeName | undefined;
}

/** Of /tmp, where an app does not say. */
export const tmpBytesMaxDefault = 64 * 1024 * 1024;
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const packageFolder = fileURLToPath(new URL("../..", import.meta.url));
const runnerSource = fileURLToPath(new URL("../runner/main.ts", import.meta.url));
/** What follows into a container that was started ahead. */
const followed = ["app", "functions", "secrets"] as const;

/** Finds what containers are made with, and makes what all of them share. @throws ContainerFailure when this machine cannot. */
export async function openContainers(options: ContainerOptions): Promise<ContainerSandbox> {
  const isRoot = process.getuid?.() === 0;
  const sandbox = new ContainerSandbox(options, await findContainerTools(isRoot, options.runtime));
  try {
    await sandbox.open();
    return sandbox;
  } catch (error) {
    await sandbox.close();
    if (error instanceof ContainerFailure) throw error;
    throw new ContainerFailure(
      `Cannot prepare the files of containers: ${error instanceof Error ? error.message : String(error)}`,
      `"urocket doctor" tells what this machine lacks; --sandbox process does without containers`,
    );
  }
}

interface Root {
  readonly plan: RootPlan;
  /** What the runtime takes for "/". */
  readonly folder: string;
}

export class ContainerSandbox implements Sandbox {
  readonly kind = "container";
  readonly #options: ContainerOptions;
  readonly #tools: ContainerTools;
  readonly #folder: string;
  readonly #roots = new Map<string | undefined, Promise<Root>>();
  readonly #lacking = new WeakMap<Confinement, Promise<readonly string[]>>();
  #mounts: MountNamespace | undefined;
  /** What crun made of the seccomp profile for the first container, base64: to make it again for each would take 2 ms. */
  seccompFilter: string | undefined;
  #rootsMade = 0;
  readonly #opened = new Set<string>();

  constructor(options: ContainerOptions, tools: ContainerTools) {
    this.#options = options;
    this.#tools = tools;
    this.#folder = join(options.folder, "containers");
  }

  /** Makes what all containers share. */
  async open(): Promise<void> {
    for (const name of ["", "lists", "slots"]) makeFolder(join(this.#folder, name));
    if (this.#tools.mount !== undefined) refuseClosed(this.#options.folder);
    await this.#root(undefined);
  }

  start(options: RunnerOptions): RunnerProcess {
    const { app } = options;
    const making = new Making(this, options, this.#options, this.#tools, this.#folder);
    return new Container({
      instance: options.instance,
      started: () => (this.seccompFilter ??= making.readFilter()),
      prepare: (groups) => making.prepare(groups),
      attach: app === undefined ? (later) => making.attach(later) : undefined,
      inside: (confined) => mapping(confined, options.file),
      lacks: (confined) => this.#lacks(confined),
      remove: () => making.remove(),
    });
  }

  takesSpare({ rootfs, network, data, limits: { tmpBytesMax = tmpBytesMaxDefault } }: Confinement): boolean {
    const usual = rootfs === undefined && network === "open" && data === undefined && tmpBytesMax === tmpBytesMaxDefault;
    return this.#tools.mount !== undefined && usual;
  }

  /** Removes what was made. To be called when no container is left. */
  async close(): Promise<void> {
    await this.#mounts?.close();
    await rm(this.#folder, { recursive: true, force: true }).catch(() => {});
  }

  /** Where the containers' mounts are; undefined for an ordinary user. */
  mounts(): MountNamespace | undefined {
    const { mount: tools } = this.#tools;
    if (tools === undefined || this.#mounts?.open === true) return this.#mounts;
    // The first, or after somebody ended its shell: with that what was mounted is gone for those that start now.
    this.#roots.clear();
    this.#mounts = new MountNamespace(tools, join(this.#folder, "lists"));
    const slots = join(this.#folder, "slots");
    const hidden = hiddenGroups(this.#tools.runtime.name);
    void this.#mounts.unmount(hidden).catch(() => {});
    const share = [command(tools.mount, "--bind", slots, slots), command(tools.mount, "--make-shared", slots)];
    void this.#mounts.run(share.join(" && ")).catch(() => {});
    return this.#mounts;
  }

  /** A folder that the host built, which the users of containers may read. */
  opened(folder: string): string {
    if (this.#tools.mount !== undefined && !this.#opened.has(folder) && existsSync(folder)) openToAll(folder);
    this.#opened.add(folder);
    return folder;
  }

  root(rootfs: string | undefined): Promise<Root> {
    return this.#root(rootfs);
  }

  #root(rootfs: string | undefined): Promise<Root> {
    const mounts = this.mounts();
    const made = this.#roots.get(rootfs) ?? this.#makeRoot(rootfs, mounts);
    this.#roots.set(rootfs, made);
    made.catch(() => this.#roots.delete(rootfs));
    return made;
  }

  async #makeRoot(rootfs: string | undefined, mounts: MountNamespace | undefined): Promise<Root> {
    const { init } = this.#tools;
    if (rootfs !== undefined && !init.isStatic) {
      throw new Error(
        `the init ${init.file} needs libraries that rootfs ${rootfs} may not have; install one that is linked statically (tini-static)`,
      );
    }
    const plan = planRoot({ packageFolder, bun: process.execPath, init: init.file, hiddenInit: mounts !== undefined, rootfs });
    const skeleton = join(this.#folder, `skeleton-${this.#rootsMade}`);
    const folder = join(this.#folder, `root-${this.#rootsMade++}`);
    makeSkeleton(plan, skeleton);
    if (mounts === undefined) return { plan, folder: skeleton };
    makeFolder(folder);
    // The run folder may be one from which nothing is executed.
    await mounts.mount([{ source: "tmpfs", target: folder, type: "tmpfs", options: ["nosuid", "nodev", "mode=755", "size=16m"] }]);
    await mounts.run(command("cp", "-a", `${skeleton}/.`, folder));
    const lines = plan.binds.flatMap(({ source, at }) => readOnlyLines(source, join(folder, at)));
    await mounts.mount(lines);
    await mounts.run(command("mount", "-o", "remount,ro,nosuid,nodev", folder));
    return { plan, folder };
  }

  /** The same for all instances of a revision. */
  #lacks(app: Confinement): Promise<readonly string[]> {
    const known = this.#lacking.get(app) ?? (this.#tools.mount === undefined ? Promise.resolve([]) : unreadableFiles(app.folder));
    this.#lacking.set(app, known);
    return known;
  }
}

/** One container's own files and mounts. */
class Making {
  readonly #sandbox: ContainerSandbox;
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

  constructor(sandbox: ContainerSandbox, options: RunnerOptions, { network }: ContainerOptions, tools: ContainerTools, folder: string) {
    const name = options.instance.slice(-12);
    this.#sandbox = sandbox;
    this.#options = options;
    this.#network = network;
    this.#tools = tools;
    this.#folder = join(folder, name);
    this.#slots = join(folder, "slots", name);
  }

  async prepare(groups: InstanceGroups): Promise<Prepared> {
    const { app, link, instance } = this.#options;
    const taking = this.#network?.take(app?.network ?? "open").then((slot) => (this.#slot = slot));
    this.#taking = taking;
    const [root, network] = await Promise.all([this.#sandbox.root(app?.rootfs), taking]);
    // Nobody else may connect to it, and in the container nobody but that user is.
    if (this.#asRoot) chownSync(link, mappedUser, mappedUser);
    const hostname = instance.slice(-12);
    const etc = {
      hostname: `${hostname}\n`,
      hosts: network?.hosts(hostname) ?? `127.0.0.1 localhost ${hostname}\n::1 localhost\n`,
      "resolv.conf": network?.resolvConf ?? "",
    };
    const groupPath = this.#groupPath(groups);
    const { seccompFilter } = this.#sandbox;
    const pidsMax = !this.#asRoot && groups.missing.pids !== undefined ? app?.limits.pidsMax : undefined;
    makeBundle(this.#folder, ociConfig({ ...this.#plan(root, hostname), groupPath, pidsMax, seccompFilter }), etc);
    const pidFile = join(this.#folder, "pid");
    const run = runCommand(this.#tools.runtime, { id: groupName(instance), folder: this.#folder, pidFile });
    const mounts = this.#sandbox.mounts();
    this.#mounts = mounts;
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
    if (mounts === undefined || !this.#sandbox.takesSpare(app)) throw new Error(`it cannot be confined to ${app.name} after its start`);
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
    await mounts.mount(lines);
  }

  async remove(): Promise<void> {
    try {
      await this.#taking;
    } catch {
      // There is none then.
    }
    await this.#mounts?.unmount(this.#attached).catch(() => {});
    if (this.#tools.runtime.name === "runc")
      for (const root of runtimeGroupRoots()) removeEmpty(join(root, groupName(this.#options.instance)));
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
        ...(functions ? [] : ["BUN_JSC_useFTLJIT=0"]),
        `UROCKET_CONTAINER=${name}`,
        `UROCKET_INSTANCE=${instance}`,
        `UROCKET_LINK=${inside.link}`,
        `UROCKET_TOKEN=${token}`,
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
    if (!isOwnSource(file)) binds.push(readOnlyBind(this.#sandbox.opened(dirname(file)), inside.runner));
    if (app === undefined) {
      for (const name of followed) {
        makeFolder(join(this.#slots, name));
        binds.push(followedBind(join(this.#slots, name), inside[name]));
      }
      return binds;
    }
    for (const [name, source] of this.#sources(app)) binds.push(readOnlyBind(source, inside[name]));
    if (app.data !== undefined) binds.push(writableBind(this.#own(app.data), inside.data));
    return binds;
  }

  #sources(app: Confinement): [(typeof followed)[number], string][] {
    const sources: [(typeof followed)[number], string][] = [["app", app.folder]];
    if (app.bundle !== undefined) sources.push(["functions", this.#sandbox.opened(app.bundle)]);
    for (const [, source] of sources) if (!existsSync(source)) throw new Error(`there is no ${source}`);
    if (app.secrets !== undefined) {
      const copies = join(this.#folder, "secrets");
      makeFolder(this.#folder);
      copySecrets(app.secrets, readdirSync(app.secrets), copies, mappedUser);
      sources.push(["secrets", copies]);
    }
    return sources;
  }

  /** Makes the container's user the owner of a folder. */
  #own(folder: string): string {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (this.#asRoot && statSync(folder).uid !== mappedUser) chownSync(folder, mappedUser, mappedUser);
    return folder;
  }
}

const command = (...words: string[]): string => words.map(shellWord).join(" ");

/** Users of containers have to pass through to what becomes their "/". */
function refuseClosed(folder: string): void {
  for (let path = folder; path !== "/"; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) !== 0) continue;
    throw new ContainerFailure(
      `Cannot run containers from ${folder}: only its owner passes through ${path}`,
      `Let others pass: chmod o+x ${shellWord(path)}; or make /run/urocket writable`,
    );
  }
}

function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  chmodSync(folder, 0o711);
}

const isOwnSource = (file: string): boolean => file.startsWith(join(packageFolder, "src/"));

const insideRunner = (file: string): string =>
  isOwnSource(file)
    ? join(inside.sources, file.slice(join(packageFolder, "src").length))
    : join(inside.runner, file.slice(dirname(file).length));

/** Where a file of the host is inside; the app's own folders first. */
function mapping(app: Confinement, file: string | undefined): (path: string) => string {
  const places: (readonly [host: string, inside: string])[] = [[app.folder, inside.app]];
  if (app.bundle !== undefined) places.push([app.bundle, inside.functions]);
  if (app.secrets !== undefined) places.push([app.secrets, inside.secrets]);
  if (app.data !== undefined) places.push([app.data, inside.data]);
  places.push([ownCommands, inside.bin], [process.execPath, inside.bun], [join(packageFolder, "src"), inside.sources]);
  if (file !== undefined && !isOwnSource(file)) places.push([dirname(file), inside.runner]);
  return (path) => {
    const place = places.find(([host]) => path === host || path.startsWith(`${host}/`));
    return place === undefined ? path : place[1] + path.slice(place[0].length);
  };
}

/** A file or folder with what is mounted in it, each read-only. */
function readOnlyLines(source: string, target: string): MountLine[] {
  const nested = readMounts().filter(({ point }) => point.startsWith(`${source}/`));
  return [source, ...nested.map(({ point }) => point)].map((point) => ({
    source: point,
    target: target + point.slice(source.length),
    type: "none",
    options: ["bind", "ro", "nosuid", "nodev"],
  }));
}

/**
 * Control groups that a runtime must not see. crun refuses machines that have both versions. runc joins every group of version 1 that
 * it finds, each at 10 ms of the kernel's time, and cannot do without that of devices.
 */
function hiddenGroups(runtime: RuntimeName): string[] {
  const mounts = readMounts();
  if (!mounts.some(({ type }) => type === "cgroup")) return [];
  return mounts
    .filter(
      ({ type, superOptions }) => type === "cgroup2" || (runtime === "runc" && type === "cgroup" && !superOptions.includes("devices")),
    )
    .map(({ point }) => point);
}
