import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inits, withFullDisk, withLockedSysctls, withoutTools } from "../../tests/lacking-machine.ts";
import { requireRoot, requireTool } from "../../tests/system-tools.ts";
import { binary, nobody, ownEnvironment, type Ran, urocket } from "../../tests/urocket-command.ts";
import type { Finding } from "../host/doctor.ts";
import { reportLines } from "./doctor.ts";
import { ownerMark } from "../sandbox/group-names.ts";

const plain = {
  isTerminal: false,
  colours: false,
  line: () => undefined,
  write: () => Promise.resolve(),
  flush: () => Promise.resolve(),
};

const well: Finding = { what: "Bun", state: "ok", detail: "1.0 (/bin/bun)" };
const less: Finding = { what: "open files", state: "limited", detail: "256", fix: "Run: ulimit -n 65536" };
const none: Finding = { what: "OCI runtime", state: "missing", detail: "neither crun nor runc is there", fix: "apt-get install crun" };

describe("what was found is shown", () => {
  test("a line each, with what to do below what is not well", () => {
    expect(reportLines({ findings: [well, less, none], leftovers: [] }, plain)).toEqual([
      "ok       Bun          1.0 (/bin/bun)",
      "limited  open files   256",
      "                      Run: ulimit -n 65536",
      "missing  OCI runtime  neither crun nor runc is there",
      "                      apt-get install crun",
      "",
      "Nothing is left of hosts that were killed.",
      "1 missing, 1 limited: apps that need what is missing are not served.",
    ]);
  });

  test("with what it means in all", () => {
    const last = (...findings: readonly Finding[]): string | undefined => reportLines({ findings, leftovers: [] }, plain).at(-1);
    expect(last(well)).toBe("Everything is there that apps may need.");
    expect(last(well, less)).toBe("1 limited: apps are served, with the limits that are told above.");
  });

  test("with what hosts have left, what of it was removed, and what could not be", () => {
    const about = (report: { leftovers: readonly string[]; removed?: readonly string[] }): readonly string[] =>
      reportLines({ findings: [well], ...report }, plain).slice(2, -1);
    expect(about({ leftovers: ["bridge urocket0"] })).toEqual([
      "Left by hosts that were killed (`urocket doctor --clean` removes it, the next `serve` too):",
      "  bridge urocket0",
    ]);
    expect(about({ leftovers: [], removed: ["bridge urocket0"] })).toEqual(["removed: bridge urocket0"]);
    expect(about({ leftovers: [], removed: [] })).toEqual(["Nothing is left of hosts that were killed."]);
    expect(about({ leftovers: ["run folder /x"], removed: [] })).toEqual([
      "Cannot remove, though its host is gone (of another user's host, root can):",
      "  run folder /x",
    ]);
  });
});

interface Told {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
  readonly leftovers: readonly string[];
  readonly removed?: readonly string[];
}

const told = ({ stdout }: Ran): Told => JSON.parse(stdout) as Told;
const named = ({ findings }: Told, what: string): Finding | undefined => findings.find((finding) => finding.what === what);

/** As root, in a mount namespace that ends with it, where `prepare` (sh) was run first. */
async function doctorWhere(prepare: string, ...args: readonly string[]): Promise<Ran> {
  const script = `${prepare}\nexec "$0" doctor -o json "$@"`;
  const child = Bun.spawn(["unshare", "--mount", "--propagation", "private", "sh", "-euc", script, binary, ...args], {
    env: ownEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, stdout, stderr };
}

describe("doctor", () => {
  test("looks at everything, and fails when something is missing", async () => {
    const ran = await urocket(["doctor", "-o", "json"]);
    const report = told(ran);
    expect(ran.stderr).toBe("");
    for (const what of ["Bun", "kernel", "open files", "run folder", "data folder", "OCI runtime", "network tools"])
      expect(named(report, what)).toMatchObject({ what, detail: expect.stringMatching(/./) });
    for (const { state, fix } of report.findings) expect(fix === undefined).toBe(state === "ok");
    const missing = report.findings.some(({ state }) => state === "missing");
    expect([report.ok, ran.code]).toEqual([!missing, missing ? 1 : 0]);
    expect(report).not.toHaveProperty("removed");
  }, 30_000);

  test("looks at the data folder that serve would use", async () => {
    const named_ = async (args: readonly string[], env: Record<string, string>): Promise<string | undefined> =>
      named(told(await urocket(["doctor", "-o", "json", ...args], { env })), "data folder")?.detail;
    expect(await named_([], { UROCKET_DATA: tmpdir() })).toBe(tmpdir());
    expect(await named_(["--data", "/dev/null/x"], {})).toStartWith("/dev/null/x cannot be written to, so apps with `data: true`");
  }, 30_000);

  requireRoot(
    "says to an ordinary user what needs root, and serves all the same",
    async () => {
      using folder = temporaryFolder();
      const report = told(await urocket(["doctor", "-o", "json"], { uid: nobody, env: { TMPDIR: folder.path } }));
      expect(named(report, "kernel")?.detail).toEndWith(`as user ${nobody}`);
      expect(named(report, "network permission")).toMatchObject({ state: "limited", fix: expect.stringContaining("root") });
      expect(named(report, "run folder")).toMatchObject({ state: "ok" });
    },
    30_000,
  );

  requireRoot(
    "says that the run folder is full, and what to do",
    async () => {
      const report = told(await doctorWhere(withFullDisk("/run/urocket")));
      expect(named(report, "run folder")).toEqual({
        what: "run folder",
        state: "limited",
        detail: "/run/urocket has no room left, which functions, secrets and containers need",
        fix: "Make room there, or set XDG_RUNTIME_DIR or TMPDIR to a folder that has some",
      });
    },
    30_000,
  );

  requireTool(
    "unshare",
    "runc",
    "crun",
    "nft",
  )(
    "names the package of every tool that is not there",
    async () => {
      const ran = await doctorWhere(withoutTools("runc", "crun", "nft", ...inits));
      const report = told(ran);
      expect(ran.code).toBe(1);
      expect(named(report, "OCI runtime")).toMatchObject({ state: "missing", fix: expect.stringContaining("crun") });
      expect(named(report, "container init")).toMatchObject({ state: "missing", fix: expect.stringContaining("tini") });
      expect(named(report, "network tools")).toMatchObject({
        state: "missing",
        detail: expect.stringContaining("nft"),
        fix: expect.stringMatching(/ (?:install|add) (?:\S+ )*nftables/),
      });
    },
    30_000,
  );

  requireTool("unshare", "ip")(
    "says which switch has to be set by whom where /proc/sys cannot be written to",
    async () => {
      const { code, stdout } = await doctorWhere(`${withLockedSysctls}\nexec unshare --net -- "$0" doctor -o json`);
      const forwarding = named(told({ code, stdout, stderr: "" }), "forwarding");
      expect(forwarding).toMatchObject({
        state: "limited",
        fix: expect.stringContaining("net.ipv4.ip_forward=1"),
      });
      expect(code).toBe(1);
    },
    30_000,
  );
});

function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "urocket-doctor-"));
  Bun.spawnSync(["chmod", "777", path]);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

describe("what a host that was killed has left", () => {
  /** A run folder of a process that is no more, below a base of the test's own. */
  function leave(base: string): string {
    const gone = Bun.spawnSync(["true"]);
    const folder = join(base, "urocket", `urocket-${gone.pid}-1`);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  test("is listed, and removed when that is asked for", async () => {
    using base = temporaryFolder();
    const folder = leave(base.path);
    const env = { XDG_RUNTIME_DIR: base.path };
    expect(told(await urocket(["doctor", "-o", "json"], { env })).leftovers).toContain(`run folder ${folder}`);
    expect(existsSync(folder)).toBe(true);
    const cleaned = told(await urocket(["doctor", "--clean", "-o", "json"], { env }));
    expect(cleaned.removed).toContain(`run folder ${folder}`);
    expect(cleaned.leftovers).not.toContain(`run folder ${folder}`);
    expect(existsSync(folder)).toBe(false);
  }, 30_000);

  test("stays where its host lives", async () => {
    using base = temporaryFolder();
    const folder = join(base.path, "urocket", ownerMark());
    mkdirSync(folder, { recursive: true });
    const cleaned = told(await urocket(["doctor", "--clean", "-o", "json"], { env: { XDG_RUNTIME_DIR: base.path } }));
    expect(cleaned.removed).not.toContain(`run folder ${folder}`);
    expect(existsSync(folder)).toBe(true);
  }, 30_000);
});
