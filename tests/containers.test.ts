/** Apps in containers, as a whole host runs them: what they reach and what they do not, their limits, and what a killed host leaves. */
import { describe, expect } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { type AppFolder, appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { leftInKernel } from "./left-in-kernel.ts";
import { processesMarked } from "./process-tree.ts";
import { type Serving, serve, serveInVain } from "./serving.ts";
import { requireContainers } from "./system-tools.ts";

/** Runs what it is sent, and says how that went: the app that everybody fears. */
const shell = `
export default {
  async fetch(request) {
    const child = Bun.spawn(await request.json(), { stdout: "pipe", stderr: "pipe" });
    const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    return Response.json({ code, out, err });
  },
};
`;

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const service = (more = ""): string => `sandbox: container\nfunctions: f.ts\n${more}`;

const shellApp = (more?: string): AppFolder => appOf({ "urocket-service.yaml": service(more), "f.ts": shell });

async function run(host: Serving, cmd: readonly string[], path = "/"): Promise<Ran> {
  const response = await fetch(host.url + path, { method: "POST", body: JSON.stringify(cmd) });
  const text = await response.text();
  if (response.status !== 200)
    throw new Error(`${response.status} ${text}\n${host.stderr()}\n${host.log.map((line) => JSON.stringify(line)).join("\n")}`);
  return JSON.parse(text) as Ran;
}

/** Calls of the kernel that a container may not make, and what each of them says, as JSON. */
const forbidden = `
import ctypes, errno, json, os, platform, socket
libc = ctypes.CDLL(None, use_errno=True)
arm = platform.machine() == "aarch64"
number = lambda x86, arm64: arm64 if arm else x86
said = {}
def call(what, name, *words):
  ctypes.set_errno(0)
  result = (libc.syscall if isinstance(name, int) else getattr(libc, name))(*([name] if isinstance(name, int) else []), *words)
  said[what] = errno.errorcode[ctypes.get_errno()] if result == -1 else "allowed"
def attempt(what, work):
  try:
    work()
    said[what] = "allowed"
  except OSError as error:
    said[what] = errno.errorcode[error.errno]
sleeper = os.fork()
if sleeper == 0:
  import signal
  signal.pause()
call("mount a file system", "mount", b"none", b"/tmp", b"tmpfs", 0, None)
call("bind /usr", "mount", b"/usr", b"/tmp", None, 4096, None)
call("make a user namespace", "unshare", 0x10000000)
call("enter a namespace", "setns", os.open("/proc/self/ns/net", os.O_RDONLY), 0)
attempt("chroot", lambda: os.chroot("/tmp"))
call("load a module", number(175, 105), b"", 0, b"")
call("be traced", "ptrace", 0, 0, None, None)
call("trace another", "ptrace", 16, sleeper, None, None)
call("read another's memory", "process_vm_readv", sleeper, None, 0, None, 0, 0)
attempt("become root", lambda: os.setuid(0))
attempt("open a raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
attempt("open a packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3))
attempt("make a device", lambda: os.mknod("/tmp/null", 0o20666, os.makedev(1, 3)))
os.kill(sleeper, 9)
print(json.dumps(said))
`;

const python = (code: string): readonly string[] => ["python3", "-c", code];
const container = requireContainers("python3");

describe("an app in a container", () => {
  container("serves, and sees its own files, processes and name alone", async () => {
    using app = shellApp();
    app.write("data.txt", "mine");
    await using host = await serve(app.folder);
    expect((await run(host, ["cat", "/app/data.txt"])).out).toBe("mine");
    const { out } = await run(host, ["sh", "-c", "ls -d /proc/[0-9]*; id -u; ls /root /home /etc/shadow /var 2>/dev/null | head -3"]);
    const lines = out.trim().split("\n");
    // init, the runner, sh, ls: nobody of the host.
    expect(lines.filter((line) => line.startsWith("/proc/")).length).toBeLessThanOrEqual(8);
    expect(lines.filter((line) => !line.startsWith("/proc/"))).toEqual(["1000"]);
  });

  container("is refused what is not its own", async () => {
    using app = shellApp();
    await using host = await serve(app.folder);
    const secret = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("the host's own") });
    try {
      const refused: Readonly<Record<string, readonly string[]>> = {
        "write to /app": ["sh", "-c", "echo x > /app/x"],
        "write to /usr": ["sh", "-c", "echo x > /usr/x"],
        "read shadow": ["cat", "/etc/shadow"],
        "set a sysctl": ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"],
        "the host's loopback": python(`import urllib.request; urllib.request.urlopen("http://127.0.0.1:${secret.port}", timeout=2)`),
      };
      for (const [what, cmd] of Object.entries(refused)) expect([what, (await run(host, cmd)).code === 0]).toEqual([what, false]);
      const { out, err } = await run(host, python(forbidden));
      expect([err, JSON.parse(out)]).toEqual([
        "",
        {
          "mount a file system": "EPERM",
          "bind /usr": "EPERM",
          "make a user namespace": "EPERM",
          "enter a namespace": "EPERM",
          chroot: "EPERM",
          "load a module": "EPERM",
          "be traced": "EPERM",
          "trace another": "EPERM",
          "read another's memory": "EPERM",
          "become root": "EPERM",
          "open a raw socket": "EPERM",
          "open a packet socket": "EAFNOSUPPORT",
          "make a device": "EPERM",
        },
      ]);
      // Its init is still there.
      expect((await run(host, ["sh", "-c", "kill -9 1; kill -0 1"])).code).toBe(0);
    } finally {
      await secret.stop(true);
    }
  });

  container("does not reach another app, and reaches its own instances", async () => {
    using one = shellApp("base: /one\n");
    // A daemon that says its address, and asks whom it is told to.
    using two = appOf({
      "urocket-service.yaml":
        "name: two\nbase: /two\nsandbox: container\nbalance: round-robin\nscale: { min: 2, max: 2 }\nservice: { cmd: bun d.ts, port: 9000 }\n",
      "d.ts": `
        import { networkInterfaces } from "node:os";
        Bun.serve({
          hostname: process.env.HOST,
          port: process.env.PORT,
          fetch: async (request) => {
            if (request.method === "POST") return new Response(await (await fetch(await request.text())).text());
            return new Response((networkInterfaces().eth0 ?? []).find(({ family }) => family === "IPv4")?.address);
          },
        });`,
    });
    await using host = await serve(one.folder, { folders: [two.folder] });
    const ask = async (body?: string): Promise<string> =>
      await (await fetch(`${host.url}/two`, { method: body === undefined ? "GET" : "POST", body })).text();
    const [first, second] = [await ask(), await ask()];
    for (const address of [first, second]) expect(address).toMatch(/^10\.\d+\.\d+\.\d+$/);
    expect(first).not.toBe(second);
    // In turn: the first asks the second, and the second the first.
    expect(await ask(`http://${second}:9000/`)).toBe(second);
    expect(await ask(`http://${first}:9000/`)).toBe(first);
    const get = python(`import urllib.request; print(urllib.request.urlopen("http://${first}:9000", timeout=2).read())`);
    expect((await run(host, get, "/one")).code).not.toBe(0);
    // From the host it is there.
    expect(await (await fetch(`http://${first}:9000`)).text()).toBe(first);
  });

  container(
    "whose daemon takes connections no more, and has no address, is asked in vain, and another answers whatever was sent",
    async () => {
      using app = appOf({
        "urocket-service.yaml":
          "sandbox: container\nnetwork: none\nbalance: round-robin\nscale: { min: 2, max: 2 }\nservice: { cmd: bun d.ts, health: { path: /, every: 1h } }\n",
        "d.ts": `
        const server = Bun.serve({
          hostname: process.env.HOST,
          port: process.env.PORT,
          fetch: async (request) => {
            if (request.url.endsWith("/deaf")) await server.stop(true);
            return new Response(await request.text());
          },
        });
        setInterval(() => {}, 60_000);`,
      });
      await using host = await serve(app.folder);
      const post = async (body: string): Promise<Response> => await fetch(host.url, { method: "POST", body });
      const instanceOf = (response: Response): string => response.headers.get("x-urocket-instance") ?? "";
      await eventually("both answer", async () => instanceOf(await post("")) !== instanceOf(await post("")));
      // It ends what it has with everything else.
      expect((await fetch(`${host.url}/deaf`, { method: "POST" })).status).toBe(502);
      const answers = [await post("all"), await post("of"), await post("it"), await post("!")];
      expect(await Promise.all(answers.map(async (response) => await response.text()))).toEqual(["all", "of", "it", "!"]);
      expect(new Set(answers.map(instanceOf)).size).toBe(1);
      const exchanges = await Promise.all(answers.map(({ headers }) => host.exchange(headers.get("x-request-id") ?? "")));
      expect(exchanges.map(({ attempts }) => attempts)).toContain(2);
    },
  );

  container("is held to its limits, and told which one it reached", async () => {
    using app = shellApp("limits: { memory: 96Mi, pids: 32, tmp: 4Mi }\nscale: { max: 1 }\n");
    await using host = await serve(app.folder);
    const full = await run(host, ["sh", "-c", "head -c 16M /dev/zero > /tmp/fill"]);
    expect([full.code === 0, full.err]).toEqual([false, expect.stringContaining("No space left")]);
    const bomb = await run(
      host,
      python(`
import os, signal
children = []
try:
  for _ in range(64):
    child = os.fork()
    if child == 0: signal.pause()
    children.append(child)
except OSError as error:
  print(error.errno, flush=True)
for child in children: os.kill(child, 9)
`),
    );
    expect(bomb.out).toContain("11");
  });
});

describe("a root filesystem of the app's own", () => {
  requireContainers("busybox")("needs nothing but a shell for a program that replies", async () => {
    using app = appOf({
      "urocket-service.yaml": "sandbox: container\nrootfs: rootfs\npaths:\n  /hi:\n    get: { inject: { cmd: sh hi.sh } }\n",
      "hi.sh": "urocket reply <<END\n$(id -u) in $(echo /*)\nEND\n",
    });
    mkdirSync(app.path("rootfs/bin"), { recursive: true });
    copyFileSync(Bun.which("busybox") ?? "", app.path("rootfs/bin/busybox"));
    for (const name of ["sh", "id"]) symlinkSync("busybox", app.path(`rootfs/bin/${name}`));
    await using host = await serve(app.folder);
    expect(await (await fetch(`${host.url}/hi`)).text()).toBe("1000 in /app /bin /data /dev /etc /proc /run /tmp\n");
  });
});

describe("an app that containers may not read", () => {
  container("does not start, and the file is named with what to do", async () => {
    using app = appOf({ "urocket-service.yaml": "sandbox: container\nservice: { cmd: bun server.ts }\n", "server.ts": "" });
    const file = app.path("server.ts");
    chmodSync(file, 0o600);
    const { exitCode, stderr } = await serveInVain(app.folder);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`\n  ${file} cannot be read in its containers, whose user is none of the host's: chmod o+rX ${file}\n`);
  });
});

describe("a host that is killed", () => {
  container(
    "leaves twenty containers, and the next one cleans up and serves",
    async () => {
      using app = appOf({
        "urocket-service.yaml": "sandbox: container\nscale: { min: 20, max: 20 }\nfunctions: f.ts\n",
        "f.ts": "export default { fetch: () => new Response('here') };\n",
      });
      const killed = await serve(app.folder, { flags: ["--spares", "0"] });
      await eventually("all twenty run", () => killed.runners().length === 20, 60_000);
      killed.signal("SIGKILL");
      await killed.exited;
      await using next = await serve(app.folder, { flags: ["--spares", "0"] });
      expect(await (await fetch(next.url)).text()).toBe("here");
      await eventually(
        () => `nothing of it is left, but there are ${leftInKernel(killed.pid).join(", ")}`,
        () => leftInKernel(killed.pid).length === 0 && processesMarked([`/urocket-${killed.pid}-`]).length === 0,
      );
    },
    120_000,
  );
});
