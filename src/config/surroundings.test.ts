import { expect, test } from "bun:test";
import { runtimeFolders } from "./surroundings.ts";

test("the run folder lies in /run for root, then where XDG_RUNTIME_DIR and TMPDIR say, and in /tmp at the last", () => {
  const environment = { XDG_RUNTIME_DIR: "/run/user/7", TMPDIR: "/var/scratch" };
  expect(runtimeFolders(environment, 7)).toEqual(["/run/user/7/urocket", "/var/scratch/urocket-7", "/tmp/urocket-7"]);
  expect(runtimeFolders({}, 0)).toEqual(["/run/urocket", "/tmp/urocket-0"]);
});

test("the run folder never depends on where the host is started", () => {
  expect(runtimeFolders({ XDG_RUNTIME_DIR: "run", TMPDIR: "" }, 7)).toEqual(["/tmp/urocket-7"]);
  expect(runtimeFolders({ TMPDIR: "/tmp" }, 7)).toEqual(["/tmp/urocket-7"]);
});
