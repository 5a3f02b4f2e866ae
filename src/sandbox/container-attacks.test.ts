/** What apps in containers could do to the machine itself, and what it must not feel. */
import { describe, expect } from "bun:test";
import { statSync } from "node:fs";
import { requireRoot, requireTool } from "../../tests/system-tools.ts";
import { ContainerTrial, confinementOf } from "./container-trial.ts";
import { inotifyInstancesMax } from "./user-namespace-limits.ts";

const inContainers = process.getuid?.() === 0 ? requireTool("runc", "crun", "tini") : requireRoot;
const withPython = process.getuid?.() === 0 ? requireTool("runc", "crun", "tini", "python3") : requireRoot;

describe.each(["crun", "runc"] as const)("a container by %s", (runtime) => {
  inContainers("does not own the machine's devices, and may not change them", async () => {
    await using trial = new ContainerTrial({ runtime });
    const script = `const { chmodSync, statSync } = await import("node:fs");
      const changed = ["full", "null", "random", "tty", "urandom", "zero"].filter((name) => {
        const { mode, uid } = statSync("/dev/" + name);
        if (uid === process.getuid()) return true;
        try { chmodSync("/dev/" + name, mode & 0o7777); return true; } catch { return false; }
      });
      say(changed);`;
    expect(await (await trial.start(script, confinementOf(trial.app))).said()).toEqual([]);
    expect(statSync("/dev/null").uid).toBe(0);
  });

  withPython("does not use up what the kernel grants the machine's own services", async () => {
    await using trial = new ContainerTrial({ runtime });
    const script = `say("here");
      await heard();
      const python = Bun.spawnSync(["python3", "-c", \`
import ctypes
libc = ctypes.CDLL(None)
print(sum(1 for _ in range(1000) if libc.inotify_init1(0) >= 0))
\`]);
      say(Number(python.stdout.toString()));`;
    const app = confinementOf(trial.app);
    const container = await trial.start(script, app);
    await container.process.confine(app);
    await container.said();
    container.tell("go");
    expect(await container.said()).toBe(inotifyInstancesMax);
  });

  withPython("reaches nobody past its network namespace", async () => {
    await using trial = new ContainerTrial({ runtime });
    const script = `const python = Bun.spawnSync(["python3", "-c", \`
import errno, json, socket
found = {}
for name, family, kind, protocol in (("unix", 1, 1, 0), ("inet", 2, 1, 0), ("inet6", 10, 2, 0), ("route", 16, 3, 0), ("audit", 16, 3, 9), ("vsock", 40, 1, 0), ("alg", 38, 5, 0), ("x25", 9, 5, 0)):
    try:
        socket.socket(family, kind, protocol).close()
        found[name] = "allowed"
    except OSError as error:
        found[name] = errno.errorcode[error.errno]
print(json.dumps(found))
\`]);
      say(python.success ? JSON.parse(python.stdout.toString()) : python.stderr.toString());`;
    expect(await (await trial.start(script, confinementOf(trial.app))).said()).toEqual({
      unix: "allowed",
      inet: "allowed",
      inet6: "allowed",
      route: "allowed",
      audit: "EINVAL",
      vsock: "EAFNOSUPPORT",
      alg: "EAFNOSUPPORT",
      x25: "ENOSYS",
    });
  });
});
