import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { eventually } from "../../tests/eventually.ts";
import { processState } from "./process-figures.ts";

const guardFile = new URL("./frozen-guard.ts", import.meta.url).pathname;

/** A process that stops others, as a host does, and says when it has. */
async function hostThatFreezes(pids: readonly number[], then = ""): Promise<Bun.Subprocess> {
  const script = `
    const { FrozenGuard } = await import(${JSON.stringify(guardFile)});
    const guard = new FrozenGuard();
    for (const pid of ${JSON.stringify(pids)}) { await guard.watch(pid); process.kill(pid, "SIGSTOP"); }
    ${then}
    console.log("frozen");
    setInterval(() => {}, 1000);`;
  // Its environment is its own: the one of a test run says that nobody outlives the process that started them.
  const host = Bun.spawn({ cmd: [process.execPath, "-e", script], env: {}, stdout: "pipe", stderr: "inherit" });
  await host.stdout.getReader().read();
  return host;
}

test("what a host has stopped goes on when the host is killed", async () => {
  const sleepers = [1, 2].map(() => Bun.spawn({ cmd: ["sleep", "100"] }));
  try {
    const host = await hostThatFreezes(sleepers.map(({ pid }) => pid));
    await eventually("both are stopped", () => sleepers.every(({ pid }) => processState(pid) === "T"));
    host.kill("SIGKILL");
    await eventually("both go on", () => sleepers.every(({ pid }) => processState(pid) === "S"));
  } finally {
    for (const sleeper of sleepers) sleeper.kill("SIGKILL");
  }
});

test("the shell that waits for that ends when nothing is stopped any more", async () => {
  const sleeper = Bun.spawn({ cmd: ["sleep", "100"] });
  const host = await hostThatFreezes(
    [sleeper.pid],
    `process.kill(${sleeper.pid}, "SIGCONT"); guard.release(${sleeper.pid}); await guard.watch(999999999); guard.release(999999999);`,
  );
  try {
    const children = (): string => readFileSync(`/proc/${host.pid}/task/${host.pid}/children`, "utf8").trim();
    await eventually("it has no children", () => children() === "");
    expect(processState(sleeper.pid)).toBe("S");
  } finally {
    host.kill("SIGKILL");
    sleeper.kill("SIGKILL");
  }
});

test("a shell that somebody ended costs the host nothing, and the next that is stopped has another", async () => {
  const sleepers = [1, 2, 3].map(() => Bun.spawn({ cmd: ["sleep", "100"] }));
  const [first, ...others] = sleepers.map(({ pid }) => pid);
  try {
    const host = await hostThatFreezes(
      [first ?? 0],
      `const { readFileSync } = await import("node:fs");
       const shell = Number(readFileSync("/proc/self/task/" + process.pid + "/children", "utf8").trim());
       process.kill(shell, "SIGKILL");
       for (const pid of ${JSON.stringify(others)}) {
         await guard.watch(pid);
         process.kill(pid, "SIGSTOP");
         const left = () => readFileSync("/proc/self/task/" + process.pid + "/children", "utf8").trim().split(" ").map(Number);
         // Until the next shell is there: a host that is killed before has nobody to go on for it but the next host's start.
         while (left().includes(shell) || left().every((pid) => pid === 0)) await new Promise(setImmediate);
       }`,
    );
    host.kill("SIGKILL");
    await eventually("all go on", () => sleepers.every(({ pid }) => processState(pid) === "S"));
  } finally {
    for (const sleeper of sleepers) sleeper.kill("SIGKILL");
  }
});
