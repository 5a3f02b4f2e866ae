import { expect, test } from "bun:test";
import { join } from "node:path";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";

test("a test that cannot be run says what it needs, and one that can has its own name", () => {
  const folder = mkdtempSync(join(tmpdir(), "urocket-skips-"));
  try {
    writeFileSync(
      join(folder, "it.test.ts"),
      `import { requireThat } from ${JSON.stringify(join(import.meta.dir, "system-tools.ts"))};
requireThat(false, "wings")("flies", () => {});
requireThat(true, "legs")("walks", () => {});\n`,
    );
    const { stderr } = Bun.spawnSync([process.execPath, "test", "./it.test.ts"], { cwd: folder, env: { NO_COLOR: "1" } });
    const told = stderr
      .toString()
      .split("\n")
      .flatMap((line) => /^\((?:skip|pass)\) .*?(?= \[|$)/.exec(line)?.[0] ?? []);
    expect(told).toEqual(["(skip) flies (needs wings)", "(pass) walks"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
