import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closedFolder } from "./folder-access.ts";
import { requireRoot } from "../../tests/system-tools.ts";

const folder = mkdtempSync(join(tmpdir(), "urocket-access-"));
const inner = join(folder, "open/inner");
mkdirSync(inner, { recursive: true });
afterAll(() => rmSync(folder, { recursive: true }));

/** What a process of a user who owns nothing finds; root may enter everything. */
function closedToStranger(path: string): string {
  const script = `import { closedFolder } from ${JSON.stringify(join(import.meta.dir, "folder-access.ts"))}; console.log(closedFolder(${JSON.stringify(path)}));`;
  const child = Bun.spawnSync([process.execPath, "-e", script], { cwd: "/", uid: 65_534, gid: 65_534 });
  return child.stdout.toString().trim();
}

requireRoot("the first folder on the way that may not be entered is named", () => {
  chmodSync(folder, 0o711);
  expect(closedToStranger(inner)).toBe("undefined");
  chmodSync(inner, 0o700);
  expect(closedToStranger(inner)).toBe(inner);
  chmodSync(folder, 0o700);
  expect(closedToStranger(inner)).toBe(folder);
});

test("a folder that is not there is not closed", () => {
  expect([closedFolder(inner), closedFolder(join(folder, "nowhere"))]).toEqual([undefined, undefined]);
});
