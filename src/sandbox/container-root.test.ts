import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeSkeleton, planRoot, type RootParts, type RootPlan } from "./container-root.ts";

const parts: RootParts = {
  packageFolder: join(import.meta.dir, "../.."),
  bun: process.execPath,
  init: "/bin/sh",
  hiddenInit: true,
};

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "urocket-root-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const boundTo = (plan: RootPlan, at: string): string | undefined => plan.binds.find((bind) => bind.at === at)?.source;

describe("a root of the host's own", () => {
  const plan = planRoot(parts);

  test("has /usr and what leads there, and Bun", () => {
    expect(boundTo(plan, "/usr")).toBe("/usr");
    expect(boundTo(plan, "/.urocket/bin/bun")).toBe(process.execPath);
    expect(plan.bun).toEqual(["/.urocket/bin/bun"]);
  });

  test("has nothing of /etc that is not on the list", () => {
    const there = [...plan.binds.map(({ at }) => at), ...plan.links.map(([at]) => at), ...plan.files.map(({ at }) => at)].filter((at) =>
      at.startsWith("/etc/"),
    );
    const secret = [
      "shadow",
      "gshadow",
      "ssh",
      "sudoers",
      "machine-id",
      "fstab",
      "environment",
      "npmrc",
      "systemd",
      "NetworkManager",
      "wireguard",
      "ssl/private",
    ];
    expect(there.filter((at) => secret.includes(at.slice(5)))).toEqual([]);
    expect(there).toContain("/etc/passwd");
    expect(boundTo(plan, "/etc/passwd")).toBeUndefined();
  });

  test("has users of its own, and names that are each container's own", () => {
    makeSkeleton(plan, join(folder, "root"));
    const at = (path: string): string => join(folder, "root", path);
    expect(readFileSync(at("/etc/passwd"), "utf8")).toContain("app:x:1000:1000:");
    expect(readlinkSync(at("/etc/hosts"))).toBe("../.urocket/etc/hosts");
    for (const place of ["/app", "/data", "/proc", "/dev", "/run", "/usr"])
      expect([place, statSync(at(place)).isDirectory()]).toEqual([place, true]);
    expect(statSync(at("/tmp")).mode & 0o7777).toBe(0o1777);
    expect(existsSync(at("/sys"))).toBe(false);
  });

  test("has an init that may be run and not read", () => {
    makeSkeleton(plan, join(folder, "root"));
    expect(statSync(join(folder, "root/.urocket/init")).mode & 0o777).toBe(0o711);
  });
});

describe("a root of the user's", () => {
  beforeEach(() => {
    for (const name of ["bin", "etc", "usr/lib", "proc", "tmp", "run"]) mkdirSync(join(folder, "tree", name), { recursive: true });
    writeFileSync(join(folder, "tree/etc/passwd"), "root:x:0:0::/:/bin/sh\n");
    writeFileSync(join(folder, "tree/etc/hosts"), "127.0.0.1 tree\n");
    symlinkSync("usr/lib", join(folder, "tree/lib"));
  });
  const planned = (): RootPlan => planRoot({ ...parts, rootfs: join(folder, "tree") });

  test("has what the tree has, but for what is the container's own", () => {
    const plan = planned();
    expect(boundTo(plan, "/bin")).toBe(join(folder, "tree/bin"));
    expect(plan.links).toContainEqual(["/lib", "usr/lib"]);
    expect(plan.links).toContainEqual(["/etc/passwd", "../.urocket/rootfs-etc/passwd"]);
    expect(plan.links.filter(([at]) => at === "/etc/hosts")).toEqual([["/etc/hosts", "../.urocket/etc/hosts"]]);
    for (const own of ["/proc", "/tmp", "/run", "/etc"]) expect([own, boundTo(plan, own)]).toEqual([own, undefined]);
    expect(plan.files.map(({ at }) => at)).toContain("/etc/group");
  });

  test("brings Bun's loader and libraries where it has no loader at Bun's place", () => {
    const { bun, binds } = planned();
    expect(bun[0]).toMatch(/^\/\.urocket\/libc\/ld-/);
    expect(binds.map(({ at }) => at)).toContain("/.urocket/libc/libc.so.6");
  });

  test("takes the tree's own loader where there is one, through links as from inside", () => {
    mkdirSync(join(folder, "tree/usr/lib64"));
    const loader = process.arch === "x64" ? "ld-linux-x86-64.so.2" : "ld-linux-aarch64.so.1";
    if (process.arch === "x64") symlinkSync("/usr/lib64", join(folder, "tree/lib64"));
    writeFileSync(join(folder, process.arch === "x64" ? "tree/usr/lib64" : "tree/usr/lib", loader), "");
    expect(planned().bun).toEqual(["/.urocket/bin/bun"]);
  });

  test("is not changed by being planned and made", () => {
    makeSkeleton(planned(), join(folder, "root"));
    expect(readdirSync(join(folder, "tree")).toSorted()).toEqual(["bin", "etc", "lib", "proc", "run", "tmp", "usr"]);
    expect(readdirSync(join(folder, "tree/etc")).toSorted()).toEqual(["hosts", "passwd"]);
  });
});
