/**
 * What an OCI runtime is told of a container: its bundle's config.json (runtime-spec 1.0.2, config.md and config-linux.md). Pure:
 * everything that is found out about the machine comes in.
 */
import { seccompFor } from "./seccomp.ts";

/** Container ids 0 to 65535 are this host range: of users and of groups. Nobody else's, as long as /etc/subuid gives it to nobody. */
export const idRange = { first: 1_000_000, count: 65_536 } as const;
/** The user, and group, that everything in a container runs as, seen from inside. */
export const insideUser = 1000;
/** The same, as the host sees it. */
export const mappedUser = idRange.first + insideUser;

export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface ContainerPlan {
  /** The folder that becomes "/", with every mount point in it. */
  readonly root: string;
  readonly argv: readonly string[];
  readonly environment: readonly string[];
  readonly hostname: string;
  /** Binds besides what every container has; parents before what is in them. */
  readonly binds: readonly OciMount[];
  /** Of its private /tmp. */
  readonly tmpBytesMax: number;
  /** The network namespace that it lives in. Absent: one of its own, with a loopback alone. */
  readonly networkNamespace?: string | undefined;
  /** In which of the host's ids the container's lie. "one": as an ordinary user may: its own alone. */
  readonly ids: "range" | { readonly uid: number; readonly gid: number };
  /** Where the runtime makes its control group, if it cannot be kept from making one. */
  readonly groupPath?: string | undefined;
  /** The most processes and threads, by RLIMIT_NPROC: in a user namespace of its own that counts what is in it (Linux 5.14). */
  readonly pidsMax?: number | undefined;
  /** The profile as the kernel takes it, base64: crun then does not make it anew (crun(1), run.oci.seccomp_bpf_data). */
  readonly seccompFilter?: string | undefined;
  /** As `process.arch`. */
  readonly architecture: string;
}

const noCapabilities = { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] };
/** What the kernel tells there is of the whole machine; as other engines mask it (moby, containers-common). */
const maskedPaths = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
];
const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
/** Of a network namespace that the runtime makes; one of the host's has them already. Its ports are nobody else's. */
const ownNetworkSysctls = { "net.ipv4.ip_unprivileged_port_start": "0" };
const runBytesMax = 1024 * 1024;
const sharedMemoryBytesMax = 64 * 1024 * 1024;

/** A bind that is read-only, of a file or a folder with what is mounted in it. */
export function readOnlyBind(source: string, destination: string): OciMount {
  return { destination, type: "bind", source, options: ["rbind", "ro", "nosuid", "nodev"] };
}

/** A bind in which mounts appear that the host makes at its source later. */
export function followedBind(source: string, destination: string): OciMount {
  return { destination, type: "bind", source, options: ["rbind", "rslave", "nosuid", "nodev"] };
}

export function writableBind(source: string, destination: string): OciMount {
  return { destination, type: "bind", source, options: ["bind", "nosuid", "nodev"] };
}

export function ociConfig(plan: ContainerPlan): object {
  const user = plan.ids === "range" ? insideUser : 0;
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: user, gid: user },
      args: plan.argv,
      env: plan.environment,
      cwd: "/",
      capabilities: noCapabilities,
      noNewPrivileges: true,
      ...(plan.pidsMax === undefined ? {} : { rlimits: [{ type: "RLIMIT_NPROC", soft: plan.pidsMax, hard: plan.pidsMax }] }),
    },
    root: { path: plan.root, readonly: true },
    hostname: plan.hostname,
    ...(plan.seccompFilter === undefined ? {} : { annotations: { "run.oci.seccomp_bpf_data": plan.seccompFilter } }),
    mounts: [...ownMounts(plan, user), ...plan.binds],
    linux: {
      namespaces: [
        ...["pid", "mount", "ipc", "uts", "cgroup", "user"].map((type) => ({ type })),
        { type: "network", ...(plan.networkNamespace === undefined ? {} : { path: plan.networkNamespace }) },
      ],
      ...(plan.networkNamespace === undefined ? { sysctl: ownNetworkSysctls } : {}),
      ...idMappings(plan.ids),
      ...(plan.groupPath === undefined ? {} : { cgroupsPath: plan.groupPath }),
      // What the host mounts later is to follow; crun makes all private otherwise.
      rootfsPropagation: "rslave",
      seccomp: seccompFor(plan.architecture),
      maskedPaths,
      readonlyPaths,
    },
  };
}

/** /sys is not there: what it tells is of the machine, and a container's limits are told by its host. */
function ownMounts({ tmpBytesMax }: ContainerPlan, user: number): OciMount[] {
  const tmpfs = (destination: string, ...options: string[]): OciMount => ({
    destination,
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "nodev", ...options],
  });
  return [
    { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
    { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "noexec", "mode=755", "size=64k"] },
    tmpfs("/dev/shm", "noexec", "mode=1777", `size=${sharedMemoryBytesMax}`),
    tmpfs("/tmp", "mode=1777", `size=${tmpBytesMax}`),
    tmpfs("/run", "noexec", "mode=755", `uid=${user}`, `gid=${user}`, `size=${runBytesMax}`),
  ];
}

function idMappings(ids: ContainerPlan["ids"]): object {
  const mapping = (hostID: number, size: number): object[] => [{ containerID: 0, hostID, size }];
  return ids === "range"
    ? { uidMappings: mapping(idRange.first, idRange.count), gidMappings: mapping(idRange.first, idRange.count) }
    : { uidMappings: mapping(ids.uid, 1), gidMappings: mapping(ids.gid, 1) };
}
