import { afterAll, expect } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { limitGroups, makeGroups, processesOfInstance, removeInstanceGroups } from "./instance-groups.ts";
import { MemorySlots, type MemorySlot } from "./memory-slots.ts";
import { requireThat } from "../../tests/system-tools.ts";
import { endThread, threadThatWaits } from "../../tests/waiting-thread.ts";

const groups = makeGroups(crypto.randomUUID(), "process");
const place = groups.programs;
afterAll(() => removeInstanceGroups(groups));
const requirePlace = requireThat(place !== undefined, "control groups that can be made here");

async function run(slot: MemorySlot, ...command: string[]): Promise<number> {
  const program = slot.spawn((options) => Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore", ...options }));
  await program.exited;
  return slot.peakBytes() ?? Number.NaN;
}

/** Of this process, as the kernel names them. */
function openFiles(): string[] {
  return readdirSync("/proc/self/fd").flatMap((file) => {
    try {
      return [readlinkSync(`/proc/self/fd/${file}`)];
    } catch {
      // That of the listing itself.
      return [];
    }
  });
}

requirePlace("a slot tells a program's own peak, one after another", async () => {
  const slots = new MemorySlots(place?.version ?? 1, place?.folder ?? "");
  const slot = slots.take();
  if (slot === undefined) throw new Error("no slot");
  // 50 MB of a string in dash, and then next to nothing in the same slot.
  const large = await run(slot, "sh", "-c", "x=$(head -c 50000000 /dev/zero | tr '\\0' x); true");
  expect(large).toBeGreaterThan(50_000_000);
  expect(slot.processes()).toEqual([]);
  slots.give(slot, false);
  expect(slots.take()).toBe(slot);
  const small = await run(slot, "true");
  expect(small).toBeLessThan(8_000_000);
  slots.give(slot, false);
  slots.close();
});

requirePlace("the spawner itself stays where it was", async () => {
  const slots = new MemorySlots(place?.version ?? 1, place?.folder ?? "");
  const slot = slots.take();
  const before = readFileSync("/proc/self/cgroup", "utf8");
  const program = slot?.spawn((options) => Bun.spawn(["sleep", "1000"], { ...options }));
  expect(readFileSync("/proc/self/cgroup", "utf8")).toBe(before);
  expect(slot?.processes()).toEqual([program?.pid ?? 0]);
  expect(processesOfInstance(groups)).toEqual([program?.pid ?? 0]);
  expect(removeInstanceGroups(groups)).toBe(false);
  program?.kill("SIGKILL");
  await program?.exited;
  slot?.close();
});

requirePlace("a slot that is closed leaves no file open", () => {
  const folder = place?.folder ?? "";
  const slot = new MemorySlots(place?.version ?? 1, folder).take();
  slot?.close();
  expect(openFiles().filter((path) => path.startsWith(folder))).toEqual([]);
});

requirePlace("a thread of the spawner's own that is born meanwhile is no process of the slot, and does not stay in it", async () => {
  const slots = new MemorySlots(place?.version ?? 1, place?.folder ?? "");
  const slot = slots.take();
  const worker = slot?.spawn(threadThatWaits);
  expect(slot?.processes()).toEqual([]);
  expect(processesOfInstance(groups)).toEqual([]);
  slot?.close();
  expect(readdirSync(place?.folder ?? "", { withFileTypes: true }).filter((entry) => entry.isDirectory())).toEqual([]);
  if (worker !== undefined) await endThread(worker);
});

requirePlace("a program over its instance's memory is killed by the kernel, and the slot knows", async () => {
  const limited = makeGroups(crypto.randomUUID(), "process");
  const { notHeld, memorySlots: where } = limitGroups(limited, { memoryBytesMax: 16 * 1024 * 1024 });
  expect(notHeld).toEqual([]);
  const slots = new MemorySlots(where?.version ?? 1, where?.folder ?? "");
  const slot = slots.take();
  if (slot === undefined) throw new Error("no slot");
  const program = slot.spawn((options) =>
    Bun.spawn(["sh", "-c", "x=$(head -c 60000000 /dev/zero | tr '\\0' x); true"], { stderr: "ignore", ...options }),
  );
  await program.exited;
  expect([slot.wasOutOfMemory(), slot.wasOutOfMemory()]).toEqual([true, false]);
  // The kernel picks one of its processes; the others end a moment later.
  while (slot.processes().length > 0) await new Promise((resolve) => setImmediate(resolve));
  slots.give(slot, false);
  slots.close();
  expect(removeInstanceGroups(limited)).toBe(true);
});
