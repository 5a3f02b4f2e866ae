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
  const files = [join(folder, "scripts/list.sh"), `'${join(folder, "my data")}'`];
  expect(await unreadableFiles(folder)).toEqual([
    `${files.join(", ")} cannot be read in its containers, whose user is none of the host's: chmod o+rX ${files.join(" ")}`,
  ]);
});

test("of many only the first are named", async () => {
  for (let i = 0; i < 10; i++) writeFileSync(join(folder, `key-${i}`), "", { mode: 0o600 });
  const [sentence = ""] = await unreadableFiles(folder);
  expect(sentence).toContain(" and 7 more cannot ");
});

test("a folder that nobody else may enter is named itself", async () => {
  chmodSync(folder, 0o700);
  const sentence = `${folder} cannot be read in its containers, whose user is none of the host's: chmod o+rX ${folder}`;
  expect(await unreadableFiles(folder)).toEqual([sentence]);
});
