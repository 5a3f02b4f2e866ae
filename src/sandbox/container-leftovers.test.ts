/** Hosts that are killed, for real, and what is left of their containers then. */
import { expect, test } from "bun:test";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../../tests/eventually.ts";
import { requireRoot, requireTool } from "../../tests/system-tools.ts";
import { describeLeftovers, sweepContainers } from "./container-leftovers.ts";
import { ContainerTrial, makeFolder } from "./container-trial.ts";
import { sweepGroups } from "./group-leftovers.ts";
import { readMounts } from "./mounts.ts";

const inContainers = process.getuid?.() === 0 ? requireTool("runc", "crun", "tini") : requireRoot;

/** A host with two containers: one ends with its link, one never looks. */
const host = (folder: string, runtime: string): string => `
  import { openContainers } from ${JSON.stringify(join(import.meta.dir, "container.ts"))};
  import { mkdirSync, writeFileSync } from "node:fs";
  const folder = ${JSON.stringify(folder)};
  const sandbox = await openContainers({ folder, runtime: "${runtime}" });
  let called = 0;
  for (const end of ["exit", "stay"]) {
    const instance = crypto.randomUUID();
    const place = folder + "/" + end;
    mkdirSync(place);
    const link = place + "/link.sock";
    Bun.listen({ unix: link, socket: { data: () => void (++called === 2 && console.log("up")) } });
    const on = end === "exit" ? "process.exit(0)" : "{}";
    const file = place + "/script.ts";
    writeFileSync(file, \`const link = require("node:net").connect(process.env.UROCKET_LINK); link.write("here"); link.on("close", () => \${on}); link.on("error", () => {}); setInterval(() => {}, 1000);\`);
    sandbox.start({ instance, file, functions: false, link, token: "" });
  }
  await new Promise((resolve) => setTimeout(resolve, 60_000));
`;

inContainers.each(["crun", "runc"])(
  "what a killed host leaves is described, and removed, and a living one's is not (%s)",
  async (runtime) => {
    const folder = makeFolder();
    await using living = new ContainerTrial();
    try {
      const stays = await living.start(`say("up"); say(await heard());`);
      await stays.said();
      writeFileSync(join(folder, "host.ts"), host(folder, runtime));
      const killed = Bun.spawn([process.execPath, join(folder, "host.ts")], { stdout: "pipe", stderr: "pipe" });
      const { value } = await killed.stdout.getReader().read();
      expect(new TextDecoder().decode(value)).toBe("up\n");
      const mark = `urocket-${killed.pid}-`;
      expect(describeLeftovers().filter((words) => words.includes(mark))).toEqual([]);
      killed.kill("SIGKILL");
      await killed.exited;
      // One goes with its link; the other is found, unless a host that a test beside this one starts is faster.
      const left = await eventually("one is left", () => {
        const found = describeLeftovers().filter((words) => words.includes(mark));
        return found.length === 1 || marksOf(mark).length === 0 ? found : undefined;
      });
      for (const words of left) expect(words).toMatch(/^container urocket-\d+-\d+-[-0-9a-f]{36} of a host that is gone, with 2 processes$/);
      sweepContainers();
      await eventually("nothing of it is left", async () => {
        await sweepGroups();
        return marksOf(mark).length === 0;
      });
      expect(describeLeftovers().filter((words) => words.includes(mark))).toEqual([]);
      expect(readMounts().filter(({ point }) => point.startsWith(folder))).toEqual([]);
      stays.tell("still here");
      expect(await stays.said()).toBe("still here");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test("what another pid namespace's host has made is nobody's leftover here: its pids say nothing", async () => {
  const mark = "urocket-1-1-p1-00000000-0000-4000-8000-000000000000";
  const process = Bun.spawn(["sleep", "60"], { env: { PATH: "/usr/bin:/bin", UROCKET_CONTAINER: mark } });
  try {
    expect(describeLeftovers().filter((words) => words.includes(mark))).toEqual([]);
    expect(process.exitCode).toBeNull();
  } finally {
    process.kill();
    await process.exited;
  }
});

/** Control groups whose names begin so. */
function marksOf(mark: string): string[] {
  return readMounts()
    .filter(({ type }) => type === "cgroup" || type === "cgroup2")
    .flatMap(({ point }) => readdirSync(point).filter((name) => name.startsWith(mark)));
}
