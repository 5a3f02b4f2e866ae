import { expect, test } from "bun:test";
import { ownPeakBytes, processFigures, processStart, processState, processTree, programTree } from "./process-figures.ts";

test("a process's figures are there while it lives and not after", async () => {
  const program = Bun.spawn(["sleep", "1000"], { stdin: "ignore" });
  const figures = processFigures(program.pid);
  expect(figures?.residentBytes).toBeGreaterThan(0);
  expect(figures?.peakBytes).toBeGreaterThanOrEqual(figures?.residentBytes ?? 0);
  expect(processStart(program.pid)).toBeGreaterThan(0);
  program.kill("SIGKILL");
  await program.exited;
  expect(processFigures(program.pid)).toBeUndefined();
  expect(processStart(program.pid)).toBeUndefined();
  expect(ownPeakBytes()).toBeGreaterThan(1_000_000);
});

test("a process that ended is gone, though its parent never asks how", async () => {
  // It ends when its parent has become what never asks.
  const child = `while [ "$(cat /proc/$PPID/comm)" != sleep ]; do :; done`;
  const parent = Bun.spawn(["sh", "-c", `sh -c '${child}' & echo $!; exec sleep 1000`], { stdin: "ignore", stdout: "pipe" });
  let text = "";
  for await (const chunk of parent.stdout) {
    text += Buffer.from(chunk).toString();
    if (text.endsWith("\n")) break;
  }
  const ended = Number(text);
  while (processState(ended) !== "Z") await new Promise((resolve) => setImmediate(resolve));
  const told = [processFigures(ended), processStart(ended)];
  parent.kill("SIGKILL");
  await parent.exited;
  expect(told).toEqual([undefined, undefined]);
});

test("a program's tree is found whole: children, those in sessions of their own, those whose parent is gone", async () => {
  const mark = `REQUEST_ID=${crypto.randomUUID()}`;
  // Each prints its pid; the last is adopted by init, in its own session.
  const script = `sh -c 'echo $$; exec sleep 1000' & setsid sh -c 'echo $$; exec sleep 1000' & (setsid sh -c 'echo $$; exec sleep 1000' &); echo $$; exec sleep 1000`;
  const program = Bun.spawn(["sh", "-c", script], {
    env: { PATH: "/usr/bin:/bin", REQUEST_ID: mark.slice(11) },
    stdout: "pipe",
    detached: true,
  });
  let text = "";
  for await (const chunk of program.stdout) {
    text += Buffer.from(chunk).toString();
    if (text.split("\n").length > 4) break;
  }
  const pids = text.trim().split("\n").map(Number);
  expect(new Set(programTree(program.pid, mark))).toEqual(new Set(pids));
  expect(processTree([program.pid])).toContain(program.pid);
  for (const pid of pids) process.kill(pid, "SIGKILL");
  await program.exited;
  while (programTree(program.pid, mark).length > 0) await new Promise((resolve) => setImmediate(resolve));
});

test("whoever asks for a program's tree is not in it, nor is an init above that carries the same mark", async () => {
  const mark = crypto.randomUUID();
  const asker = `
    import { programTree } from ${JSON.stringify(import.meta.resolve("./process-figures.ts"))};
    const program = Bun.spawn(["sleep", "1000"], { stdin: "ignore", detached: true });
    const names = new Map([[program.pid, "program"], [process.pid, "asker"], [process.ppid, "init"]]);
    console.log(programTree(program.pid, "UROCKET_INSTANCE=${mark}").map((pid) => names.get(pid) ?? pid).join(" "));
    program.kill("SIGKILL");`;
  // The shell stays, as an init does, and has the mark from its own environment.
  const init = Bun.spawn(["sh", "-c", `"$0" -e "$1"; exit $?`, process.execPath, asker], {
    env: { PATH: "/usr/bin:/bin", UROCKET_INSTANCE: mark },
    stdin: "ignore",
    stdout: "pipe",
  });
  expect(await new Response(init.stdout).text()).toBe("program\n");
  expect(await init.exited).toBe(0);
});
