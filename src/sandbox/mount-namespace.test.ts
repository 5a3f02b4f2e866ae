import { afterEach, beforeEach, expect } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../tests/eventually.ts";
import { requireRoot, requireTool } from "../../tests/system-tools.ts";
import { findMountTools } from "./container-tools.ts";
import { MountNamespace } from "./mount-namespace.ts";
import { readMounts } from "./mounts.ts";
import { processStart } from "./process-figures.ts";

const asRoot = process.getuid?.() === 0 ? requireTool("unshare") : requireRoot;

let folder: string;
let opened: MountNamespace[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "urocket mounts-"));
  opened = [];
  for (const name of ["lists", "source", "target"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "source/file"), "of the source");
});
afterEach(async () => {
  for (const mounts of opened) await mounts.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(): MountNamespace {
  const { found } = findMountTools();
  if (found === undefined) throw new Error("this machine has no mount tools");
  const mounts = new MountNamespace(found, join(folder, "lists"));
  opened.push(mounts);
  return mounts;
}

const runIn = (mounts: MountNamespace, ...cmd: string[]): string => Bun.spawnSync([...mounts.prefix, ...cmd]).stdout.toString();
function textOf(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}

const bind = (): { source: string; target: string; type: string; options: string[] } => ({
  source: join(folder, "source"),
  target: join(folder, "target"),
  type: "none",
  options: ["bind", "ro"],
});

asRoot("what is mounted in it is seen in it alone, paths with spaces too", async () => {
  const mounts = open();
  await mounts.mount([bind()]);
  expect(runIn(mounts, "cat", join(folder, "target/file"))).toBe("of the source");
  expect(readdirSync(join(folder, "target"))).toEqual([]);
  expect(readMounts().filter(({ point }) => point.startsWith(folder))).toEqual([]);
  await mounts.unmount([join(folder, "target")]);
  expect(runIn(mounts, "ls", join(folder, "target"))).toBe("");
  // What was given to mount(8) is not left behind.
  expect(readdirSync(join(folder, "lists"))).toEqual([]);
});

asRoot("what is bound in a hurry is bound as mount(8) does it, read-only, and a refusal is told", async () => {
  const mounts = open();
  await mounts.hurry();
  await mounts.bind([bind(), { ...bind(), source: join(folder, "target"), target: join(folder, "lists"), options: ["rbind"] }]);
  expect(runIn(mounts, "cat", join(folder, "lists/file"))).toBe("of the source");
  const written = Bun.spawnSync([...mounts.prefix, "touch", join(folder, "lists/new")]);
  expect(written.stderr.toString()).toContain("Read-only");
  await expect(mounts.bind([{ ...bind(), source: join(folder, "none") }])).rejects.toThrow(
    /cannot mount .*none at .*: error 2 of mount\(2\)/,
  );
});

asRoot("where the process that binds in a hurry was ended, mount(8) does it", async () => {
  const mounts = open();
  await mounts.hurry();
  await mounts.bind([]);
  const pids = new Bun.Glob("*/cmdline").scanSync({ cwd: "/proc", onlyFiles: false });
  const parent = String(process.pid);
  for (const name of pids) {
    const pid = name.split("/")[0] ?? "";
    const [command, status] = ["cmdline", "status"].map((file) => textOf(`/proc/${pid}/${file}`));
    if (command?.includes("mounter-main.ts") === true && status?.includes(`PPid:\t${parent}\n`) === true)
      process.kill(Number(pid), "SIGKILL");
  }
  await mounts.bind([bind()]);
  expect(runIn(mounts, "cat", join(folder, "target/file"))).toBe("of the source");
});

asRoot("many commands at once are answered each with its own", async () => {
  const mounts = open();
  const said = await Promise.all(Array.from({ length: 50 }, (_, i) => mounts.run(`echo ${i}`)));
  expect(said).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`));
});

asRoot("a command that fails rejects with what it said", async () => {
  const mounts = open();
  await expect(mounts.run("echo that is wrong >&2; false")).rejects.toThrow("that is wrong");
  await expect(mounts.run("false")).rejects.toThrow('"false" ended with status 1');
  await expect(mounts.mount([{ ...bind(), source: join(folder, "none") }])).rejects.toThrow(/none/);
  await mounts.unmount([join(folder, "target")]);
});

asRoot("its shell ends with whoever made it, even when that is killed", async () => {
  const script = join(folder, "host.ts");
  writeFileSync(
    script,
    `import { MountNamespace } from ${JSON.stringify(join(import.meta.dir, "mount-namespace.ts"))};
     import { findMountTools } from ${JSON.stringify(join(import.meta.dir, "container-tools.ts"))};
     const mounts = new MountNamespace(findMountTools().found, ${JSON.stringify(join(folder, "lists"))});
     await mounts.run(":");
     console.log(mounts.prefix[1]);
     await new Promise((resolve) => setTimeout(resolve, 60_000));`,
  );
  const host = Bun.spawn([process.execPath, script], { stdout: "pipe" });
  const { value } = await host.stdout.getReader().read();
  const shell = Number(/\/proc\/(\d+)\//.exec(new TextDecoder().decode(value))?.[1]);
  expect(processStart(shell)).toBeGreaterThan(0);
  host.kill("SIGKILL");
  await host.exited;
  await eventually("the shell is gone", () => processStart(shell) === undefined);
});

asRoot("one whose shell was ended says so", async () => {
  const mounts = open();
  const answer = mounts.run("kill -9 $$");
  await expect(answer).rejects.toThrow(/shell that holds the containers' mounts was ended/);
  await expect(mounts.run(":")).rejects.toThrow(/was ended/);
  expect(mounts.open).toBe(false);
});
