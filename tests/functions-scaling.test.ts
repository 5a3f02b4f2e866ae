/** Instances of functions as work comes and goes: how many there are, who gets what, and what a lost one costs. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { type Serving, serve } from "./serving.ts";

const instanceOf = (response: Response): string => response.headers.get("x-urocket-instance") ?? "";

/** The runners that serve an app: those that were started ahead for the next one are not among them. */
const flags = ["--spares", "0"];

describe("instances of functions", () => {
  test("are eight for eight calls at once where each takes one, then frozen, then gone; and one is back for the next call", async () => {
    using app = appOf({
      "urocket-service.yaml": `
scale: { concurrency: 1, max: 8, idle: 1s }
paths:
  /wait: { get: { function: f.ts#wait } }
  /open: { get: { function: f.ts#open } }
`,
      "f.ts": `
import { appendFileSync, existsSync } from "node:fs";
export const wait = async (_, ctx) => { appendFileSync("waiting", "."); while (!existsSync("go")) await Bun.sleep(5); return ctx.instance; };
export const open = () => "open";
`,
    });
    await using host = await serve(app.folder, { flags });
    const calls = Array.from({ length: 8 }, async () => await fetch(`${host.url}/wait`));
    await eventually("all are made", () => existsSync(app.path("waiting")) && app.read("waiting") === "........");
    expect(host.runners()).toHaveLength(8);
    app.write("go", "");
    const instances = await Promise.all(calls.map(async (call) => await (await call).text()));
    expect(new Set(instances).size).toBe(8);
    await eventually("an idle one is stopped in place", () => host.runners().some(({ state }) => state === "T"));
    await eventually("all are gone", () => host.runners().length === 0);
    const back = await fetch(`${host.url}/open`);
    expect([back.status, instances.includes(instanceOf(back))]).toEqual([200, false]);
  });

  test("that are frozen go on with the same instance when a call comes", async () => {
    using app = appOf({
      "urocket-service.yaml": "scale: { max: 1, idle: 20s }\npaths: { /count: { get: { function: f.ts#count } } }\n",
      "f.ts": `let calls = 0;\nexport const count = () => String(++calls);\n`,
    });
    await using host = await serve(app.folder, { flags });
    const first = await fetch(`${host.url}/count`);
    expect(await first.text()).toBe("1");
    await eventually("it is frozen", () => host.runners().some(({ state }) => state === "T"), 25_000);
    const second = await fetch(`${host.url}/count`);
    expect([await second.text(), instanceOf(second)]).toEqual(["2", instanceOf(first)]);
  }, 60_000);

  test("take turns strictly where that is asked for", async () => {
    using app = appOf({
      "urocket-service.yaml": "balance: round-robin\nscale: { min: 3, max: 3 }\npaths: { /: { get: { function: f.ts#hello } } }\n",
      "f.ts": `export const hello = () => "hello";\n`,
    });
    await using host = await serve(app.folder, { flags });
    await eventually("all three answer", async () => {
      const asked = await Promise.all([1, 2, 3, 4, 5, 6].map(async () => instanceOf(await fetch(host.url))));
      return new Set(asked).size === 3;
    });
    const turns: string[] = [];
    for (let turn = 0; turn < 9; turn++) turns.push(instanceOf(await fetch(host.url)));
    expect(new Set(turns.slice(0, 3)).size).toBe(3);
    expect(turns).toEqual([...turns.slice(0, 3), ...turns.slice(0, 3), ...turns.slice(0, 3)]);
  });

  test("are replaced after so many requests, without a request failing", async () => {
    using app = appOf({
      "urocket-service.yaml": "recycle: { requests: 50 }\nscale: { max: 1 }\npaths: { /: { get: { function: f.ts#hello } } }\n",
      "f.ts": `export const hello = () => "hello";\n`,
    });
    await using host = await serve(app.folder, { flags });
    const instances = new Set<string>();
    await eventually("another instance answers", async () => {
      for (let request = 0; request < 100; request++) {
        const response = await fetch(host.url);
        expect(response.status).toBe(200);
        instances.add(instanceOf(response));
      }
      return instances.size > 1;
    });
  });
});

describe("ten thousand calls among crashes, reloads and changes of scale", () => {
  test("are each made at most once, answered once, and fail only on an instance that was killed under them", async () => {
    using app = appOf({
      "urocket-service.yaml": "scale: { max: 4, concurrency: 8, queue: 10000 }\npaths:\n  /note/{id}: { get: { function: f.ts#note } }\n",
      "f.ts": `
import { appendFileSync } from "node:fs";
export const note = async ({ params }) => {
  appendFileSync("noted", params.id + "\\n");
  if (Number(params.id) % 7 === 0) await Bun.sleep(2);
  return params.id;
};
`,
    });
    await using host = await serve(app.folder, { flags });
    const killed = new Set<string>();
    const lost: { readonly id: number; readonly error: string | null; readonly instance: string }[] = [];
    const answered: number[] = [];
    let next = 0;
    let reloads = 0;
    const client = async (): Promise<void> => {
      while (next < 10_000) {
        const id = next++;
        if (id % 1500 === 1499) kill(host);
        if (id % 2500 === 2499) {
          const rest = app.read("urocket-service.yaml").replace(/^env:.*\n/, "");
          app.write("urocket-service.yaml", `env: [GENERATION=${++reloads}]\n${rest}`);
          host.signal("SIGHUP");
        }
        const response = await fetch(`${host.url}/note/${id}`);
        const text = await response.text();
        if (response.status === 200) {
          expect(text).toBe(String(id));
          answered.push(id);
        } else lost.push({ id, error: response.headers.get("x-urocket-error"), instance: `${response.status} ${instanceOf(response)}` });
      }
    };
    await Promise.all(Array.from({ length: 24 }, client));
    const noted = readFileSync(app.path("noted"), "utf8").trim().split("\n").map(Number);
    expect(noted.length).toBe(new Set(noted).size);
    expect(answered.length + lost.length).toBe(10_000);
    const seen = new Set(noted);
    expect(answered.filter((id) => !seen.has(id))).toEqual([]);
    expect(new Set(lost.map(({ error }) => error))).toEqual(new Set(lost.length === 0 ? [] : ["runner-died"]));
    // At most what an instance takes at once was on each that was killed.
    expect(lost.length).toBeLessThanOrEqual(killed.size * 8);
    expect(killed.size).toBeGreaterThan(0);
    expect(reloads).toBe(4);

    function kill(serving: Serving): void {
      const [victim] = serving.runners();
      if (victim === undefined) return;
      killed.add(String(victim.pid));
      process.kill(victim.pid, "SIGKILL");
    }
  }, 120_000);
});
