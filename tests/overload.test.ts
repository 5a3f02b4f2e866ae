/** More requests than an app may run or keep waiting. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { answerModule } from "./answering.ts";
import { type AppFolder, appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { serve, startRequest } from "./serving.ts";

const slowApp = (scale: string): AppFolder =>
  appOf({
    "answer.ts": answerModule,
    "started/.keep": "",
    "urocket-service.yaml": `name: slow\ntimeout: 20s\nscale: ${scale}\npaths:\n  /slow/{n}:\n    get:\n      inject: { cmd: bun slow.ts }\n`,
    "slow.ts": `
import { answer, fileAppears } from "./answer.ts";
await Bun.write("started/" + process.env.UROCKET_PARAM_N, "");
await fileAppears("go");
await answer("slow " + process.env.UROCKET_PARAM_N, { headers: { "content-type": "text/plain" } });
`,
  });

const startedIn = (app: AppFolder): string[] => readdirSync(app.path("started")).filter((name) => name !== ".keep");

describe("overload", () => {
  test("with two places and a queue of three, five of twenty slow requests are taken, and the others told 503 at once", async () => {
    using app = slowApp("{ concurrency: 2, queue: 3 }");
    await using host = await serve(app.folder);
    const refused: Response[] = [];
    const taken: Response[] = [];
    const all = Array.from({ length: 20 }, async (_, index) => {
      const response = await fetch(`${host.url}/slow/${index}`);
      (response.status === 503 ? refused : taken).push(response);
    });
    // None of those that were taken can answer yet: whoever was told 503 did not wait for them.
    await eventually("fifteen are refused", () => refused.length === 15);
    await eventually("two run", () => startedIn(app).length === 2);
    expect(taken).toHaveLength(0);
    app.write("go", "");
    await Promise.all(all);

    expect(refused).toHaveLength(15);
    expect(taken.map((response) => response.status)).toEqual([200, 200, 200, 200, 200]);
    for (const response of refused) {
      expect(response.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
      expect(response.headers.get("content-type")).toStartWith("application/problem+json");
      expect(response.headers.get("x-urocket-error")).toBeString();
      const { detail } = (await response.json()) as { detail: string };
      expect(detail).toContain("3");
    }
    const answers = await Promise.all(taken.map(async (response) => await response.text()));
    expect(new Set(answers).size).toBe(5);
    expect(startedIn(app)).toHaveLength(5);
  });

  test("no queue: whatever finds no place is refused", async () => {
    using app = slowApp("{ concurrency: 1, queue: 0 }");
    await using host = await serve(app.folder);
    const first = startRequest(host, "/slow/first");
    await eventually("it runs", () => startedIn(app).length === 1);
    expect((await fetch(`${host.url}/slow/second`)).status).toBe(503);
    app.write("go", "");
    expect((await first).status).toBe(200);
    // The place is free when the program has ended, which is a moment after its reply.
    await eventually("the place is free", async () => (await fetch(`${host.url}/slow/third`)).status === 200);
  });

  test("the deadline passes in the queue too, and 504 says that it was there", async () => {
    using app = slowApp("{ concurrency: 1, queue: 5 }");
    const brief = "  /brief:\n    get:\n      inject: { cmd: bun slow.ts, timeout: 300ms }\n";
    app.write("urocket-service.yaml", app.read("urocket-service.yaml") + brief);
    await using host = await serve(app.folder);
    const first = startRequest(host, "/slow/first");
    await eventually("it runs", () => startedIn(app).length === 1);
    const second = await fetch(`${host.url}/brief`);
    expect(second.status).toBe(504);
    expect(((await second.json()) as { detail: string }).detail).toMatch(/300 ms.*(queue|place)/);
    app.write("go", "");
    expect((await first).status).toBe(200);
    expect(startedIn(app)).toEqual(["first"]);
  });

  test("a client that leaves the queue gives its place in it up", async () => {
    using app = slowApp("{ concurrency: 1, queue: 1 }");
    await using host = await serve(app.folder);
    const first = startRequest(host, "/slow/first");
    await eventually("it runs", () => startedIn(app).length === 1);
    const leaving = new AbortController();
    const left = fetch(`${host.url}/slow/left`, { signal: leaving.signal, headers: { "x-request-id": "left-the-queue" } }).catch(
      () => "left",
    );
    await eventually(
      "the queue is full",
      async () =>
        await fetch(`${host.url}/slow/probe`, { signal: AbortSignal.timeout(200) })
          .then((it) => it.status === 503)
          .catch(() => false),
    );
    leaving.abort();
    expect(await left).toBe("left");
    expect(await host.exchange("left-the-queue")).toMatchObject({ status: 499 });
    const second = startRequest(host, "/slow/second");
    app.write("go", "");
    expect((await first).status).toBe(200);
    expect((await second).status).toBe(200);
    expect(startedIn(app)).not.toContain("left");
  });
});
