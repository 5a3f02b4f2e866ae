import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRunFolder } from "./run-folder.ts";

const isRoot = process.getuid?.() === 0;
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rf-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a run folder is made where there is none, and in one that was left too open", () => {
  const base = join(folder, "urocket");
  const made = openRunFolder([base]);
  expect([lstatSync(made).mode & 0o777, readdirSync(made)]).toEqual([0o711, ["host.json"]]);
  chmodSync(base, 0o777);
  openRunFolder([base]);
  expect(statSync(base).mode & 0o777).toBe(0o711);
});

test("a link that somebody laid in its place is refused, and what it leads to is left alone", () => {
  const target = join(folder, "target");
  mkdirSync(join(target, "serve-1"), { recursive: true, mode: 0o700 });
  const base = join(folder, "urocket");
  symlinkSync(target, base);
  expect(() => openRunFolder([base])).toThrow(`${base} is not a folder; remove it`);
  expect([statSync(target).mode & 0o777, readdirSync(target)]).toEqual([0o700, ["serve-1"]]);
});

test.if(isRoot)("a folder of another user is refused, and the next place is taken", () => {
  const foreign = join(folder, "foreign");
  mkdirSync(join(foreign, "serve-1"), { recursive: true });
  chownSync(foreign, 65_534, 65_534);
  expect(() => openRunFolder([foreign])).toThrow(`${foreign} belongs to user 65534; have it removed, or set XDG_RUNTIME_DIR`);
  const own = join(folder, "own");
  expect(openRunFolder([foreign, own])).toBe(join(own, `serve-${process.pid}`));
  expect(readdirSync(foreign)).toEqual(["serve-1"]);
});
