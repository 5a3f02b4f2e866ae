import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireThat } from "../../tests/system-tools.ts";
import { endThread, threadThatWaits } from "../../tests/waiting-thread.ts";
import { type Controller, controllerFolder, type FoundController, ownGroupFiles } from "./control-groups.ts";
import { groupName, isAbandoned } from "./group-names.ts";
import {
  clearInstanceGroups,
  joinInstanceGroups,
  limitGroups,
  makeGroups,
  noGroups,
  processesOfInstance,
  removeInstanceGroups,
  spawnInGroups,
} from "./instance-groups.ts";
import { processStart } from "./process-figures.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const limits = { memoryBytesMax: 64 * 1024 * 1024, cpuMax: 0.5, pidsMax: 64 };
const programs = { programs: true, functions: false, service: false };
const functions = { programs: false, functions: true, service: false };

/** Where all controllers of version 2 are, as far as ordinary files go. */
function v2(): { readonly find: (controller: Controller) => FoundController; readonly root: string } {
  const root = mkdtempSync(join(tmpdir(), "urocket-groups-"));
  folders.push(root);
  return {
    root,
    find: (controller) =>
      controller === "cpuacct" ? { ok: false, cause: "not-needed", reason: "" } : { ok: true, place: { version: 2, folder: root } },
  };
}

function canMake(group: string): boolean {
  try {
    mkdirSync(group);
    const isGroup = existsSync(join(group, "cgroup.procs"));
    rmdirSync(group);
    return isGroup;
  } catch {
    return false;
  }
}

const own = makeGroups(crypto.randomUUID(), "process");
removeInstanceGroups(own);
const hasAll = (["memory", "cpu", "pids"] as const).every((controller) => controller in own.usage);
const requireGroups = requireThat(hasAll, "control groups that can be made here");

describe("groups of version 2", () => {
  test("have a process's runner and programs side by side, and the limits above, memory's on the programs", () => {
    const { find, root } = v2();
    const groups = makeGroups("x", "process", find);
    const folder = join(root, groupName("x"));
    expect(groups).toMatchObject({ folders: [folder], births: [{ folder: join(folder, "runner") }], missing: { cpuacct: "" } });
    expect(readFileSync(join(folder, "cgroup.subtree_control"), "utf8")).toBe("+memory");
    const { memorySlots, notHeld } = limitGroups(groups, limits, programs);
    expect(notHeld).toEqual([]);
    expect(memorySlots).toEqual({ version: 2, folder: join(folder, "programs") });
    const read = (file: string): string => readFileSync(join(folder, file), "utf8");
    expect([read("programs/memory.max"), read("programs/memory.swap.max")]).toEqual(["67108864", "0"]);
    expect([read("cpu.max"), read("cpu.weight"), read("pids.max")]).toEqual(["50000 100000", "25", "64"]);
    expect(existsSync(join(folder, "memory.max"))).toBe(false);
  });

  test("have the memory limit on functions' runner too", () => {
    const { find, root } = v2();
    const held = limitGroups(makeGroups("x", "process", find), limits, { ...functions, programs: true });
    expect(held).toMatchObject({ notHeld: [], runnerLimited: true });
    expect(readFileSync(join(root, groupName("x"), "memory.max"), "utf8")).toBe("67108864");
  });

  test("are one for a container, with everything in it", () => {
    const { find, root } = v2();
    const groups = makeGroups("x", "container", find);
    const folder = join(root, groupName("x"));
    expect(groups.births.map((birth) => birth.folder)).toEqual([folder]);
    expect(limitGroups(groups, limits, programs)).toEqual({ notHeld: [], runnerLimited: true });
    expect(existsSync(join(folder, "cgroup.subtree_control"))).toBe(false);
    expect(readFileSync(join(folder, "memory.max"), "utf8")).toBe("67108864");
  });
});

describe("where no groups can be made", () => {
  const find = (): FoundController => ({ ok: false, cause: "not-mounted", reason: "nothing is mounted" });

  test("each limit has a sentence, and memory is watched", () => {
    const groups = makeGroups("x", "process", find);
    expect(limitGroups(groups, limits, programs)).toEqual({
      notHeld: [
        "limits.memory of 64 MiB is not held by the kernel but watched, some times a second: nothing is mounted",
        "limits.cpu of 0.5 is not held: nothing is mounted",
        "limits.pids of 64 is not held: nothing is mounted",
      ],
      memoryWatchedBytesMax: limits.memoryBytesMax,
    });
    expect(limitGroups(noGroups, {})).toEqual({ notHeld: [] });
  });

  test("a runner is started all the same", async () => {
    const { started, joined } = spawnInGroups(makeGroups("x", "process", find), (options) => Bun.spawn(["true"], { ...options }));
    expect([await started.exited, joined]).toEqual([0, true]);
  });

  test("one that cannot be made is told with its reason", () => {
    const folder = "/nonexistent/urocket";
    const groups = makeGroups("x", "process", () => ({ ok: true, place: { version: 1, folder: `/proc/self${folder}` } }));
    expect(groups.missing.memory).toMatch(/^the control group .* cannot be made: ENOENT/);
    expect(groups.folders).toEqual([]);
  });
});

describe("the kernel's own groups", () => {
  requireGroups.each([["process"], ["container"]] as const)(
    "a %s's runner is born in them, and the host stays where it was",
    async (sandbox) => {
      const groups = makeGroups(crypto.randomUUID(), sandbox);
      const before = readFileSync("/proc/self/cgroup", "utf8");
      const { started, joined } = spawnInGroups(groups, (options) => Bun.spawn(["sleep", "1000"], { ...options }));
      try {
        expect(joined).toBe(true);
        expect(readFileSync("/proc/self/cgroup", "utf8")).toBe(before);
        expect(processesOfInstance(groups)).toEqual([started.pid]);
        const cpu = groups.usage.cpu;
        const weight = readFileSync(join(cpu?.folder ?? "", cpu?.version === 2 ? "cpu.weight" : "cpu.shares"), "utf8");
        expect(Number(weight)).toBe(cpu?.version === 2 ? 25 : 256);
        const groupsOf = readFileSync(`/proc/${started.pid}/cgroup`, "utf8");
        expect(groupsOf.match(new RegExp(groupName(""), "g"))?.length).toBe(groups.births.length);
        expect(limitGroups(groups, limits, functions).notHeld).toEqual([]);
        expect(removeInstanceGroups(groups)).toBe(false);
      } finally {
        started.kill("SIGKILL");
        await started.exited;
      }
      expect(removeInstanceGroups(groups)).toBe(true);
      for (const folder of groups.folders) expect(existsSync(folder)).toBe(false);
    },
  );

  // A hierarchy of version 2 without the controllers will do: what counts is where the child is born.
  const unified = controllerFolder("memory", { ...ownGroupFiles(), membership: "0::/\n" })?.folder;
  const group = join(unified ?? "/nonexistent", `urocket-test-${process.pid}`);
  requireThat(canMake(group), "a hierarchy of version 2 that may be written")("of version 2 it is cloned into its group", async () => {
    mkdirSync(group);
    const { started } = spawnInGroups({ ...noGroups, births: [{ version: 2, folder: group, home: unified ?? "" }] }, (options) =>
      Bun.spawn(["sleep", "1000"], { ...options }),
    );
    expect(readFileSync(`/proc/${started.pid}/cgroup`, "utf8")).toContain(`0::/urocket-test-${process.pid}\n`);
    started.kill("SIGKILL");
    await started.exited;
    rmdirSync(group);
  });

  requireGroups("the host is back also when nothing could be started", () => {
    const groups = makeGroups(crypto.randomUUID(), "process");
    const before = readFileSync("/proc/self/cgroup", "utf8");
    expect(() => spawnInGroups(groups, (options) => Bun.spawn(["/nonexistent/program"], { ...options }))).toThrow();
    expect(readFileSync("/proc/self/cgroup", "utf8")).toBe(before);
    expect(removeInstanceGroups(groups)).toBe(true);
  });

  requireGroups("a thread of the host's own that is born meanwhile is not left in them", async () => {
    const groups = makeGroups(crypto.randomUUID(), "process");
    const { started: worker } = spawnInGroups(groups, threadThatWaits);
    for (const { folder } of groups.births) expect(readFileSync(join(folder, "cgroup.procs"), "utf8")).toBe("");
    expect(removeInstanceGroups(groups)).toBe(true);
    await endThread(worker);
  });

  requireGroups("are cleared of whatever is in them, and a thread of the host's own goes home", async () => {
    const groups = makeGroups(crypto.randomUUID(), "process");
    const left = Bun.spawn(["sleep", "1000"]);
    await joinInstanceGroups(groups, left.pid);
    const [thread = ""] = readdirSync("/proc/self/task").filter((id) => Number(id) !== process.pid);
    const strays = groups.births.filter(({ version }) => version === 1);
    for (const { folder } of strays) writeFileSync(join(folder, "tasks"), thread);
    await clearInstanceGroups(groups);
    await left.exited;
    expect(left.signalCode).toBe("SIGKILL");
    for (const folder of groups.folders) expect(existsSync(folder)).toBe(false);
  });

  requireGroups("who was not born in them can be moved there", async () => {
    const groups = makeGroups(crypto.randomUUID(), "process");
    const late = Bun.spawn(["sleep", "1000"]);
    await joinInstanceGroups(groups, late.pid);
    expect(processesOfInstance(groups)).toEqual([late.pid]);
    late.kill("SIGKILL");
    await late.exited;
    expect(removeInstanceGroups(groups)).toBe(true);
  });
});

test("a name tells whose it is", () => {
  const start = processStart(process.pid) ?? 0;
  expect(groupName("x")).toBe(`urocket-${process.pid}-${start}-x`);
  expect(isAbandoned(groupName("x"))).toBe(false);
  expect(isAbandoned(`urocket-${process.pid}-${start + 1}-x`)).toBe(true);
  expect(isAbandoned("somebody-else")).toBe(false);
  expect(isAbandoned("urocket-host")).toBe(false);
});
