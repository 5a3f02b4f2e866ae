/** Runners that die under their programs. */
import { describe, expect, test } from "bun:test";
import { answerModule } from "./answering.ts";
import { type AppFolder, appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { continueIfThere, gone } from "./process-tree.ts";
import { type Serving, serve, startRequest } from "./serving.ts";

const slowApp = (name: string): AppFolder =>
  appOf({
    "answer.ts": answerModule,
    "urocket-service.yaml": `
name: ${name}
timeout: 20s
scale: { max: 1 }
base: /${name}
paths:
  /slow:
    get: { inject: { cmd: bun slow.ts } }
  /quick:
    get: { inject: { cmd: ./quick.sh } }
`,
    "slow.ts": `
import { answer, fileAppears } from "./answer.ts";
await Bun.write("pid", String(process.pid));
await Bun.write("parent", String(process.ppid));
await fileAppears("go");
await answer("finished", { headers: { "content-type": "text/plain" } });
`,
    "quick.sh": "#!/bin/sh\necho quick | urocket reply --type text/plain\n",
  });

const numberIn = async (app: AppFolder, file: string): Promise<number> =>
  await eventually(
    `${file} holds a pid`,
    async () => (await Bun.file(app.path(file)).exists()) && Number(app.read(file)) > 0 && Number(app.read(file)),
  );

async function killRunner(host: Serving, pid: number): Promise<void> {
  expect(host.runners().map((runner) => runner.pid)).toContain(pid);
  process.kill(pid, "SIGKILL");
  await gone([pid]);
}

describe("a runner that is killed", () => {
  test("costs its own exchanges, which get 502, and is replaced; other apps notice nothing", async () => {
    using struck = slowApp("struck");
    using spared = slowApp("spared");
    await using host = await serve(struck.folder, { folders: [spared.folder] });
    const lost = startRequest(host, "/struck/slow");
    const kept = startRequest(host, "/spared/slow");
    const program = await numberIn(struck, "pid");
    await numberIn(spared, "pid");
    await killRunner(host, await numberIn(struck, "parent"));

    const response = await lost;
    expect(response.status).toBe(502);
    expect(response.headers.get("x-urocket-error")).toMatch(/runner|instance/);
    expect(response.headers.get("content-type")).toStartWith("application/problem+json");
    expect(response.headers.get("x-request-id")).toBeString();
    await gone([program]);

    expect(await (await fetch(`${host.url}/struck/quick`)).text()).toBe("quick\n");
    spared.write("go", "");
    expect(await (await kept).text()).toBe("finished");
  });

  test("again and again: the host serves on every time", async () => {
    using app = slowApp("often");
    await using host = await serve(app.folder);
    for (let round = 0; round < 4; round++) {
      // A request that comes before the host has seen the death may still be given to the dead one, and gets its 502.
      await eventually("it serves", async () => (await fetch(`${host.url}/often/quick`)).status === 200);
      const [runner] = await eventually("a runner is there", () => (host.runners().length > 0 ? host.runners() : undefined));
      if (runner !== undefined) await killRunner(host, runner.pid);
    }
    await eventually("it serves", async () => (await fetch(`${host.url}/often/quick`)).status === 200);
  });

  test("a stopped runner does not stop the host from refusing in time", async () => {
    using app = slowApp("frozen");
    app.write("urocket-service.yaml", app.read("urocket-service.yaml").replace("timeout: 20s", "timeout: 2s"));
    await using host = await serve(app.folder);
    expect((await fetch(`${host.url}/frozen/quick`)).status).toBe(200);
    const [runner] = host.runners();
    if (runner === undefined) throw new Error("there is no runner");
    process.kill(runner.pid, "SIGSTOP");
    expect((await fetch(`${host.url}/frozen/quick`)).status).toBe(504);
    continueIfThere(runner.pid);
    await eventually("it serves again", async () => (await fetch(`${host.url}/frozen/quick`)).status === 200);
  });
});
