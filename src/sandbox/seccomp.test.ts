import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type SeccompRule, seccompFor } from "./seccomp.ts";

/** The rules in which a call is, in their order. */
const rulesOf = (call: string, architecture = "x64"): SeccompRule[] =>
  seccompFor(architecture).syscalls.filter(({ names }) => names.includes(call));

describe("the system calls of a container", () => {
  test("what every program needs is allowed", () => {
    for (const call of ["read", "execve", "socket", "futex", "epoll_pwait2", "statx", "pidfd_open"]) {
      expect([call, rulesOf(call).some(({ action }) => action === "SCMP_ACT_ALLOW")]).toEqual([call, true]);
    }
  });

  test("what needs a capability is refused, and said to be", () => {
    for (const call of ["init_module", "bpf", "chroot", "open_by_handle_at", "iopl", "settimeofday", "perf_event_open"]) {
      expect([call, rulesOf(call)]).toEqual([call, [{ names: expect.any(Array), action: "SCMP_ACT_ERRNO", errnoRet: 1 }]]);
    }
  });

  test.each(["mount", "unshare", "setns", "ptrace", "process_vm_readv", "keyctl", "pidfd_getfd"])(
    "%s is refused, unlike by other engines",
    (call) => {
      expect(rulesOf(call).map(({ action, errnoRet }) => [action, errnoRet])).toEqual([["SCMP_ACT_ERRNO", 1]]);
    },
  );

  test("processes are made by clone without new namespaces, and clone3 is not there", () => {
    expect(rulesOf("clone")).toEqual([
      { names: ["clone"], action: "SCMP_ACT_ALLOW", args: [{ index: 0, value: 0x7e020000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }] },
    ]);
    expect(rulesOf("clone3").map(({ action, errnoRet }) => [action, errnoRet])).toEqual([["SCMP_ACT_ERRNO", 38]]);
  });

  test("the audit's netlink socket cannot be opened, other sockets can", () => {
    const rules = rulesOf("socket");
    expect(rules.some(({ action, args }) => action === "SCMP_ACT_ERRNO" && args?.length === 2)).toBe(true);
    expect(rules.every(({ args }) => args !== undefined)).toBe(true);
  });

  test("sockets are of the families that services use, and no other", () => {
    const families = rulesOf("socket")
      .filter(({ action }) => action === "SCMP_ACT_ALLOW")
      .map(({ args }) => [args?.[0]?.value, args?.[0]?.op]);
    expect(families).toEqual([1, 2, 10, 16].map((value) => [value, "SCMP_CMP_EQ"]));
  });

  test("each machine's own architecture is known, and no other", () => {
    expect(seccompFor("x64").architectures).toEqual(["SCMP_ARCH_X86_64"]);
    expect(seccompFor("arm64").architectures).toEqual(["SCMP_ARCH_AARCH64"]);
    expect(rulesOf("arch_prctl", "arm64")).toEqual([]);
    expect(rulesOf("arch_prctl")).toHaveLength(1);
  });

  test("the profile is the one whose origin is told", async () => {
    const folder = join(import.meta.dir, "../../vendor/seccomp");
    const { sha256 } = (await Bun.file(join(folder, "origin.json")).json()) as { sha256: string };
    expect(new Bun.CryptoHasher("sha256").update(await Bun.file(join(folder, "default.json")).bytes()).digest("hex")).toBe(sha256);
  });

  test("what nobody has heard of is not there", () => {
    expect(seccompFor("x64")).toMatchObject({ defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 38 });
  });
});
