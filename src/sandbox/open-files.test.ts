import { expect, test } from "bun:test";
import { join } from "node:path";

test("the limit is the one that the process was started under", () => {
  const print = `import { openFilesMax } from ${JSON.stringify(join(import.meta.dir, "open-files.ts"))}; console.log(openFilesMax());`;
  const child = Bun.spawnSync(["sh", "-c", 'ulimit -n 300; exec "$0" -e "$1"', process.execPath, print]);
  expect(child.stdout.toString()).toBe("300\n");
});
