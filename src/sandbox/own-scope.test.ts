import { afterEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GroupFiles } from "./control-groups.ts";
import { type ScopeGiver, scopeHelps } from "./own-scope.ts";

/** More than any kernel gives a process: somebody of whom this process does not descend. */
const stranger = 2 ** 22 + 1;

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A machine of version 2 with systemd, in which this process is in `unit` beside somebody else; its files are ordinary ones. */
function machine(unit: string, controllers: string): { readonly files: GroupFiles; readonly giver: ScopeGiver; readonly folder: string } {
  const mount = mkdtempSync(join(tmpdir(), "urocket-scope-"));
  folders.push(mount);
  const folder = join(mount, unit);
  mkdirSync(folder);
  writeFileSync(join(mount, "cgroup.controllers"), `${controllers}\n`);
  writeFileSync(join(folder, "cgroup.controllers"), "memory pids\n");
  writeFileSync(join(folder, "cgroup.subtree_control"), "\n");
  writeFileSync(join(folder, "cgroup.procs"), `${stranger}\n${process.pid}\n`);
  writeFileSync(join(folder, "cgroup.type"), "domain\n");
  const mounts = `31 24 0:28 / ${mount} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n`;
  return { files: { membership: `0::/${unit}\n`, mounts }, giver: { bus: "/run/dbus/system_bus_socket", folder: mount }, folder };
}

test("a scope helps a host that was started from a login, with all that whoever gives it has", () => {
  const { files, giver } = machine("session-3.scope", "cpuset cpu io memory pids");
  expect(scopeHelps("memory", files, giver)).toBe(true);
  // What the login's own group does not have.
  expect(scopeHelps("cpu", files, giver)).toBe(true);
});

test("it does not where systemd has not been given the controller itself, or is not there", () => {
  const { files, giver } = machine("session-3.scope", "memory pids");
  expect(scopeHelps("cpu", files, giver)).toBe(false);
  expect(scopeHelps("pids", files, undefined)).toBe(false);
});

test("a service stays in its unit", () => {
  const { files, giver } = machine("urocket.service", "cpu memory pids");
  expect(scopeHelps("memory", files, giver)).toBe(false);
});

test("who can make groups where it is stays there", () => {
  const { files, giver, folder } = machine("run-r1.scope", "cpu memory pids");
  writeFileSync(join(folder, "cgroup.procs"), `${process.pid}\n`);
  expect(scopeHelps("memory", files, giver)).toBe(false);
});
