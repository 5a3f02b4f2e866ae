/** Real containers of both runtimes, and what may not be done in them, tried from inside. */
import { describe, expect } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../../tests/eventually.ts";
import { requireRoot, requireThat, requireTool } from "../../tests/system-tools.ts";
import { ContainerTrial, confinementOf, makeFolder } from "./container-trial.ts";
import { openContainers } from "./container.ts";
import { detectMemoryAccounting, makeGroups, removeInstanceGroups } from "./instance-groups.ts";
import { readMounts } from "./mounts.ts";
import { mappedUser } from "./oci-config.ts";
import { processStart, processState } from "./process-figures.ts";

const isRoot = process.getuid?.() === 0;
const inContainers = isRoot ? requireTool("runc", "crun", "tini") : requireRoot;
const withPython = isRoot ? requireTool("runc", "crun", "tini", "python3") : requireRoot;
const withBusybox = isRoot ? requireTool("runc", "crun", "tini", "busybox") : requireRoot;
const hasGroups = isRoot && detectMemoryAccounting().kind === "cgroup";
const inGroups = hasGroups ? inContainers : requireThat(false, "control groups that can be written");
const withPythonInGroups = hasGroups ? withPython : inGroups;
const runtimes = ["crun", "runc"] as const;

/** Makes processes until that is refused, says how many and how, and ends them. */
const forks = `
import errno, os, signal
made, how = [], "allowed"
try:
    while len(made) < 60:
        pid = os.fork()
        if pid == 0: signal.pause()
        made.append(pid)
except OSError as error:
    how = errno.errorcode[error.errno]
for pid in made:
    os.kill(pid, 9)
    os.waitpid(pid, 0)
print(how, "after", len(made))
`;

/** Tries in Python what a C program would, and says for each whether it was allowed or how it was refused. */
const attempts = `
import ctypes, errno, json, os, platform, socket
libc = ctypes.CDLL(None, use_errno=True)
arm = platform.machine() == "aarch64"
found = {}
def attempt(name, act):
    try:
        act()
        found[name] = "allowed"
    except OSError as error:
        found[name] = errno.errorcode.get(error.errno, str(error.errno))
    except ValueError as error:
        found[name] = str(error)
def check(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), "")
def call(x64, arm64, *rest):
    check(libc.syscall(arm64 if arm else x64, *rest))
def write(path, text):
    with open(path, "w") as file: file.write(text)
port = int(os.environ["PORT"])
attempt("read a file of the host", lambda: open(os.environ["HOST_FILE"]))
attempt("read the shadow file", lambda: open("/etc/shadow"))
attempt("list root's home", lambda: os.listdir("/root"))
attempt("read through PID 1's root", lambda: os.listdir("/proc/1/root/"))
attempt("read PID 1's environment", lambda: open("/proc/1/environ").read())
attempt("signal a process of the host", lambda: os.kill(int(os.environ["HOST_PID"]), 0))
attempt("connect to the host's loopback", lambda: socket.create_connection(("127.0.0.1", port), 2))
attempt("write to /app", lambda: write("/app/new", ""))
attempt("remove from /app", lambda: os.unlink("/app/file"))
attempt("write to /usr", lambda: write("/usr/new", ""))
attempt("write to /", lambda: write("/new", ""))
attempt("write to /.urocket", lambda: write("/.urocket/etc/hosts", ""))
attempt("write to /data", lambda: write("/data/new", ""))
attempt("open a raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
attempt("open a packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
attempt("mount", lambda: check(libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None)))
attempt("unmount", lambda: check(libc.umount2(b"/app", 2)))
attempt("remount /app writable", lambda: check(libc.mount(None, b"/app", None, 0x1020, None)))
attempt("look into PID 1", lambda: check(libc.ptrace(16, 1, 0, 0)))
attempt("read PID 1's memory", lambda: open("/proc/1/mem", "rb"))
attempt("load a module", lambda: call(175, 105, b"", 0, b""))
attempt("unload a module", lambda: call(176, 106, b"none", 0))
attempt("make a user namespace", lambda: check(libc.unshare(0x10000000)))
attempt("make a mount namespace", lambda: check(libc.unshare(0x00020000)))
attempt("make a namespace by clone", lambda: call(56, 220, 0x10000000 | 17, 0, 0, 0, 0))
attempt("make a namespace by clone3", lambda: call(435, 435, (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17), 88))
attempt("enter PID 1's namespaces", lambda: check(libc.setns(os.open("/proc/self/ns/mnt", os.O_RDONLY), 0)))
attempt("chroot", lambda: os.chroot("/tmp"))
attempt("become root", lambda: os.setuid(0))
attempt("set the clock", lambda: check(libc.settimeofday((ctypes.c_long * 2)(0, 0), None)))
attempt("set the host's name", lambda: socket.sethostname("x"))
attempt("write to /proc/sys", lambda: write("/proc/sys/kernel/hostname", "x"))
attempt("write to /proc/sysrq-trigger", lambda: write("/proc/sysrq-trigger", "h"))
attempt("make a device", lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0)))
attempt("open the kernel's log", lambda: open("/dev/kmsg"))
attempt("open the memory", lambda: open("/dev/mem"))
attempt("read the kernel's log", lambda: check(libc.klogctl(3, ctypes.create_string_buffer(64), 64)))
attempt("load a BPF program", lambda: call(321, 280, 5, None, 0))
attempt("watch the machine by perf", lambda: call(298, 241, None, 0, -1, -1, 0))
attempt("use the kernel's keys", lambda: call(250, 219, 0, -3, 0))
attempt("reboot", lambda: call(169, 142, 0xfee1dead, 672274793, 0x89abcdef, None))
attempt("see control groups", lambda: os.listdir("/sys/fs/cgroup"))
attempt("raise a limit", lambda: __import__("resource").setrlimit(7, (1 << 30, 1 << 30)))
found["devices"] = sorted(os.listdir("/dev"))
found["processes"] = [int(name) for name in os.listdir("/proc") if name.isdigit()]
status = open("/proc/self/status").read()
found["status"] = {line.split(":")[0]: line.split(":")[1].split()[0] for line in status.splitlines() if line.startswith(("NoNewPrivs", "Seccomp:", "CapEff", "CapBnd", "CapPrm", "CapAmb", "CapInh", "Uid"))}
print(json.dumps(found))
`;

describe.each(runtimes)("a container by %s", (runtime) => {
  withPython("refuses what would reach out of it", async () => {
    await using trial = new ContainerTrial({ runtime });
    using service = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
    const secret = join(trial.folder, "host-secret");
    writeFileSync(secret, "secret");
    writeFileSync(join(trial.app, "file"), "");
    chmodSync(trial.app, 0o777);
    writeFileSync(join(trial.app, "attempts.py"), attempts);
    const script = `const env = { PATH: process.env.PATH, PORT: "${service.port}", HOST_FILE: "${secret}", HOST_PID: "${process.pid}" };
       const python = Bun.spawnSync({ cmd: ["python3", "/app/attempts.py"], env, stderr: "pipe" });
       say(python.success ? JSON.parse(python.stdout.toString()) : python.stderr.toString());`;
    const first = await (await trial.start(script, confinementOf(trial.app))).said();
    // The second has the system call filter of the first.
    const container = await trial.start(script, confinementOf(trial.app));
    const second = await container.said();
    expect(withoutProcesses(second)).toEqual(withoutProcesses(first));
    const { devices, processes, status, ...tried } = second as Record<string, string> & {
      devices: string[];
      processes: number[];
      status: Record<string, string>;
    };
    expect(Object.keys(tried).length).toBeGreaterThan(35);
    expect(Object.entries(tried).filter(([, how]) => how === "allowed")).toEqual([]);
    expect(tried).toMatchObject({
      "read a file of the host": "ENOENT",
      "read the shadow file": "ENOENT",
      "list root's home": "ENOENT",
      "signal a process of the host": "ESRCH",
      "connect to the host's loopback": "ECONNREFUSED",
      "write to /app": "EROFS",
      "write to /proc/sys": "EROFS",
      "open a raw socket": "EPERM",
      mount: "EPERM",
      "look into PID 1": "EPERM",
      "make a namespace by clone3": "ENOSYS",
      "become root": "EPERM",
    });
    expect(devices.filter((name) => !["core", "fd", "stdin", "stdout", "stderr", "ptmx", "pts", "shm", "mqueue"].includes(name))).toEqual([
      "full",
      "null",
      "random",
      "tty",
      "urandom",
      "zero",
    ]);
    expect(processes.length).toBeLessThan(5);
    const none = "0000000000000000";
    expect(status).toEqual({
      Uid: "1000",
      NoNewPrivs: "1",
      Seccomp: "2",
      CapInh: none,
      CapPrm: none,
      CapEff: none,
      CapBnd: none,
      CapAmb: none,
    });
    expect(existsSync(join(trial.app, "file"))).toBe(true);
  });

  inContainers("has programs, names, a clock's place, and room for temporary files within a limit", async () => {
    await using trial = new ContainerTrial({ runtime });
    writeFileSync(join(trial.app, "hello.sh"), "#!/bin/sh\necho hello from $PWD as $(id -un)\n", { mode: 0o755 });
    const container = await trial.start(
      `const { writeFileSync } = await import("node:fs");
       const hello = Bun.spawnSync({ cmd: ["/app/hello.sh"], cwd: "/app" }).stdout.toString();
       let filled = "allowed";
       try { writeFileSync("/tmp/large", Buffer.alloc(3 << 20)); } catch (error) { filled = error.code; }
       writeFileSync("/tmp/small", "");
       let run = "allowed";
       try { for (let i = 0; i < 4; i++) writeFileSync("/run/large-" + i, Buffer.alloc(1 << 20)); } catch (error) { run = error.code; }
       const { hostname } = await import("node:os");
       const { readFileSync } = await import("node:fs");
       say({ hello, filled, run, hostname: hostname(), hosts: readFileSync("/etc/hosts", "utf8"), bun: Bun.which("bun"), urocket: Bun.which("urocket") });`,
      confinementOf(trial.app, { limits: { tmpBytesMax: 2 << 20 } }),
    );
    const hostname = container.instance.slice(-12);
    expect(await container.said()).toEqual({
      hello: "hello from /app as app\n",
      filled: "ENOSPC",
      run: "ENOSPC",
      hostname,
      hosts: expect.stringContaining(hostname),
      bun: "/.urocket/bin/bun",
      urocket: "/.urocket/bin/urocket",
    });
  });

  inContainers("gets its app after its start: files, functions and secrets, read-only", async () => {
    await using trial = new ContainerTrial({ runtime });
    const [bundle, secrets] = [join(trial.folder, "bundle"), join(trial.folder, "secrets")];
    for (const folder of [bundle, secrets]) mkdirSync(folder);
    writeFileSync(join(trial.app, "file"), "of the app");
    writeFileSync(join(bundle, "functions.js"), "of the bundle");
    for (const file of [join(trial.app, "file"), join(bundle, "functions.js")]) chmodSync(file, 0o666);
    writeFileSync(join(secrets, "KEY"), "of the operator", { mode: 0o400 });
    chmodSync(secrets, 0o700);
    const container = await trial.start(`
      const { readFileSync, readdirSync, writeFileSync } = await import("node:fs");
      say("waiting");
      const places = JSON.parse(await heard());
      const attempt = (path) => { try { writeFileSync(path, ""); return "allowed"; } catch (error) { return error.code; } };
      say({ texts: places.map((path) => readFileSync(path, "utf8")), written: places.map(attempt) });`);
    expect(await container.said()).toBe("waiting");
    const app = confinementOf(trial.app, { bundle, secrets });
    expect((await trial.open()).takesSpare(app)).toBe(true);
    const programs = { programs: true, functions: false, service: false };
    expect((await trial.open()).takesSpare({ ...app, content: programs, limits: { pidsMax: 64 } })).toBe(false);
    const confined = await container.process.confine(app);
    const { runFolder, ownNetwork } = confined;
    const places = [join(trial.app, "file"), join(bundle, "functions.js"), join(secrets, "KEY")].map((path) => confined.inside(path));
    expect(places).toEqual(["/app/file", "/.urocket/functions/functions.js", "/.urocket/secrets/KEY"]);
    expect({ runFolder, ownNetwork }).toEqual({ runFolder: "/run", ownNetwork: true });
    container.tell(JSON.stringify(places));
    expect(await container.said()).toEqual({
      texts: ["of the app", "of the bundle", "of the operator"],
      written: ["EROFS", "EACCES", "EACCES"],
    });
  });

  inContainers("keeps what it writes to /data, which nobody else may read", async () => {
    await using trial = new ContainerTrial({ runtime });
    const data = join(trial.folder, "data");
    mkdirSync(data, { mode: 0o700 });
    const app = confinementOf(trial.app, { data });
    expect((await trial.open()).takesSpare(app)).toBe(false);
    writeFileSync(join(data, "before"), "", { mode: 0o600 });
    const container = await trial.start(
      `const { appendFileSync } = await import("node:fs"); for (const name of ["kept", "before"]) appendFileSync("/data/" + name, "kept"); say("done");`,
      app,
    );
    await container.said();
    for (const name of ["kept", "before"]) expect(readFileSync(join(data, name), "utf8")).toBe("kept");
    expect(statSync(data)).toMatchObject({ uid: mappedUser, gid: mappedUser });
    const confined = await container.process.confine(app);
    expect(confined.inside(join(data, "kept"))).toBe("/data/kept");
  });

  withBusybox("runs in a root filesystem of the user's that has no C library", async () => {
    await using trial = new ContainerTrial({ runtime });
    const rootfs = join(trial.folder, "rootfs");
    mkdirSync(join(rootfs, "bin"), { recursive: true });
    mkdirSync(join(rootfs, "etc"));
    writeFileSync(join(rootfs, "etc/motto"), "small");
    writeFileSync(join(rootfs, "bin/busybox"), readFileSync(Bun.which("busybox") ?? ""), { mode: 0o755 });
    Bun.spawnSync(["ln", "-s", "busybox", join(rootfs, "bin/sh")]);
    const app = confinementOf(trial.app, { rootfs });
    expect((await trial.open()).takesSpare(app)).toBe(false);
    const container = await trial.start(
      `const { readdirSync } = await import("node:fs");
       const shell = Bun.spawnSync({ cmd: ["/bin/sh", "-c", "read motto < /etc/motto; echo $motto; bun -e 'console.log(6 * 7)'"], env: { PATH: process.env.PATH } });
       say({ root: readdirSync("/").sort(), said: shell.stdout.toString(), hosts: readdirSync("/etc").includes("hosts") });`,
      app,
    );
    expect(await container.said()).toEqual({
      root: [".urocket", "app", "bin", "data", "dev", "etc", "proc", "run", "tmp"],
      said: "small\n42\n",
      hosts: true,
    });
    expect(readdirSync(rootfs).toSorted()).toEqual(["bin", "etc"]);
  });

  inContainers("without a network of the host's listens on whatever port it likes", async () => {
    await using trial = new ContainerTrial({ runtime });
    const script = `say(Bun.serve({ hostname: "127.0.0.1", port: 80, fetch: () => new Response("") }).port);`;
    expect(await (await trial.start(script, confinementOf(trial.app))).said()).toBe(80);
  });

  inContainers("is stopped in place and goes on, and its runner is known as the host sees it", async () => {
    await using trial = new ContainerTrial({ runtime });
    const container = await trial.start(`say(process.pid); for (;;) say(await heard());`, confinementOf(trial.app));
    expect(await container.said()).toBeGreaterThan(1);
    await container.process.confine(confinementOf(trial.app));
    const pid = await eventually("the runner's pid", () => container.process.pid);
    expect(statSync(`/proc/${pid}`).uid).toBe(mappedUser);
    container.process.pause();
    await eventually("the runner is stopped", () => processState(pid) === "T");
    container.tell("on");
    container.process.resume();
    expect(await container.said()).toBe("on");
  });

  inContainers("tells how its runner ended, and its last words", async () => {
    await using trial = new ContainerTrial({ runtime });
    const ends = await Promise.all(
      [`process.exit(7);`, `process.kill(process.pid, "SIGABRT");`].map(async (end) => {
        const { process } = await trial
          .start(`console.error("my last words"); say("up"); await heard(); ${end}`, confinementOf(trial.app))
          .then(async (container) => {
            await container.said();
            container.tell("end");
            return container;
          });
        return [await process.ended, process.lastWords()];
      }),
    );
    expect(ends[0]).toEqual(["exited with status 7", "my last words"]);
    expect(ends[1]?.[0]).toBe("was killed by SIGABRT");
  });

  inContainers("ends with all that it started, and nothing of it is left", async () => {
    const trial = new ContainerTrial({ runtime });
    const container = await trial.start(
      `const child = Bun.spawn({ cmd: ["/bin/sh", "-c", "trap '' TERM; setsid sleep 1000 & sleep 1000"], stdio: ["ignore", "ignore", "ignore"] });
       say(child.pid);`,
    );
    await container.said();
    const app = confinementOf(trial.app);
    await container.process.confine(app);
    const children = await eventually("its processes", () => {
      const pids = processesOf(container.instance);
      return pids.length >= 2 ? pids : undefined;
    });
    const starts = children.map(processStart);
    container.process.kill();
    expect(await container.process.ended).toBe("was killed by SIGKILL");
    await container.process.remove();
    expect(children.filter((pid, i) => processStart(pid) !== undefined && processStart(pid) === starts[i])).toEqual([]);
    expect(groupsOf(container.instance)).toEqual([]);
    expect(readdirSync(join(trial.folder, "containers")).filter((name) => container.instance.endsWith(name))).toEqual([]);
    await trial[Symbol.asyncDispose]();
    expect(existsSync(trial.folder)).toBe(false);
    expect(readMounts().filter(({ point }) => point.startsWith(trial.folder))).toEqual([]);
  });

  inContainers("is not started when it is killed at once, and can be removed all the same", async () => {
    await using trial = new ContainerTrial({ runtime });
    const container = await trial.start(`say("up");`);
    container.process.kill();
    expect(await container.process.ended).toMatch(/^was (ended before it was started|killed by SIGKILL)$/);
    await expect(container.process.confine(confinementOf(trial.app))).rejects.toThrow();
    await container.process.remove();
    expect(groupsOf(container.instance)).toEqual([]);
  });

  inGroups("does not start where it would be outside of its control groups", async () => {
    await using trial = new ContainerTrial({ runtime });
    const container = await trial.start(`say("up");`, confinementOf(trial.app));
    const groups = makeGroups(container.instance, "container");
    // Of version 2 runc makes the group itself: it is never outside.
    if (runtime === "runc" && groups.births.some(({ version }) => version === 2)) return;
    // The same groups, which are gone when it comes to starting the runtime.
    removeInstanceGroups(groups);
    expect(await container.process.ended).toMatch(/^could not be started: .*control groups/);
    await container.process.remove();
    expect(groupsOf(container.instance)).toEqual([]);
  });

  inContainers("tells why when it cannot be started", async () => {
    await using trial = new ContainerTrial({ runtime });
    const missing = join(trial.folder, "none");
    const container = await trial.start(`say("up");`, confinementOf(missing));
    expect(await container.process.ended).toMatch(/^could not be started: .*none/);
    await container.process.remove();
    expect(groupsOf(container.instance)).toEqual([]);
  });

  withPythonInGroups("holds limits of memory, CPU and processes, and tells its use", async () => {
    await using trial = new ContainerTrial({ runtime });
    writeFileSync(join(trial.app, "forks.py"), forks);
    const app = confinementOf(trial.app, { limits: { memoryBytesMax: 128 << 20, cpuMax: 0.5, pidsMax: 30 } });
    const container = await trial.start(
      `say("up"); await heard();
       say(Bun.spawnSync({ cmd: ["python3", "/app/forks.py"] }).stdout.toString());
       await heard();
       for (const held = []; ; ) held.push(Buffer.alloc(1 << 20, 1));`,
      app,
    );
    await container.said();
    expect((await container.process.confine(app)).notHeld.filter((words) => words.startsWith("limits"))).toEqual([]);
    container.tell("fork");
    expect(await container.said()).toMatch(/^EAGAIN after [12]\d\n$/);
    expect(container.process.usage().pidsRefused).toBeGreaterThan(0);
    container.tell("fill");
    expect(await container.process.ended).toBe("was killed by SIGKILL");
    const { oomKills, memoryPeakBytes } = container.process.usage();
    expect(oomKills).toBeGreaterThan(0);
    expect(memoryPeakBytes).toBeLessThanOrEqual(128 << 20);
  });
});

withPython("an ordinary user's container is that user, has a loopback alone, and holds its limit of processes", async () => {
  const script = `
    const { ContainerTrial, confinementOf } = await import(${JSON.stringify(join(import.meta.dir, "container-trial.ts"))});
    await using trial = new ContainerTrial();
    const app = confinementOf(trial.app, { limits: { pidsMax: 40, memoryBytesMax: 64 << 20 } });
    const takesSpare = (await trial.open()).takesSpare(app);
    require("node:fs").writeFileSync(trial.app + "/forks.py", ${JSON.stringify(forks)});
    const { process: container, said } = await trial.start(\`
      const interfaces = Object.keys((await import("node:os")).networkInterfaces());
      say({ interfaces, forked: Bun.spawnSync({ cmd: ["python3", "/app/forks.py"] }).stdout.toString() });\`, app);
    const { notHeld, address, ownNetwork, memoryWatchedBytesMax } = await container.confine(app);
    console.log(JSON.stringify({ takesSpare, said: await said(), notHeld, address, ownNetwork, memoryWatchedBytesMax }));`;
  const asNobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", process.execPath, "-e", script];
  const { stdout, stderr } = Bun.spawnSync(asNobody, { cwd: "/", env: { PATH: process.env["PATH"] ?? "" } });
  expect(stderr.toString()).toBe("");
  expect(JSON.parse(stdout.toString())).toEqual({
    takesSpare: false,
    said: { interfaces: ["lo"], forked: expect.stringMatching(/^EAGAIN after [123]\d\n$/) },
    notHeld: [expect.stringMatching(/^limits\.memory/)],
    ownNetwork: true,
    memoryWatchedBytesMax: 64 << 20,
  });
});

inContainers("many containers start and end at once", async () => {
  await using trial = new ContainerTrial();
  const containers = await Promise.all(
    Array.from({ length: 8 }, async (_, i) => await trial.start(`say("up");`, i % 2 === 0 ? undefined : confinementOf(trial.app))),
  );
  expect(await Promise.all(containers.map((container) => container.said()))).toEqual(Array(8).fill("up"));
  await Promise.all(containers.map((container) => container.process.confine(confinementOf(trial.app))));
  for (const { process } of containers) process.kill();
  await Promise.all(containers.map(({ process }) => process.ended));
  await Promise.all(containers.map(({ process }) => process.remove()));
  expect(containers.flatMap(({ instance }) => groupsOf(instance))).toEqual([]);
});

inContainers("a host that lets nobody read what it makes starts containers all the same, from apps in closed folders", async () => {
  const umask = process.umask(0o077);
  try {
    await using trial = new ContainerTrial();
    const closed = join(trial.folder, "closed");
    const [folder, bundle] = [join(closed, "app"), join(closed, "bundle")];
    for (const path of [folder, bundle]) mkdirSync(path, { recursive: true });
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, "file"), "of the app");
    chmodSync(join(folder, "file"), 0o644);
    writeFileSync(join(bundle, "functions.js"), "of the bundle");
    const container = await trial.start(
      `const { readFileSync } = await import("node:fs");
       say(["/app/file", "/.urocket/functions/functions.js", "/etc/hosts"].map((path) => readFileSync(path, "utf8").length));`,
      confinementOf(folder, { bundle }),
    );
    expect(await container.said()).toEqual([10, 13, expect.any(Number)]);
  } finally {
    process.umask(umask);
  }
});

inContainers("a run folder through which nobody passes is refused, with what to do", async () => {
  const folder = makeFolder();
  try {
    chmodSync(folder, 0o700);
    await expect(openContainers({ folder })).rejects.toMatchObject({
      message: `Cannot run containers from ${folder}: only its owner passes through ${folder}`,
      hint: expect.stringContaining(`chmod o+x ${folder}`),
    });
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

inContainers("containers go on to start when somebody ends the shell that holds their mounts", async () => {
  await using trial = new ContainerTrial();
  const first = await trial.start(`say("up"); await heard(); say((await import("node:fs")).readFileSync("/app/file", "utf8"));`);
  await first.said();
  const holder = Number(/--mount=\/proc\/(\d+)\//.exec((await trial.open()).mounts()?.prefix.join(" ") ?? "")?.[1]);
  process.kill(holder, "SIGKILL");
  await eventually("its end is noticed", async () => (await trial.open()).mounts()?.prefix.join(" ").includes(`/${holder}/`) === false);
  // One that waits for its app there gets it all the same: another process is in there with what was mounted.
  writeFileSync(join(trial.app, "file"), "of the app");
  await first.process.confine(confinementOf(trial.app));
  first.tell("go");
  expect(await first.said()).toBe("of the app");
  const second = await trial.start(`say("up");`, confinementOf(trial.app));
  expect(await second.said()).toBe("up");
});

function withoutProcesses(found: unknown): object {
  return { ...(found as object), processes: [] };
}

function processesOf(instance: string): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && environmentOf(pid).includes(`UROCKET_INSTANCE=${instance}`));
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return "";
  }
}

/** Control groups of an instance, in every hierarchy. By find(1), which does not mind that others' come and go meanwhile. */
function groupsOf(instance: string): string[] {
  const points = readMounts().flatMap(({ type, point }) => (type === "cgroup" || type === "cgroup2" ? [point] : []));
  const { stdout } = Bun.spawnSync(["find", ...points, "-type", "d", "-name", `urocket-*${instance}`], { stderr: "ignore" });
  return stdout.toString().split("\n").filter(Boolean);
}
