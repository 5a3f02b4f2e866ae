import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { spawnExpendable } from "./expendable.ts";

const scoreOf = (pid: number | "self"): number => Number(readFileSync(`/proc/${pid}/oom_score_adj`, "latin1"));

test("what is started so is killed first when memory runs out, and who started it is not", async () => {
  const before = scoreOf("self");
  const program = spawnExpendable(() => Bun.spawn(["sleep", "1000"], { stdin: "ignore" }));
  try {
    expect(scoreOf(program.pid)).toBe(1000);
    expect(scoreOf("self")).toBe(before);
  } finally {
    program.kill("SIGKILL");
    await program.exited;
  }
});

test("its own score is back when nothing could be started", () => {
  const before = scoreOf("self");
  expect(() => spawnExpendable(() => Bun.spawn(["/nonexistent/program"]))).toThrow();
  expect(scoreOf("self")).toBe(before);
});
