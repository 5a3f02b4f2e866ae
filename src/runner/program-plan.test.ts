import { afterAll, expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireRoot } from "../../tests/system-tools.ts";

/** Of mode 0700. */
const closed = mkdtempSync(join(tmpdir(), "urocket-closed-"));
afterAll(() => rmSync(closed, { recursive: true }));

/** What a runner of a user who owns nothing says of `sh` in the closed folder; root may enter everything. */
const script = `
  import { planProgram, spawnAttempt } from ${JSON.stringify(join(import.meta.dir, "program-plan.ts"))};
  import { spawnFailure } from ${JSON.stringify(join(import.meta.dir, "spawn-failure.ts"))};
  const cwd = ${JSON.stringify(closed)};
  const plan = planProgram("GET /", { argv: ["sh"], wd: cwd, env: [], channel: "stdin", replyPath: "/" }, { environment: {} }, "/reply.sock");
  try {
    Bun.spawn([plan.executable], { cwd });
  } catch (error) {
    console.log(JSON.stringify(spawnFailure(spawnAttempt(plan), error)));
  }`;

requireRoot("a working directory that may not be entered is told as that, not as the program's fault", () => {
  const child = Bun.spawnSync([process.execPath, "-e", script], { cwd: "/", uid: 65_534, gid: 65_534 });
  expect(JSON.parse(child.stdout.toString())).toEqual({
    detail: 'Cannot start "sh" for GET /: its working directory cannot be used',
    advice: `"${closed}" may not be entered by user 65534 (EACCES): run chmod a+x on it`,
  });
});
