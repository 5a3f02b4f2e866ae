import { afterEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { requireThat } from "../../tests/system-tools.ts";
import { limitGroups, makeGroups, removeInstanceGroups, spawnInGroups } from "./instance-groups.ts";
import { processUsage, readUsage, usageOf } from "./usage.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Files of control groups, as the kernel's documentation shows them. */
function tree(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "urocket-usage-"));
  folders.push(folder);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}

const cpuStatV2 = "usage_usec 1250000\nuser_usec 1000000\nsystem_usec 250000\nnr_periods 20\nnr_throttled 7\nthrottled_usec 340500\n";
const eventsV2 = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n";

test("version 2 tells everything in one folder (cgroup-v2.rst)", () => {
  const folder = tree({
    "memory.current": "104857600\n",
    "memory.peak": "134217728\n",
    "memory.stat": "anon 90000000\nfile 14857600\ninactive_anon 0\nactive_anon 90000000\ninactive_file 4857600\nactive_file 10000000\n",
    "memory.events": eventsV2,
    "cpu.stat": cpuStatV2,
    "pids.current": "17\n",
    "pids.events": "max 5\n",
  });
  const place = { version: 2, folder } as const;
  expect(readUsage({ memory: place, cpu: place, pids: place })).toEqual({
    memoryBytes: 100_000_000,
    memoryPeakBytes: 134_217_728,
    oomKills: 2,
    throttledMs: 340.5,
    cpuMs: 1250,
    pids: 17,
    pidsRefused: 5,
  });
});

test("of version 2 CPU time is known where only memory was handed on, and a peak only from Linux 5.19 on", () => {
  const folder = tree({
    "memory.current": "4096\n",
    "memory.events": eventsV2,
    "cpu.stat": "usage_usec 2000\nuser_usec 2000\nsystem_usec 0\n",
  });
  expect(readUsage({ memory: { version: 2, folder } })).toEqual({ memoryBytes: 4096, oomKills: 2, cpuMs: 2 });
});

test("version 1 tells it in a folder for each controller, and counts a kill where the killed was (memory.rst, cpuacct.rst)", () => {
  const kills = (count: number): string => `oom_kill_disable 0\nunder_oom 0\noom_kill ${count}\n`;
  const folder = tree({
    "memory/memory.usage_in_bytes": "104857600\n",
    "memory/memory.max_usage_in_bytes": "134217728\n",
    "memory/memory.stat": "cache 14857600\nrss 0\ninactive_file 1\ntotal_cache 14857600\ntotal_inactive_file 4857600\n",
    "memory/memory.oom_control": kills(0),
    "memory/runner/memory.oom_control": kills(1),
    "memory/programs/memory.oom_control": kills(0),
    "memory/programs/slot-0/memory.oom_control": kills(4),
    "cpu/cpu.stat": "nr_periods 20\nnr_throttled 7\nthrottled_time 340500000\nnr_bursts 0\nburst_time 0\n",
    "cpuacct/cpuacct.usage": "1250000000\n",
    "pids/pids.current": "17\n",
    "pids/pids.events": "max 5\n",
  });
  const place = (name: string) => ({ version: 1, folder: join(folder, name) }) as const;
  expect(readUsage({ memory: place("memory"), cpu: place("cpu"), cpuacct: place("cpuacct"), pids: place("pids") })).toEqual({
    memoryBytes: 100_000_000,
    memoryPeakBytes: 134_217_728,
    oomKills: 5,
    throttledMs: 340.5,
    cpuMs: 1250,
    pids: 17,
    pidsRefused: 5,
  });
});

test("of version 1 CPU time is read where cpu and cpuacct are one hierarchy", () => {
  const folder = tree({ "cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n", "cpuacct.usage": "3000000\n" });
  expect(readUsage({ cpu: { version: 1, folder } })).toEqual({ throttledMs: 0, cpuMs: 3 });
});

test("groups that are gone, and kernels that tell less, leave out what is not known", () => {
  const gone = { version: 1, folder: "/nonexistent/group" } as const;
  expect(readUsage({ memory: gone, cpu: gone, cpuacct: gone, pids: gone })).toEqual({});
  expect(readUsage({})).toEqual({});
  // Before Linux 4.13 and 4.3.
  const folder = tree({ "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n", "pids.current": "max\n" });
  const old = { version: 1, folder } as const;
  expect(readUsage({ memory: old, pids: old })).toEqual({});
});

test("without groups it is what the processes have: an own child and that one's", async () => {
  const parent = Bun.spawn(["sh", "-c", "sleep 1000 & echo $!; wait"], { stdout: "pipe", stdin: "ignore", stderr: "ignore" });
  const { value } = await parent.stdout.getReader().read();
  const usage = usageOf({}, parent.pid);
  process.kill(Number(Buffer.from(value ?? []).toString()), "SIGKILL");
  parent.kill("SIGKILL");
  await parent.exited;
  expect(usage).toMatchObject({ pids: 2 });
  expect(usage.memoryBytes).toBeGreaterThan(100_000);
  expect(usage.memoryPeakBytes).toBeUndefined();
  expect(processUsage(parent.pid)).toEqual({});
});

const made = makeGroups(crypto.randomUUID(), "process");
removeInstanceGroups(made);
const hasAll = ["memory", "cpu", "pids"].every((controller) => controller in made.usage);
const requireGroups = requireThat(hasAll, "control groups that can be made here");

requireGroups("the kernel's own files are read: memory, CPU, throttling, refused processes", async () => {
  const groups = makeGroups(crypto.randomUUID(), "container");
  const script = `x=$(head -c 20000000 /dev/zero | tr '\\0' x); i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done
    (true & true & true & true & true & true & wait) 2>/dev/null; echo done; exec sleep 1000`;
  const { started, joined } = spawnInGroups(groups, (options) =>
    Bun.spawn(["sh", "-c", `read go; ${script}`], { ...options, stdin: "pipe", stdout: "pipe", stderr: "ignore" }),
  );
  expect(joined).toBe(true);
  expect(limitGroups(groups, { cpuMax: 0.1, pidsMax: 4 })).toEqual({ notHeld: [] });
  void started.stdin.write("go\n");
  void started.stdin.end();
  await started.stdout.getReader().read();
  const usage = readUsage(groups.usage);
  started.kill("SIGKILL");
  await started.exited;
  expect(usage.memoryPeakBytes).toBeGreaterThan(20_000_000);
  expect(usage.cpuMs).toBeGreaterThan(0);
  expect(usage.throttledMs).toBeGreaterThan(0);
  expect(usage.pidsRefused).toBeGreaterThan(0);
  expect(usage.oomKills).toBe(0);
  while (!removeInstanceGroups(groups)) await new Promise(setImmediate);
});
