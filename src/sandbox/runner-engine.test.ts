import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { engineSettings } from "./runner-engine.ts";
import type { Confinement, InstanceContent } from "./sandbox.ts";

const limited = { pidsMax: 64 };
const programs = { programs: true, functions: false, service: false };

function confinement(content: InstanceContent, limits: Confinement["limits"]): Confinement {
  return { name: "trial", folder: "/app", limits, content, network: "open" };
}

/** Gives the engine one function after another to compile, until a thread does it or there have been many, and says who did. */
const busy = `
  const { readdirSync, readFileSync } = require("node:fs");
  const nameOf = (id) => { try { return readFileSync("/proc/self/task/" + id + "/comm", "utf8").trim(); } catch { return ""; } };
  let compiles = "alone";
  for (let number = 0; number < 500 && compiles === "alone"; number++) {
    const add = new Function("most", "let sum = " + number + "; for (let at = 0; at < most; at++) sum += at % 7; return sum;");
    for (let round = 0; round < 500; round++) add(300);
    if (readdirSync("/proc/self/task").map(nameOf).includes("JITWorker")) compiles = "in a thread";
  }
  console.log(compiles);`;

function compiles(settings: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "engine-"));
  try {
    const file = join(folder, "busy.js");
    writeFileSync(file, busy);
    const { stdout } = Bun.spawnSync([process.execPath, "--no-env-file", file], { env: { PATH: "/usr/bin:/bin", ...settings } });
    return stdout.toString().trim();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("a runner of programs that may not start processes without end has no compiler threads, which it could not start again", () => {
  expect(compiles(engineSettings(false, confinement(programs, limited)))).toBe("alone");
});

test("others have: a spare, functions, and where nothing is limited", () => {
  expect(compiles(engineSettings(true, confinement({ ...programs, functions: true }, limited)))).toBe("in a thread");
  for (const app of [undefined, confinement(programs, {})]) expect(engineSettings(false, app)).toEqual({ BUN_JSC_useFTLJIT: "0" });
});
