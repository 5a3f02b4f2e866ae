/**
 * What confines an instance. A sandbox starts a runner that belongs to no app yet, and confines it to one when it is told
 * which: so a runner may be started ahead of need, whatever the sandbox. Pools know this and neither processes nor containers.
 */
import type { NetworkMode } from "../config/app.ts";
import type { InstanceUsage } from "../core/instance-usage.ts";

export type { InstanceUsage } from "../core/instance-usage.ts";

export interface Sandbox {
  readonly kind: "process" | "container";
  /**
   * Starts a runner.
   * @throws Error, with nothing left behind, when it is known at once that it cannot be started. What is known later ends it.
   */
  start(options: RunnerOptions): RunnerProcess;
  /** Whether a runner that was started without an app can be confined to this one; else it has to be started for it. */
  takesSpare(app: Confinement): boolean;
}

export interface RunnerOptions {
  /** The instance's UUID. */
  readonly instance: string;
  /** What the runner runs: its sources, or a bundle of them. Default: its sources. */
  readonly file?: string | undefined;
  /** It will run functions, or may. */
  readonly functions: boolean;
  /** Unix socket on which the host waits for the runner. */
  readonly link: string;
  /** What the runner proves itself with. */
  readonly token: string;
  /** The app that it will be confined to, where that is known. */
  readonly app?: Confinement | undefined;
}

/** What an app asks of its sandbox. Every path is the host's, and absolute. */
export interface Confinement {
  /** The app's name. */
  readonly name: string;
  /** The app's files: /app in a container, read-only. */
  readonly folder: string;
  readonly limits: InstanceLimits;
  /** What runs in the instance. */
  readonly content: InstanceContent;
  /** The folder of the app's function bundle. Absent: it has none. */
  readonly bundle?: string | undefined;
  /** A folder with a file for each secret. Absent: it has none. */
  readonly secrets?: string | undefined;
  /** What an app keeps from one instance to the next: /data in a container. Absent: nothing. */
  readonly data?: string | undefined;
  /** Of a container. */
  readonly network: NetworkMode;
  /** A root filesystem in the place of the host's own /usr and so on. Of a container. */
  readonly rootfs?: string | undefined;
}

export interface InstanceLimits {
  readonly memoryBytesMax?: number;
  readonly cpuMax?: number;
  readonly pidsMax?: number;
  /** Of a container's private /tmp. */
  readonly tmpBytesMax?: number;
}

/** What runs in an instance. */
export interface InstanceContent {
  readonly programs: boolean;
  /** In the runner itself. */
  readonly functions: boolean;
  /** A daemon of the app's. */
  readonly service: boolean;
}

export interface RunnerProcess {
  /** As the host sees it. Undefined: not known yet, or never. */
  readonly pid: number | undefined;
  /** When it is gone, and how: "exited with status 1", "was killed by SIGKILL". Settles also when it could not be started at all. */
  readonly ended: Promise<string>;
  /** Ends it with all that it started. */
  kill(): void;
  /** Stops it in place: it keeps its memory and uses no CPU. */
  pause(): void;
  /** Lets it go on. */
  resume(): void;
  /** The last of what it wrote to stderr: a crash's last words. */
  lastWords(): string;
  /**
   * Makes it an app's: its limits hold and the app's files are in its sight when this resolves. Once. Rejects when that cannot be;
   * limits that this machine does not let us hold are no failure.
   */
  confine(app: Confinement): Promise<Confined>;
  /** What its control groups say now; what is not known is absent. */
  usage(): InstanceUsage;
  /** Ends what it left behind and removes all that was made for it. To be called when it has ended. Never rejects. */
  remove(): Promise<void>;
}

export interface Confined {
  /** For each limit that cannot be held here a sentence that says why: "limits.pids of 64 is not held: …". */
  readonly notHeld: readonly string[];
  /** Where a file of the host is to be found inside. What is nowhere inside is returned as it is. */
  inside(path: string): string;
  /**
   * The folder inside where the runner makes its reply socket, private to the instance. Absent: it sees the host's files as the host
   * does, and the instance's own folder is that.
   */
  readonly runFolder?: string | undefined;
  /** Where it can be reached from the host by IP: its own address. Absent: it has none ("none", or no bridge): only over the link. */
  readonly address?: string | undefined;
  /** It has a network of its own: no port of it is anybody else's. */
  readonly ownNetwork: boolean;
  /** Where the runner accounts its programs' memory, if it may. */
  readonly memorySlots?: { readonly version: 1 | 2; readonly folder: string } | undefined;
  /** The memory limit, where the kernel does not hold it: whoever owns the instance watches it, and the runner its programs. */
  readonly memoryWatchedBytesMax?: number | undefined;
  /** The runner is under the memory limit together with what it starts, which the kernel is to kill before it. */
  readonly runnerLimited?: boolean | undefined;
}
