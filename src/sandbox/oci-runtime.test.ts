import { expect, test } from "bun:test";
import { isOlder, runCommand } from "./oci-runtime.ts";

test.each([
  ["1.8.1", "1.8", false],
  ["1.8", "1.8", false],
  ["1.7.9", "1.8", true],
  ["1.10", "1.8", false],
  ["0.21", "1.8", true],
  ["2", "1.1", false],
  ["1", "1.1", true],
])("version %s is older than %s: %p", (version, least, older) => {
  expect(isOlder(version, least)).toBe(older);
});

test("what a runtime remembers lies in the bundle, and crun makes no control groups", () => {
  const run = { id: "c", folder: "/run/x/c", pidFile: "/run/x/c/pid" };
  const rest = [
    "--root",
    "/run/x/c/state",
    "run",
    "--detach",
    "--no-new-keyring",
    "--pid-file",
    "/run/x/c/pid",
    "--bundle",
    "/run/x/c",
    "c",
  ];
  expect(runCommand({ name: "crun", file: "/usr/bin/crun", version: "1.8" }, run)).toEqual([
    "/usr/bin/crun",
    "--cgroup-manager=disabled",
    ...rest,
  ]);
  expect(runCommand({ name: "runc", file: "/usr/sbin/runc", version: "1.1" }, run)).toEqual(["/usr/sbin/runc", ...rest]);
});
