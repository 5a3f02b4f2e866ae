/**
 * The `container` sandbox: each instance in namespaces of its own, made by an OCI runtime from a bundle that is made here. As root
 * containers have addresses on the host's bridge and are users that the host has none of; an ordinary user's have a loopback and
 * are that user.
 *
 * What they are made of is mounted in a mount namespace of the host's (mount-namespace.ts), once for all. One that was started
 * ahead, for whichever app may come, has its /app by mount propagation: a folder of the host follows into it, and the host
 * mounts the app there (mount_namespaces(7), "slave").
 */
import { existsSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isDiskFull, reasonOf } from "../core/system-error.ts";
import { shellWord } from "../core/shell-word.ts";
import { ContainerBundle, type Root, type SharedParts, tmpBytesMaxDefault } from "./container-bundle.ts";
import { makeFolder, openToAll } from "./container-files.ts";
import { Container } from "./container-instance.ts";
import { mapping, packageFolder } from "./container-paths.ts";
import { makeSkeleton, planRoot } from "./container-root.ts";
import { type ContainerTools, findContainerTools } from "./container-tools.ts";
import { MountNamespace } from "./mount-namespace.ts";
import { readMounts, readOnlyLines } from "./mounts.ts";
import type { Network } from "./network.ts";
import type { RuntimeName } from "./oci-runtime.ts";
import { compilesAlone } from "./runner-engine.ts";
import type { Confinement, RunnerOptions, RunnerProcess, Sandbox } from "./sandbox.ts";
import { fullRunFolderHint, SandboxFailure } from "./sandbox-failure.ts";
import { limitUserNamespace } from "./user-namespace-limits.ts";
import { unreadableFiles } from "./unreadable-files.ts";

export interface ContainerOptions {
  /** The host's run folder: what containers are made of lies in its folder `containers`. */
  readonly folder: string;
  /** Absent: containers have a loopback alone. */
  readonly network?: Network | undefined;
  /** This runtime and no other. Default: crun, else runc. */
  readonly runtime?: RuntimeName | undefined;
}

/** Finds what containers are made with, and makes what all of them share. @throws SandboxFailure when this machine cannot. */
export async function openContainers(options: ContainerOptions): Promise<ContainerSandbox> {
  const isRoot = process.getuid?.() === 0;
  const sandbox = new ContainerSandbox(options, await findContainerTools(isRoot, options.runtime));
  try {
    await sandbox.open();
    return sandbox;
  } catch (error) {
    await sandbox.close();
    if (error instanceof SandboxFailure) throw error;
    throw new SandboxFailure(
      `Cannot prepare the files of containers in ${sandbox.folder}: ${reasonOf(error)}`,
      isDiskFull(error) ? fullRunFolderHint : `"urocket doctor" tells what this machine lacks; --sandbox process does without containers`,
    );
  }
}

export class ContainerSandbox implements Sandbox, SharedParts {
  readonly kind = "container";
  readonly #runFolder: string;
  readonly tools: ContainerTools;
  readonly folder: string;
  /** Of containers that start from now on. */
  network: Network | undefined;
  readonly #roots = new Map<string | undefined, Promise<Root>>();
  readonly #lacking = new WeakMap<Confinement, Promise<readonly string[]>>();
  #mounts: MountNamespace | undefined;
  /** Whose shell somebody ended. */
  readonly #left: MountNamespace[] = [];
  seccompFilter: string | undefined;
  #rootsMade = 0;
  readonly #opened = new Set<string>();

  constructor(options: ContainerOptions, tools: ContainerTools) {
    this.#runFolder = options.folder;
    this.network = options.network;
    this.tools = tools;
    this.folder = join(options.folder, "containers");
  }

  /** Makes what all containers share. */
  async open(): Promise<void> {
    for (const name of ["", "lists", "slots"]) makeFolder(join(this.folder, name));
    if (this.tools.mount !== undefined) refuseClosed(this.#runFolder);
    await this.root(undefined);
  }

  start(options: RunnerOptions): RunnerProcess {
    const { app } = options;
    const bundle = new ContainerBundle(this, options);
    return new Container({
      instance: options.instance,
      started: async (init) => {
        this.seccompFilter ??= bundle.readFilter();
        const { mount } = this.tools;
        if (mount !== undefined && init !== undefined) await limitUserNamespace(mount.nsenter, init);
      },
      prepare: (groups) => bundle.prepare(groups),
      attach: app === undefined ? (later) => bundle.attach(later) : undefined,
      inside: (confined) => mapping(confined, options.file),
      lacks: (confined) => this.#lacks(confined),
      remove: () => bundle.remove(),
    });
  }

  takesSpare(app: Confinement): boolean {
    const { rootfs, network, data, limits } = app;
    const { tmpBytesMax = tmpBytesMaxDefault } = limits;
    const usual = rootfs === undefined && network === "open" && data === undefined && tmpBytesMax === tmpBytesMaxDefault;
    return this.tools.mount !== undefined && usual && !compilesAlone(app);
  }

  /** Removes what was made. To be called when no container is left. */
  async close(): Promise<void> {
    for (const mounts of [...this.#left, ...(this.#mounts === undefined ? [] : [this.#mounts])]) await mounts.close();
    await rm(this.folder, { recursive: true, force: true }).catch(() => {});
  }

  /** Where the containers' mounts are; undefined for an ordinary user. */
  mounts(): MountNamespace | undefined {
    const { mount: tools } = this.tools;
    if (tools === undefined || this.#mounts?.open === true) return this.#mounts;
    // The first, or after somebody ended its shell: with that what was mounted is gone for those that start now.
    this.#roots.clear();
    if (this.#mounts !== undefined) this.#left.push(this.#mounts);
    this.#mounts = new MountNamespace(tools, join(this.folder, "lists"));
    const slots = join(this.folder, "slots");
    const hidden = hiddenGroups(this.tools.runtime.name);
    void this.#mounts.unmount(hidden).catch(() => {});
    const share = [command(tools.mount, "--bind", slots, slots), command(tools.mount, "--make-shared", slots)];
    void this.#mounts.run(share.join(" && ")).catch(() => {});
    return this.#mounts;
  }

  /** A folder that the host built, which the users of containers may read. */
  opened(folder: string): string {
    if (this.tools.mount !== undefined && !this.#opened.has(folder) && existsSync(folder)) openToAll(folder);
    this.#opened.add(folder);
    return folder;
  }

  root(rootfs: string | undefined): Promise<Root> {
    const mounts = this.mounts();
    const made = this.#roots.get(rootfs) ?? this.#makeRoot(rootfs, mounts);
    this.#roots.set(rootfs, made);
    made.catch(() => this.#roots.delete(rootfs));
    return made;
  }

  async #makeRoot(rootfs: string | undefined, mounts: MountNamespace | undefined): Promise<Root> {
    const { init } = this.tools;
    if (rootfs !== undefined && !init.isStatic) {
      throw new Error(
        `the init ${init.file} needs libraries that rootfs ${rootfs} may not have; install one that is linked statically (tini-static)`,
      );
    }
    const plan = planRoot({ packageFolder, bun: process.execPath, init: init.file, hiddenInit: mounts !== undefined, rootfs });
    const skeleton = join(this.folder, `skeleton-${this.#rootsMade}`);
    const folder = join(this.folder, `root-${this.#rootsMade++}`);
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
    const known = this.#lacking.get(app) ?? (this.tools.mount === undefined ? Promise.resolve([]) : unreadableFiles(app.folder));
    this.#lacking.set(app, known);
    return known;
  }
}

const command = (...words: string[]): string => words.map(shellWord).join(" ");

/** Users of containers have to pass through to what becomes their "/". */
function refuseClosed(folder: string): void {
  for (let path = folder; path !== "/"; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) !== 0) continue;
    throw new SandboxFailure(
      `Cannot run containers from ${folder}: only its owner passes through ${path}`,
      `Let others pass: chmod o+x ${shellWord(path)}; or make /run/urocket writable`,
    );
  }
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
