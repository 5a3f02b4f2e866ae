import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { requireRoot, requireTool } from "../../tests/system-tools.ts";
import { examineContainers } from "./container-examine.ts";
import { findContainerTools } from "./container-tools.ts";
import type { Finding } from "./finding.ts";
import { installCommand, packages } from "./packages.ts";

const isRoot = process.getuid?.() === 0;
const inContainers = isRoot ? requireTool("runc", "crun", "tini") : requireRoot;

describe("what this machine has for containers", () => {
  inContainers("is told, up to a container that starts", async () => {
    const findings = await examineContainers();
    expect(findings.map(({ what, state }) => [what, state])).toEqual([
      ["OCI runtime", "ok"],
      ["container init", "ok"],
      ["mount tools", "ok"],
      ["user namespaces", "ok"],
      ["seccomp", "ok"],
      ["/proc", "ok"],
      ["user ids", expect.stringMatching(/^(ok|limited)$/)],
      ["a container", "ok"],
    ]);
  });

  /** Runs the look elsewhere: as somebody else, or where something is covered. */
  const runBy = (prefix: readonly string[], file: string, expression: string): unknown => {
    const script = `const found = await import(${JSON.stringify(join(import.meta.dir, file))}); console.log(JSON.stringify(await ${expression}));`;
    const { stdout, stderr } = Bun.spawnSync([...prefix, process.execPath, "-e", script], { env: { PATH: "/usr/bin:/bin" } });
    if (stdout.length === 0) throw new Error(stderr.toString());
    return JSON.parse(stdout.toString());
  };
  const examineBy = (...prefix: string[]): Finding[] => runBy(prefix, "container-examine.ts", "found.examineContainers()") as Finding[];
  const after = (command: string): string[] => ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", `${command} && exec "$0" "$@"`];
  /** Covered by a file that cannot be executed. */
  const without = (...tools: string[]): string[] =>
    after(
      tools
        .flatMap((tool) => Bun.which(tool, { PATH: "/usr/bin:/usr/sbin" }) ?? [])
        .map((file) => `mount --bind /dev/null ${file}`)
        .join(" && "),
    );
  const inits = ["tini", "tini-static", "docker-init", "catatonit", "dumb-init"];

  inContainers("an ordinary user has containers with less", () => {
    const findings = examineBy("/usr/bin/setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups");
    expect(findings.map(({ what }) => what)).not.toContain("user ids");
    expect(findings.at(-1)).toMatchObject({ what: "a container", state: "ok" });
  });

  inContainers("a machine without runtime and init hears what to install", () => {
    const findings = examineBy(...without("crun", "runc", ...inits));
    const missing = findings.filter(({ state }) => state === "missing");
    expect(missing.map(({ what }) => what)).toEqual(["OCI runtime", "container init"]);
    expect(missing[0]?.detail).toContain("neither crun nor runc is there");
    expect(missing[0]?.fix).toContain("crun");
    expect(missing[1]?.fix).toMatch(/tini|catatonit/);
    expect(findings.some(({ what }) => what === "a container")).toBe(false);
  });

  inContainers("a /proc that is covered is found to be", () => {
    const findings = examineBy(...after("mount -t tmpfs tmpfs /proc/bus"));
    expect(findings.find(({ what }) => what === "/proc")).toMatchObject({ state: "missing", detail: expect.stringContaining("/proc/bus") });
  });

  inContainers("without user namespaces it says which setting forbids them", () => {
    const file = "/tmp/urocket-none-$$";
    const findings = examineBy(...after(`printf 0 > ${file} && mount --bind ${file} /proc/sys/user/max_user_namespaces && rm -f ${file}`));
    expect(findings.find(({ what }) => what === "user namespaces")).toEqual({
      what: "user namespaces",
      state: "missing",
      detail: "user.max_user_namespaces is 0",
      fix: "sysctl -w user.max_user_namespaces=15000",
    });
  });

  inContainers("a host that lacks something refuses containers with all of it in one sentence", () => {
    const refused = "found.findContainerTools(true).catch(({ name, message, hint }) => ({ name, message, hint }))";
    expect(runBy(without("crun", "runc", "nsenter", ...inits), "container-tools.ts", refused)).toEqual({
      name: "SandboxFailure",
      message:
        "Cannot run apps in containers: this machine lacks an OCI runtime (crun or runc) and an init for PID 1 (tini-static, docker-init, catatonit, tini, dumb-init) and nsenter",
      hint: expect.stringMatching(/^Install it: .*crun.*util-linux.*; or use --sandbox process/),
    });
  });

  inContainers("crun goes before runc, and either can be asked for", async () => {
    expect((await findContainerTools(true)).runtime.name).toBe("crun");
    expect((await findContainerTools(true, "runc")).runtime.name).toBe("runc");
    expect(runBy(without("crun"), "container-tools.ts", "found.findContainerTools(true)")).toMatchObject({ runtime: { name: "runc" } });
  });

  test("several packages are one command", () => {
    expect(installCommand([packages.runtime, packages.init])).toMatch(/crun (tini|catatonit)/);
    expect(installCommand([packages.namespaces, packages.nft, packages.namespaces])).toMatch(/ util-linux(?: util-linux-misc)? nftables/);
  });
});
