import { describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findTool } from "./find-tool.ts";

describe("a tool", () => {
  test("is found on the path first, if it may be run", () => {
    const folder = mkdtempSync(join(tmpdir(), "urocket-tool-"));
    try {
      const own = join(folder, "sh");
      writeFileSync(own, "");
      expect(findTool("sh", `${folder}:/bin`)).toBe("/bin/sh");
      chmodSync(own, 0o755);
      expect(findTool("sh", `${folder}:/bin`)).toBe(own);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("is found where system tools are, whatever the path", () => {
    expect(findTool("sh", undefined)).toMatch(/\/sh$/);
    expect(findTool("sh", "/nonexistent:.")).toMatch(/^\/.*\/sh$/);
  });

  test("that is nowhere is not found", () => {
    expect(findTool("urocket-no-such-tool", "/bin")).toBeUndefined();
  });
});
