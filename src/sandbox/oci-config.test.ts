import { expect, test } from "bun:test";
import { type ContainerPlan, followedBind, ociConfig, readOnlyBind, writableBind } from "./oci-config.ts";

const plan: ContainerPlan = {
  root: "/run/root",
  argv: ["/.urocket/init", "--", "bun"],
  environment: ["PATH=/usr/bin"],
  hostname: "0123456789ab",
  binds: [readOnlyBind("/srv/app", "/app"), writableBind("/var/data", "/data"), followedBind("/run/slot", "/.urocket/secrets")],
  tmpBytesMax: 1024,
  ids: "range",
  architecture: "x64",
};

interface Config {
  readonly process: { readonly user: object; readonly capabilities: Record<string, string[]>; readonly rlimits?: object[] };
  readonly mounts: readonly { readonly destination: string; readonly options: readonly string[]; readonly source: string }[];
  readonly linux: { readonly namespaces: readonly { readonly type: string; readonly path?: string }[]; readonly uidMappings: object[] };
  readonly annotations?: Record<string, string>;
}
const made = (more: Partial<ContainerPlan> = {}): Config => ociConfig({ ...plan, ...more }) as Config;

test("a container has every namespace of its own, no capability, and a user that the host has none of", () => {
  const { process, linux } = made();
  expect(linux.namespaces.map(({ type }) => type).toSorted()).toEqual(["cgroup", "ipc", "mount", "network", "pid", "user", "uts"]);
  expect(Object.values(process.capabilities)).toEqual([[], [], [], [], []]);
  expect(process).toMatchObject({ user: { uid: 1000, gid: 1000 }, noNewPrivileges: true });
  expect(linux.uidMappings).toEqual([{ containerID: 0, hostID: 1_000_000, size: 65_536 }]);
});

test("an ordinary user's container is that user alone", () => {
  const { process, linux } = made({ ids: { uid: 1234, gid: 5678 } });
  expect(process.user).toEqual({ uid: 0, gid: 0 });
  expect(linux).toMatchObject({
    uidMappings: [{ containerID: 0, hostID: 1234, size: 1 }],
    gidMappings: [{ containerID: 0, hostID: 5678, size: 1 }],
  });
});

test("whatever can be written has a limit, but for data", () => {
  const writable = made().mounts.filter(({ destination, options }) => !options.includes("ro") && destination !== "/proc");
  const unlimited = writable.filter(({ options }) => !options.some((option) => option.startsWith("size=")));
  expect(unlimited.map(({ destination }) => destination)).toEqual(["/data", "/.urocket/secrets"]);
  expect(writable.find(({ destination }) => destination === "/tmp")?.options).toContain("size=1024");
});

test("a network namespace, a limit of processes and a filter are taken where there are some", () => {
  const config = made({ networkNamespace: "/run/netns/a", pidsMax: 12, seccompFilter: "AAAA" });
  expect(config.linux.namespaces.find(({ type }) => type === "network")?.path).toBe("/run/netns/a");
  expect(config.process.rlimits).toEqual([{ type: "RLIMIT_NPROC", soft: 12, hard: 12 }]);
  expect(config.annotations).toEqual({ "run.oci.seccomp_bpf_data": "AAAA" });
  expect(made().annotations).toBeUndefined();
});
