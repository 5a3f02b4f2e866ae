import { expect, test } from "bun:test";
import { readMounts } from "./mounts.ts";

test("mounts are read with their type and their file system's options, spaces in paths too", () => {
  const text = [
    "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard",
    String.raw`42 27 254:0 /a /mnt/my\040disk rw,relatime shared:1 master:2 - ext4 /dev/vda rw`,
    "30 27 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory",
    "",
  ].join("\n");
  expect(readMounts(text)).toEqual([
    { point: "/", type: "ext4", superOptions: ["rw", "discard"] },
    { point: "/mnt/my disk", type: "ext4", superOptions: ["rw"] },
    { point: "/sys/fs/cgroup/memory", type: "cgroup", superOptions: ["rw", "memory"] },
  ]);
});

test("this machine's have a root", () => {
  expect(readMounts().map(({ point }) => point)).toContain("/");
});
