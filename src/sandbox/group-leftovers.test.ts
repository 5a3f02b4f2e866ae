import { describe, expect } from "bun:test";
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { requireThat } from "../../tests/system-tools.ts";
import { abandonedGroups, describeAbandonedGroups, sweepGroups } from "./group-leftovers.ts";
import { makeGroups, removeInstanceGroups } from "./instance-groups.ts";
import { processStart } from "./process-figures.ts";

const own = makeGroups(crypto.randomUUID(), "process");
removeInstanceGroups(own);
const hasAll = (["memory", "cpu", "pids"] as const).every((controller) => controller in own.usage);
const requireGroups = requireThat(hasAll, "control groups that can be made here");

describe("groups", () => {
  requireGroups("of a host that is gone are swept with what runs in them, a living host's are not", async () => {
    const mine = makeGroups(crypto.randomUUID(), "process");
    const script = `
      const { makeGroups, spawnInGroups } = await import(${JSON.stringify(join(import.meta.dir, "instance-groups.ts"))});
      const groups = makeGroups(crypto.randomUUID(), "process");
      const { started } = spawnInGroups(groups, (options) => Bun.spawn(["sleep", "1000"], { ...options, stdio: ["ignore", "ignore", "ignore"] }));
      console.log(JSON.stringify([started.pid, groups.folders]));
      setInterval(() => {}, 1000);`;
    const host = Bun.spawn([process.execPath, "-e", script], { env: {}, stdout: "pipe", stderr: "inherit" });
    const { value } = await host.stdout.getReader().read();
    const [pid, left] = JSON.parse(Buffer.from(value ?? []).toString()) as [number, string[]];
    expect(abandonedGroups().filter((folder) => left.includes(folder))).toEqual([]);
    host.kill("SIGKILL");
    await host.exited;
    const described = describeAbandonedGroups().filter((words) => words.startsWith(`control groups ${basename(left[0] ?? "")} (`));
    // A host that a test beside this one starts may be faster.
    if (left.every((folder) => existsSync(folder))) expect(described).toEqual([expect.stringMatching(/\((?:\w+, )*memory(?:, \w+)*\)$/)]);
    await sweepGroups();
    expect(left.filter((folder) => existsSync(folder))).toEqual([]);
    expect(processStart(pid)).toBeUndefined();
    for (const folder of mine.folders) expect(existsSync(folder)).toBe(true);
    removeInstanceGroups(mine);
  });

  requireGroups("of a host that was in another group than this process are found, and swept", async () => {
    const elsewhere = join(dirname(own.folders[0] ?? ""), `elsewhere-${crypto.randomUUID()}`);
    const name = `urocket-${process.pid}-${(processStart(process.pid) ?? 0) + 1}-${crypto.randomUUID()}`;
    const left = join(elsewhere, name);
    mkdirSync(left, { recursive: true });
    try {
      const found = abandonedGroups();
      // As above.
      if (existsSync(left)) expect(found).toContain(left);
      await sweepGroups();
      expect(existsSync(left)).toBe(false);
    } finally {
      rmdirSync(elsewhere);
    }
  });
});
