import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeFolder } from "./remove-folder.ts";

test("a folder goes with all that is in it; one that cannot be removed, or is not there, throws nothing", () => {
  const folder = mkdtempSync(join(tmpdir(), "remove-"));
  try {
    mkdirSync(join(folder, "a/b"), { recursive: true });
    writeFileSync(join(folder, "a/b/c"), "");
    removeFolder(join(folder, "a"));
    expect(existsSync(join(folder, "a"))).toBe(false);
    removeFolder(join(folder, "a"));
    // The kernel's own folders are nobody's to remove.
    removeFolder("/proc/self/fdinfo");
    expect(existsSync("/proc/self/fdinfo")).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
