import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireRoot } from "../../tests/system-tools.ts";
import { claimController, controllerFolder, examineController, type GroupFiles } from "./control-groups.ts";

/** More than any kernel gives a process: somebody of whom this process does not descend. */
const stranger = 2 ** 22 + 1;

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

interface V2 {
  readonly controllers?: string;
  readonly given?: string;
  readonly processes?: string;
  /** The hierarchy's root has no type. */
  readonly root?: boolean;
  readonly group?: string;
}

/** A machine of version 2, in which this process is in `group`; its files are ordinary ones. */
function unified({ controllers = "cpuset cpu io memory pids", given = "", processes = "", root = false, group = "/urocket.service" }: V2): {
  readonly files: GroupFiles;
  readonly folder: string;
} {
  const mount = mkdtempSync(join(tmpdir(), "urocket-cgroup-"));
  folders.push(mount);
  const folder = join(mount, group.split("/")[1] ?? "");
  mkdirSync(folder);
  writeFileSync(join(folder, "cgroup.controllers"), `${controllers}\n`);
  writeFileSync(join(folder, "cgroup.subtree_control"), `${given}\n`);
  writeFileSync(join(folder, "cgroup.procs"), processes);
  if (!root) writeFileSync(join(folder, "cgroup.type"), "domain\n");
  const mounts = `31 24 0:28 / ${mount} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n`;
  const kernel = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t80\t1\nmemory\t0\t80\t1\npids\t0\t80\t1\n";
  return { files: { membership: `0::${group}\n`, mounts, kernel }, folder };
}

describe("a controller's group", () => {
  test("is found in every layout", () => {
    const v1 = "30 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
    const v2 = "31 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    const hybrid = { membership: "4:memory:/app\n1:cpu,cpuacct:/\n0::/u\n", mounts: v1 + v2 };
    expect(controllerFolder("memory", hybrid)).toEqual({ version: 1, folder: "/sys/fs/cgroup/memory/app" });
    const alone = { membership: "0::/system.slice/x.service\n", mounts: "31 24 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n" };
    expect(controllerFolder("pids", alone)).toEqual({ version: 2, folder: "/sys/fs/cgroup/system.slice/x.service" });
    const container = {
      membership: "4:memory:/docker/abc/app\n",
      mounts: "30 24 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
    };
    expect(controllerFolder("memory", container)).toEqual({ version: 1, folder: "/sys/fs/cgroup/memory/app" });
    expect(controllerFolder("memory", { membership: "", mounts: "" })).toBeUndefined();
  });

  test("of a host that has moved into a child of its group is still that group", () => {
    const { files, folder } = unified({ group: "/urocket.service/urocket-host" });
    expect(controllerFolder("cpu", files)).toEqual({ version: 2, folder });
  });
});

describe("whether groups can be made", () => {
  const cause = (files: GroupFiles, controller: "memory" | "cpu" | "cpuacct" = "memory"): string => {
    const found = examineController(controller, files);
    return found.ok ? "none" : found.cause;
  };

  test("it can where the controller was handed on already, where this process is alone, and at the root", () => {
    expect(cause(unified({ given: "cpu memory pids", processes: "1\n2\n" }).files)).toBe("none");
    expect(cause(unified({ processes: `${process.pid}\n` }).files)).toBe("none");
    expect(cause(unified({ processes: "1\n2\n", root: true }).files)).toBe("none");
  });

  test("why not is told apart: other processes, no delegation, switched off, not mounted, not in sight", () => {
    expect(cause(unified({ processes: `${stranger}\n${process.pid}\n` }).files)).toBe("occupied");
    const { files } = unified({ controllers: "memory pids" });
    expect(cause(files, "cpu")).toBe("not-delegated");
    // A Raspberry Pi's kernel as it comes.
    const kernel = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t80\t1\nmemory\t0\t80\t0\n";
    expect(cause({ ...unified({ controllers: "cpuset cpu io pids" }).files, kernel })).toBe("switched-off");
    expect(cause({ membership: "", mounts: "", kernel })).toBe("switched-off");
    expect(cause({ membership: "", mounts: "" })).toBe("not-mounted");
    expect(cause({ ...files, membership: "0::/elsewhere\n" })).toBe("not-visible");
    expect(cause(files, "cpuacct")).toBe("not-needed");
  });

  test("what the machine has and this group not is not delegated, though newer kernels leave it out of /proc/cgroups", () => {
    const { files, folder } = unified({ controllers: "pids" });
    writeFileSync(join(folder, "..", "cgroup.controllers"), "memory pids\n");
    const kernel = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t80\t1\n";
    expect(cause({ ...files, kernel })).toBe("not-delegated");
  });

  test("looking changes nothing", () => {
    const { files, folder } = unified({ processes: `${process.pid}\n` });
    examineController("memory", files);
    expect(existsSync(join(folder, "urocket-host"))).toBe(false);
    expect(readFileSync(join(folder, "cgroup.subtree_control"), "utf8")).toBe("\n");
  });

  requireRoot("an ordinary user is told", () => {
    const { files, folder } = unified({ processes: "" });
    chmodSync(join(folder, ".."), 0o755);
    const script = `import { examineController } from ${JSON.stringify(join(import.meta.dir, "control-groups.ts"))};
      console.log(JSON.stringify(examineController("memory", ${JSON.stringify(files)})));`;
    const nobody = 65_534;
    const child = Bun.spawnSync([process.execPath, "-e", script], { uid: nobody, gid: nobody, env: {}, stderr: "inherit" });
    expect(JSON.parse(child.stdout.toString())).toEqual({
      ok: false,
      cause: "not-permitted",
      reason: `the control group ${folder} may not be written by user ${nobody}`,
    });
  });
});

describe("what is claimed", () => {
  test("is handed on by a host that is alone, which moves into a child", () => {
    const { files, folder } = unified({ processes: `${process.pid}\n` });
    expect(claimController("memory", files)).toEqual({ ok: true, place: { version: 2, folder } });
    expect(readFileSync(join(folder, "urocket-host", "cgroup.procs"), "utf8")).toBe(`${process.pid}`);
    expect(readFileSync(join(folder, "cgroup.subtree_control"), "utf8")).toBe("+memory");
  });

  test("is kept from being taken back, by a child without processes", () => {
    const { files, folder } = unified({ processes: `${process.pid}\n` });
    claimController("memory", files);
    expect(readFileSync(join(folder, "urocket-guard", "cgroup.subtree_control"), "utf8")).toBe("+memory");
  });

  describe("beside others in the group", () => {
    const [npx, shell, daemon] = [stranger, stranger + 1, stranger + 2];
    const beside = (other: number, group: string): { readonly files: GroupFiles; readonly folder: string } => {
      const { files, folder } = unified({ processes: `${other}\n${process.pid}\n`, group });
      // The shell leads the session of what it started, npx and this process; the daemon another.
      const session = shell;
      const lineage = [
        { pid: process.pid, session },
        { pid: npx, session },
        { pid: shell, session },
        { pid: daemon, session: daemon },
      ];
      return { files: { ...files, lineage }, folder };
    };

    test("is handed on where these only wait for this process, as npx does and a script; they move along", () => {
      for (const [other, group] of [
        [npx, "/urocket.service"],
        [shell, "/urocket.service"],
        [npx, "/run-r1.scope"],
      ] as const) {
        const { files, folder } = beside(other, group);
        expect(claimController("memory", files)).toEqual({ ok: true, place: { version: 2, folder } });
        // An ordinary file, which has what was written last.
        expect(readFileSync(join(folder, "urocket-host", "cgroup.procs"), "utf8")).toBe(`${other}`);
      }
    });

    test("is not where they start other things too: a login's shell, and a daemon, such as cron", () => {
      expect(claimController("memory", beside(shell, "/session-3.scope").files)).toMatchObject({ ok: false, cause: "occupied" });
      expect(claimController("memory", beside(daemon, "/cron.service").files)).toMatchObject({ ok: false, cause: "occupied" });
    });
  });

  test("is taken as it is where it was handed on before", () => {
    const { files, folder } = unified({ given: "memory", processes: "" });
    expect(claimController("memory", files)).toMatchObject({ ok: true });
    expect(existsSync(join(folder, "urocket-host"))).toBe(false);
  });

  test("is not where it cannot be", () => {
    expect(claimController("memory", unified({ processes: `${stranger}\n` }).files)).toMatchObject({ ok: false, cause: "occupied" });
  });
});
