import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeHost, findHosts, openRunFolder, RunFolderFailure, runFolderBytesMax } from "./run-folder.ts";
import { ownerMark } from "../sandbox/group-names.ts";
import { processStart } from "../sandbox/process-figures.ts";
import { requireRoot } from "../../tests/system-tools.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rf-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a run folder is made where there is none, and in one that was left too open", () => {
  const base = join(folder, "urocket");
  const made = openRunFolder([base]);
  expect([lstatSync(made).mode & 0o777, readdirSync(made)]).toEqual([0o711, []]);
  chmodSync(base, 0o777);
  openRunFolder([base]);
  expect(statSync(base).mode & 0o777).toBe(0o711);
});

test("a link that somebody laid in its place is refused, and what it leads to is left alone", () => {
  const target = join(folder, "target");
  mkdirSync(join(target, "urocket-1-1"), { recursive: true, mode: 0o700 });
  const base = join(folder, "urocket");
  symlinkSync(target, base);
  expect(() => openRunFolder([base])).toThrow(`${base}: it is not a folder; remove it`);
  expect([statSync(target).mode & 0o777, readdirSync(target)]).toEqual([0o700, ["urocket-1-1"]]);
});

requireRoot("a folder of another user is refused, and the next place is taken", () => {
  const foreign = join(folder, "foreign");
  mkdirSync(join(foreign, "urocket-1-1"), { recursive: true });
  chownSync(foreign, 65_534, 65_534);
  expect(() => openRunFolder([foreign])).toThrow(`${foreign}: it belongs to user 65534; have it removed`);
  const own = join(folder, "own");
  expect(openRunFolder([foreign, own])).toBe(join(own, ownerMark()));
  expect(readdirSync(foreign)).toEqual(["urocket-1-1"]);
});

test("a path that leaves no room for sockets is passed over, and so is a file; when nothing is left, each is told why", () => {
  const own = `/${ownerMark()}`;
  const long = join(folder, "x".repeat(runFolderBytesMax - Buffer.byteLength(`${folder}/${own}`)));
  const longer = `${long}x`;
  writeFileSync(join(folder, "file"), "");
  const below = join(folder, "file/below");
  expect(openRunFolder([longer, below, long])).toBe(long + own);
  let failure: unknown;
  try {
    openRunFolder([longer, below]);
  } catch (error) {
    failure = error;
  }
  expect(failure).toBeInstanceOf(RunFolderFailure);
  const bytes = `its path has ${runFolderBytesMax + 1} bytes, and at most ${runFolderBytesMax} leave room for unix sockets below it`;
  expect(failure).toMatchObject({
    message: `Cannot make a run folder: ${longer + own}: ${bytes}; ${below}: a part of the path is not a folder`,
    hint: expect.stringContaining("TMPDIR"),
  });
});

test("a host that serves is found with its address and apps, one that does not yet, or no more, is not", () => {
  const base = join(folder, "urocket");
  const made = openRunFolder([base]);
  expect(findHosts([join(folder, "nowhere"), base])).toEqual([]);
  const apps = [{ name: "pets", folder: "/srv/pets", listeners: [{ name: "tcp:1234", url: "tcp://127.0.0.1:1234" }] }];
  describeHost(made, { url: "http://127.0.0.1:8080", apps });
  expect(findHosts([base])).toEqual([{ pid: process.pid, url: "http://127.0.0.1:8080", apps }]);
  expect(readdirSync(made)).toEqual(["host.json"]);
  // The number of a process that is gone, taken by another since: this one, which started later.
  renameSync(made, join(base, `urocket-${process.pid}-1`));
  expect(findHosts([base])).toEqual([]);
});

test("what a killed host left is removed by the next, and nothing of a living one, whatever it holds yet", () => {
  const base = join(folder, "urocket");
  const gone = Bun.spawnSync(["true"]).pid;
  const living = `urocket-${process.ppid}-${processStart(process.ppid)}`;
  const elsewhere = `urocket-${gone}-1-p1`;
  for (const name of [`urocket-${gone}-1`, living, elsewhere, "not-ours"]) mkdirSync(join(base, name), { recursive: true });
  openRunFolder([base]);
  expect(readdirSync(base).toSorted()).toEqual([living, elsewhere, ownerMark(), "not-ours"].toSorted());
});

test("hosts that another user describes are not believed", () => {
  const target = join(folder, "target");
  const made = openRunFolder([target]);
  describeHost(made, { url: "http://127.0.0.1:8080", apps: [] });
  symlinkSync(target, join(folder, "urocket"));
  expect(findHosts([join(folder, "urocket")])).toEqual([]);
});
