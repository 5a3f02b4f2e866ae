/**
 * Apps that take whatever they can get: what ends them is named to the client and in the log, and the app beside them notices
 * nothing.
 */
import { describe, expect, type test } from "bun:test";
import { type AppFolder, appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { type LogLine, type Serving, serve, startRequest } from "./serving.ts";
import { requireContainers, requireThat } from "./system-tools.ts";
import { examineLimits } from "../src/sandbox/limits-examine.ts";

type Kind = "process" | "container";

/** 300 MB in a shell's variable. */
const takeMemory = `x=$(head -c 300000000 /dev/zero | tr '\\0' x)`;

const greedyPrograms = (kind: Kind): AppFolder =>
  appOf({
    "urocket-service.yaml": `
name: greedy
base: /greedy
sandbox: ${kind}
timeout: 20s
limits: { memory: 96Mi, pids: 64, cpu: 1.5${kind === "container" ? ", tmp: 8Mi" : ""} }
scale: { max: 1, concurrency: 4 }
paths:
  /hog: { get: { inject: { cmd: ./hog.sh } } }
  /hogs-parent: { get: { inject: { cmd: ./parent.sh } } }
  /replies-first: { get: { inject: { cmd: ./replies-first.sh } } }
  /bomb: { get: { inject: { cmd: ./bomb.sh } } }
  /fork-bomb: { get: { inject: { cmd: ./fork-bomb.sh } } }
  /fills-disk: { get: { inject: { cmd: ./fills-disk.sh } } }
  /fails: { get: { inject: { cmd: ./fails.sh } } }
  /small: { get: { inject: { cmd: ./small.sh } } }
`,
    "hog.sh": `#!/bin/sh\n${takeMemory}\necho too much | urocket reply\n`,
    "parent.sh": `#!/bin/sh\n./hog.sh\nexit 3\n`,
    "replies-first.sh": `#!/bin/sh\necho early | urocket reply --type text/plain\n./hog.sh\n`,
    // Never more than what it can start, and it ends by itself.
    "bomb.sh": `#!/bin/sh\ni=0\nwhile [ $i -lt 200 ]; do sleep 5 & i=$((i+1)); done\nexit 0\n`,
    "fork-bomb.sh": "#!/bin/sh\nb() { b | b & }\nb\nsleep 1\nexit 1\n",
    "fills-disk.sh": "#!/bin/sh\nhead -c 64000000 /dev/zero > /tmp/full && exit 0\nrm /tmp/full\nexit 7\n",
    "fails.sh": "#!/bin/sh\nexit 3\n",
    "small.sh": `#!/bin/sh\necho small | urocket reply --type text/plain\n`,
  });

const spinner = (kind: Kind): AppFolder =>
  appOf({
    "urocket-service.yaml": `
name: spinner
base: /spinner
sandbox: ${kind}
limits: { cpu: 0.03 }
paths:
  /spin: { get: { inject: { cmd: ./spin.sh, timeout: 2s } } }
`,
    "spin.sh": "#!/bin/sh\n(while :; do :; done) &\nwhile :; do :; done\n",
  });

const neighbour = (kind: Kind): AppFolder =>
  appOf({
    "urocket-service.yaml": `
name: neighbour
base: /neighbour
sandbox: ${kind}
limits: { memory: 256Mi, pids: 64 }
functions: f.ts
`,
    "f.ts": `export default { fetch: () => new Response("well") };`,
  });

/** Asks the neighbour all the time, and counts. */
class Meanwhile {
  served = 0;
  readonly failed: string[] = [];
  #over = false;
  readonly #asking: Promise<void>;

  constructor(host: Serving) {
    this.#asking = this.#ask(host);
  }

  async end(): Promise<void> {
    this.#over = true;
    await this.#asking;
  }

  async #ask(host: Serving): Promise<void> {
    while (!this.#over) {
      const response = await fetch(`${host.url}/neighbour/`).catch(String);
      const text = typeof response === "string" ? response : `${response.status} ${await response.text()}`;
      if (text === "200 well") this.served++;
      else this.failed.push(text);
    }
  }
}

interface Refused {
  readonly status: number;
  readonly detail: string;
  /** The exchange's line in the log. */
  readonly line: LogLine;
}

async function refused(host: Serving, path: string): Promise<Refused> {
  const response = await startRequest(host, path);
  const { detail } = (await response.json()) as { detail: string };
  return { status: response.status, detail, line: await host.exchange(response.headers.get("x-request-id") ?? "") };
}

const areHeld = examineLimits().every(({ state }) => state === "ok");
const runs: readonly (readonly [Kind, typeof test])[] = [
  ["process", requireThat(areHeld, "control groups that can be made here")],
  ["container", areHeld ? requireContainers() : requireThat(false, "control groups that can be made here")],
];

for (const [kind, run] of runs)
  describe(`an app in a ${kind} sandbox that takes what it can get`, () => {
    run(
      "is told which limit ended its programs, goes on serving, and costs its neighbour nothing",
      async () => {
        using greedy = greedyPrograms(kind);
        using spins = spinner(kind);
        using other = neighbour(kind);
        await using host = await serve(greedy.folder, { folders: [spins.folder, other.folder] });
        expect(host.stderr()).not.toContain("is not held");
        await fetch(`${host.url}/neighbour/`);
        const meanwhile = new Meanwhile(host);

        const hog = await refused(host, "/greedy/hog");
        expect(hog.status).toBe(502);
        expect(hog.detail).toMatch(
          /^The program of GET \/hog was killed( by SIGKILL)? without replying: the app's instance reached limits\.memory of 96 MiB$/,
        );
        expect(hog.line).toMatchObject({ error: "no-reply", limit: "memory", signal: "SIGKILL" });

        const parent = await refused(host, "/greedy/hogs-parent");
        expect(parent.detail).toBe(
          "The program of GET /hogs-parent exited with status 3 without replying: the app's instance reached limits.memory of 96 MiB",
        );
        expect(parent.line).toMatchObject({ limit: "memory", exitCode: 3 });

        const spin = await refused(host, "/spinner/spin");
        expect(spin.status).toBe(504);
        expect(spin.detail).toMatch(/^The deadline of 2000 ms .*; limits\.cpu of 0\.03 held the app's instance back for \d+ ms of that$/);
        expect(spin.line["limit"]).toBeUndefined();

        // What has nothing to do with a limit is not blamed on one.
        const fails = await refused(host, "/greedy/fails");
        expect(fails.detail).toBe("The program of GET /fails exited with status 3 without replying");
        expect(fails.line["limit"]).toBeUndefined();
        expect(await (await fetch(`${host.url}/greedy/small`)).text()).toBe("small\n");

        const bomb = await refused(host, "/greedy/bomb");
        expect(bomb).toMatchObject({ status: 502, line: { limit: "pids" } });
        expect(bomb.detail).toContain("without replying: the app's instance reached limits.pids of 64");
        // A real one, which goes on for as long as it is let: nothing of it is left when its exchange is over.
        const forkBomb = await refused(host, "/greedy/fork-bomb");
        expect(forkBomb).toMatchObject({ status: 502, line: { limit: "pids" } });
        // Until the last of the bomb is buried the kernel refuses others too.
        const disk = async (): Promise<boolean> => (await refused(host, "/greedy/fills-disk")).line["exitCode"] === 7;
        if (kind === "container") await eventually("the disk is full", disk);
        // A process counts until its parent, or whoever adopted it, has asked how it ended.
        await eventually("it serves again", async () => (await fetch(`${host.url}/greedy/small`)).status === 200);

        await meanwhile.end();
        expect(meanwhile.failed).toEqual([]);
        expect(meanwhile.served).toBeGreaterThan(10);
        expect(host.log.filter(({ event }) => event === "instance-died")).toEqual([]);

        host.signal("SIGTERM");
        const stopped = await host.logged("the instance's end", (line) => line["event"] === "instance-stopped" && line["app"] === "greedy");
        expect(await host.exited).toBe(0);
        expect(stopped["cpuMs"]).toBeGreaterThan(0);
        expect(stopped["memoryPeakBytes"]).toBeGreaterThan(80_000_000);
        expect(stopped["oomKills"]).toBeGreaterThan(1);
        expect(stopped["pidsRefused"]).toBeGreaterThan(0);
      },
      60_000,
    );

    run("is told when the limit ended the instance itself: a function's, and its daemon's", async () => {
      const files = {
        "f.ts": `
const kept: Uint8Array[] = [];
export default {
  async fetch() {
    for (;;) { kept.push(new Uint8Array(8 << 20).fill(1)); await Bun.sleep(0); }
  },
};`,
        "urocket-service.yaml": `
name: hog
base: /f
sandbox: ${kind}
limits: { memory: 192Mi }
functions: f.ts
`,
      };
      const daemon = {
        "d.ts": `
const kept: Uint8Array[] = [];
Bun.serve({
  port: process.env.PORT, hostname: process.env.HOST, reusePort: false,
  async fetch(request) {
    if (new URL(request.url).pathname.endsWith("/well")) return new Response("well");
    for (;;) { kept.push(new Uint8Array(8 << 20).fill(1)); await Bun.sleep(0); }
  },
});`,
        "urocket-service.yaml": `
name: daemon
base: /d
sandbox: ${kind}
limits: { memory: 192Mi }
service: { cmd: bun d.ts, health: /d/well }
`,
      };
      using functions = appOf(files);
      using service = appOf(daemon);
      await using host = await serve(functions.folder, { folders: [service.folder] });

      const call = await refused(host, "/f/");
      expect(call).toMatchObject({ status: 502, line: { limit: "memory" } });
      expect(call.detail).toContain("The app's instance ended");
      expect(call.detail).toEndWith("it reached limits.memory of 192 MiB");
      const died = await host.logged("the function's instance's end", (line) => line["event"] === "instance-died" && line["app"] === "hog");
      expect(String(died["message"])).toContain("it reached limits.memory of 192 MiB");
      expect(died["memoryPeakBytes"]).toBeGreaterThan(150_000_000);

      const request = await refused(host, "/d/hog");
      expect(request).toMatchObject({ status: 502, line: { limit: "memory" } });
      expect(request.detail).toContain("reached limits.memory of 192 MiB");
      await host.logged("the daemon's instance's end", (line) => line["event"] === "instance-died" && line["app"] === "daemon");
      // Another takes its place.
      expect((await fetch(`${host.url}/d/well`)).status).toBe(200);
    });
  });
