/**
 * Which system calls a container may make: the default profile of Podman, Buildah and CRI-O (vendor/seccomp) as it is for processes
 * without capabilities, less what those tools need of their own and a service does not. It becomes the `linux.seccomp` of an OCI
 * bundle (runtime-spec, config-linux.md#seccomp).
 *
 * For the machine's own architecture alone: a profile takes the runtime's time for each. Programs of another one (32-bit ones on
 * 64-bit x86) get ENOSYS, or are killed, whatever they call.
 */
import profile from "../../vendor/seccomp/default.json";

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[];
}
interface SeccompArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
}

export interface OciSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

/** As `process.arch` says it. */
type Architecture = "x64" | "arm64";

const names: Readonly<Record<Architecture, { readonly oci: string; readonly profile: string }>> = {
  x64: { oci: "SCMP_ARCH_X86_64", profile: "amd64" },
  arm64: { oci: "SCMP_ARCH_AARCH64", profile: "arm64" },
};

const EPERM = 1;
const EINVAL = 22;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/**
 * Allowed by the profile, because containers within containers need it; refused here. New namespaces make a process root of its own,
 * and most holes of the last years were reached through one; mounts come with them. A process that may look into another takes what
 * that one knows: the runner's secrets, or PID 1's descriptors.
 */
const refused: ReadonlySet<string> = new Set(
  [
    "mount umount umount2 mount_setattr move_mount open_tree fsopen fsconfig fsmount fspick pivot_root",
    "unshare setns",
    "ptrace process_vm_readv process_vm_writev pidfd_getfd",
    "keyctl reboot syslog fanotify_mark",
  ].flatMap((names) => names.split(" ")),
);

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET: clone(2) makes no namespaces. */
const namespaceFlags = 0x7e020000;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const NETLINK_AUDIT = 9;
const family = (value: number, op = "SCMP_CMP_EQ"): SeccompArgument => ({ index: 0, value, valueTwo: 0, op });
const protocol = (value: number, op: string): SeccompArgument => ({ index: 2, value, valueTwo: 0, op });

/**
 * Sockets of the families that services have a use for. The profile allows all of them: AF_VSOCK among them, which no network namespace
 * holds back and which leads to the hypervisor and to the host's own listeners (vsock(7)), and whatever else the kernel loads a module
 * for when asked. No two rules hold for the same call: in which order they are looked at is nobody's word.
 */
const sockets: readonly SeccompRule[] = [
  ...[AF_UNIX, AF_INET, AF_INET6].map((value) => ({ names: ["socket"], action: "SCMP_ACT_ALLOW", args: [family(value)] })),
  { names: ["socket"], action: "SCMP_ACT_ALLOW", args: [family(AF_NETLINK), protocol(NETLINK_AUDIT, "SCMP_CMP_NE")] },
  { names: ["socket"], action: "SCMP_ACT_ERRNO", errnoRet: EINVAL, args: [family(AF_NETLINK), protocol(NETLINK_AUDIT, "SCMP_CMP_EQ")] },
  { names: ["socket"], action: "SCMP_ACT_ERRNO", errnoRet: EAFNOSUPPORT, args: [family(AF_NETLINK, "SCMP_CMP_GT")] },
];

/** What it says of these is said anew. */
const replaced: ReadonlySet<string> = new Set(["clone", "clone3", "socket"]);

/** What an architecture's containers may call. @param architecture as `process.arch`: those that Bun exists for. */
export function seccompFor(architecture: string): OciSeccomp {
  const { oci, profile: own } = names[architecture === "arm64" ? "arm64" : "x64"];
  const applicable = profile.syscalls.filter((rule) => appliesTo(rule, own));
  const rules = applicable.flatMap((rule): SeccompRule[] => {
    const kept = rule.names.filter((name) => !refused.has(name) && !replaced.has(name));
    if (kept.length === 0) return [];
    const args = rule.args ?? [];
    return [
      {
        names: kept,
        action: rule.action,
        ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
        ...(args.length === 0 ? {} : { args }),
      },
    ];
  });
  return {
    defaultAction: profile.defaultAction,
    defaultErrnoRet: profile.defaultErrnoRet,
    architectures: [oci],
    syscalls: [
      ...rules,
      ...sockets,
      { names: ["clone"], action: "SCMP_ACT_ALLOW", args: [{ index: 0, value: namespaceFlags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }] },
      // Its flags are in memory, which a filter cannot read. The C library takes clone instead when there is no such call.
      { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
      { names: [...refused], action: "SCMP_ACT_ERRNO", errnoRet: EPERM },
    ],
  };
}

interface ProfileRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number | undefined;
  readonly args?: readonly SeccompArgument[] | null;
  readonly includes: { readonly arches?: readonly string[]; readonly caps?: readonly string[] };
  readonly excludes: { readonly arches?: readonly string[]; readonly caps?: readonly string[] };
}

/** The process has no capability: what is for those that have one is not for it, and what is for those that lack one is. */
function appliesTo({ includes, excludes }: ProfileRule, architecture: string): boolean {
  if (includes.caps !== undefined) return false;
  if (includes.arches?.includes(architecture) === false) return false;
  return excludes.arches?.includes(architecture) !== true;
}
