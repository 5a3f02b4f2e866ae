import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireTool } from "../../tests/system-tools.ts";
import { readElf } from "./elf.ts";

const busybox = requireTool("busybox");

test("an executable that is linked dynamically names its loader", () => {
  const found = readElf("/bin/sh");
  expect(found.elf && found.interpreter).toMatch(/^\/lib.*\/ld-/);
});

busybox("one that is linked statically names none", () => {
  expect(readElf(Bun.which("busybox") ?? "")).toEqual({ elf: true });
});

test("a script is none, nor is a file that is cut off", () => {
  const folder = mkdtempSync(join(tmpdir(), "urocket-elf-"));
  try {
    for (const text of ["#!/bin/sh\n", "", "\x7fELF\x02\x01\x01"]) {
      writeFileSync(join(folder, "file"), text, "latin1");
      expect(readElf(join(folder, "file"))).toEqual({ elf: false });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
