/** Stopping, by request and by force. Whatever the way, `serving.ts` makes sure that no process is left. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { answerModule } from "./answering.ts";
import { type AppFolder, appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { processesMarked } from "./process-tree.ts";
import { connectRaw } from "./raw-http.ts";
import { type Serving, serve, startServing } from "./serving.ts";

const slowApp = (): AppFolder =>
  appOf({
    "answer.ts": answerModule,
    "started/.keep": "",
    "urocket-service.yaml": `
name: slow
timeout: 20s
paths:
  /slow/{n}:
    get: { inject: { cmd: bun slow.ts } }
  /deaf/{n}:
    get: { inject: { cmd: ./deaf.sh } }
  /quick:
    get: { inject: { cmd: ./quick.sh } }
`,
    "slow.ts": `
import { answer, fileAppears } from "./answer.ts";
await Bun.write("started/" + process.env.UROCKET_PARAM_N, "");
await fileAppears("go");
await answer("slow " + process.env.UROCKET_PARAM_N, { headers: { "content-type": "text/plain" } });
`,
    "deaf.sh": `#!/bin/sh\ntrap '' TERM INT HUP\nsetsid sh -c 'trap "" TERM; sleep 1000; sleep 1000' &\n: >"started/$UROCKET_PARAM_N"\nsleep 1000\nsleep 1000\n`,
    "quick.sh": "#!/bin/sh\necho quick | urocket reply --type text/plain\n",
  });

/** Starts `count` requests and waits until their programs run. */
async function startRequests(host: Serving, app: AppFolder, count: number, kind = "slow"): Promise<Promise<Response | "cut">[]> {
  const requests = Array.from({ length: count }, (_, index) => fetch(`${host.url}/${kind}/${kind}-${index}`).catch((): "cut" => "cut"));
  await eventually(
    `${count} programs run`,
    () => readdirSync(app.path("started")).filter((name) => name.startsWith(kind)).length === count,
  );
  return requests;
}

const refusesConnections = async (port: number): Promise<boolean> => {
  try {
    (await connectRaw(port)).drop();
    return false;
  } catch {
    return true;
  }
};

describe("stopping", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s under load: the listener closes at once, every accepted exchange finishes, and the host exits 0",
    async (signal) => {
      using app = slowApp();
      await using host = await serve(app.folder);
      const requests = await startRequests(host, app, 6);
      host.signal(signal);
      await eventually("the listener is closed", async () => await refusesConnections(host.port));
      app.write("go", "");
      for (const [index, request] of requests.entries()) {
        const response = await request;
        if (response === "cut") throw new Error(`request ${index} was cut off`);
        expect(response.status).toBe(200);
        expect(await response.text()).toBe(`slow slow-${index}`);
      }
      expect(await host.exited).toBe(0);
    },
  );

  test("a request that comes over a kept connection while the host drains is told 503, or the connection is closed", async () => {
    using app = slowApp();
    await using host = await serve(app.folder);
    using kept = await connectRaw(host.port);
    kept.send("GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect((await kept.response())?.status).toBe(200);
    const [slow] = await startRequests(host, app, 1);
    host.signal("SIGTERM");
    await eventually("the listener is closed", async () => await refusesConnections(host.port));
    kept.send("GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const response = await kept.response();
    if (response !== undefined) {
      expect(response.status).toBe(503);
      expect(response.headers.get("retry-after")).toMatch(/^\d+$/);
    }
    app.write("go", "");
    expect(await slow).toMatchObject({ status: 200 });
    expect(await host.exited).toBe(0);
  });

  test("an idle host with open connections exits 0 at once", async () => {
    using app = slowApp();
    await using host = await serve(app.folder);
    using kept = await connectRaw(host.port);
    kept.send("GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect((await kept.response())?.status).toBe(200);
    host.signal("SIGTERM");
    expect(await host.exited).toBe(0);
    await kept.closed;
  });

  test("when the grace is over what still runs is ended, however deaf, and its client told", async () => {
    using app = slowApp();
    await using host = await serve(app.folder, { flags: ["--grace", "200ms"] });
    const requests = await startRequests(host, app, 2, "deaf");
    host.signal("SIGTERM");
    expect(await host.exited).toBe(0);
    for (const request of requests) {
      const response = await request;
      if (response !== "cut") expect(response.status).toBe(503);
    }
  });

  test("TERM or INT while a daemon is waited for gives the start up, and nothing is left", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      using app = appOf({
        "urocket-service.yaml": "service: { cmd: sh daemon.sh, start: 5m }\n",
        "daemon.sh": "echo up >&2; while :; do sleep 1; done\n",
      });
      await using host = startServing(app.folder);
      await eventually("the daemon runs", () => host.log.some((line) => line["text"] === "up"));
      host.signal(signal);
      expect([await host.exited, host.stderr()]).toEqual([0, "Stopping before the start is complete\n"]);
    }
  });

  test("a second INT ends it at once, with programs that ignore every signal they can", async () => {
    using app = slowApp();
    await using host = await serve(app.folder);
    const requests = await startRequests(host, app, 2, "deaf");
    host.signal("SIGINT");
    await eventually("the listener is closed", async () => await refusesConnections(host.port));
    host.signal("SIGINT");
    expect(await host.exited).toBe(130);
    // It did not wait for the programs, which would have had until their deadline of twenty seconds.
    await eventually("every process is gone", () => host.processes().length === 0, 10_000);
    await Promise.all(requests);
  });

  test("a host that is killed takes its runners and programs with it, and can be started again", async () => {
    using app = slowApp();
    {
      await using host = await serve(app.folder);
      const requests = await startRequests(host, app, 3);
      const deaf = await startRequests(host, app, 4, "deaf");
      expect(host.runners().length).toBeGreaterThan(0);
      host.signal("SIGKILL");
      await host.exited;
      await eventually("every process is gone", () => host.processes().length === 0);
      expect(new Set(await Promise.all([...requests, ...deaf]))).toEqual(new Set(["cut"]));
    }
    await using again = await serve(app.folder);
    expect((await fetch(`${again.url}/quick`)).status).toBe(200);
  });

  test("nothing is left of an instance's folder when its host has stopped", async () => {
    using app = slowApp();
    let socket = "";
    {
      await using host = await serve(app.folder);
      app.write("quick.sh", `#!/bin/sh\necho "$UROCKET_SOCKET" | urocket reply --type text/plain\n`);
      socket = (await (await fetch(`${host.url}/quick`)).text()).trim();
      expect(existsSync(socket)).toBeTrue();
    }
    expect(existsSync(socket)).toBeFalse();
    expect(existsSync(socket.slice(0, socket.lastIndexOf("/")))).toBeFalse();
  });

  test("a mark that no process has finds none", () => {
    expect(processesMarked(["urocket-mark-of-nobody"])).toEqual([]);
  });
});
