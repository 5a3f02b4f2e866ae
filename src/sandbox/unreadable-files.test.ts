import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unreadableFiles } from "./unreadable-files.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "urocket-readable-"));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, "scripts"), { mode: 0o755 });
  writeFileSync(join(folder, "scripts/list.sh"), "", { mode: 0o755 });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("an app that everybody may read has none", async () => {
  expect(await unreadableFiles(folder)).toEqual([]);
});

test("files and folders are named, with what to do", async () => {
  chmodSync(join(folder, "scripts/list.sh"), 0o700);
  mkdirSync(join(folder, "my data"), { mode: 0o700 });
  expect(await unreadableFiles(folder)).toEqual([
    `scripts/list.sh, 'my data' in ${folder} cannot be read in its container, which runs as a user of its own: chmod o+rX scripts/list.sh 'my data'`,
  ]);
});

test("of many only the first are named", async () => {
  for (let i = 0; i < 10; i++) writeFileSync(join(folder, `key-${i}`), "", { mode: 0o600 });
  const [sentence = ""] = await unreadableFiles(folder);
  expect(sentence).toContain(" and 7 more in ");
});

test("a folder that nobody else may enter is named itself", async () => {
  chmodSync(folder, 0o700);
  expect(await unreadableFiles(folder)).toEqual([expect.stringMatching(/^\. in .*: chmod o\+rX \.$/)]);
});
