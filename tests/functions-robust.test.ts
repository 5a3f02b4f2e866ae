/** Functions that do what they should not: what that costs, and whom. */
import { describe, expect, test } from "bun:test";
import { appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { peakResidentBytes } from "./process-tree.ts";
import { type Serving, serve, serveInVain } from "./serving.ts";

const paths = (names: readonly string[]): string => names.map((name) => `  /${name}: { get: { function: f.ts#${name} } }\n`).join("");

/** An app of these functions, each at the path of its name. */
function functionsApp(name: string, names: readonly string[], source: string, more = ""): ReturnType<typeof appOf> {
  return appOf({ "urocket-service.yaml": `name: ${name}\nbase: /${name}\n${more}paths:\n${paths(names)}`, "f.ts": source });
}

const get = async (host: Serving, path: string): Promise<Response> => await fetch(host.url + path);
const instanceOf = (response: Response): string => response.headers.get("x-urocket-instance") ?? "";

describe("a function that blocks its instance", () => {
  test("gets its request 504 at the deadline; others are served meanwhile, and the instance is replaced", async () => {
    const source = `
export const block = () => { while (true); };
export const hello = () => "hello";
`;
    using app = functionsApp("stuck", ["block", "hello"], source, "timeout: 2s\nscale: { max: 2 }\n");
    using other = functionsApp("other", ["hello"], `export const hello = () => "hello";`);
    await using host = await serve(app.folder, { folders: [other.folder] });
    const before = instanceOf(await get(host, "/stuck/hello"));
    const blocked = get(host, "/stuck/block");
    expect(await (await get(host, "/other/hello")).text()).toBe("hello");
    // The blocked instance gets no new work once it is noticed; until then a request may be given to it.
    await eventually("another instance of the same app answers", async () => {
      const response = await get(host, "/stuck/hello");
      return response.status === 200 && instanceOf(response) !== before;
    });
    expect(await (await get(host, "/other/hello")).text()).toBe("hello");
    const response = await blocked;
    expect([response.status, response.headers.get("x-urocket-error")]).toEqual([504, "deadline"]);
    await host.said(/An instance of stuck is gone/);
    await eventually("no runner spins any more", () => host.runners().length <= 4);
  });
});

describe("a function that ends its process", () => {
  test("costs what was under way on that instance 502, and the next request gets another", async () => {
    const source = `
export const exit = () => process.exit(3);
export const wait = async (_, ctx) => { await new Promise((resolve) => setTimeout(resolve, 60_000)); };
export const hello = () => "hello";
`;
    using app = functionsApp("ends", ["exit", "wait", "hello"], source, "scale: { max: 1 }\n");
    await using host = await serve(app.folder);
    const before = instanceOf(await get(host, "/ends/hello"));
    const waiting = get(host, "/ends/wait");
    await eventually("both are on the instance", async () => (await get(host, "/ends/hello")).status === 200);
    for (const response of [await get(host, "/ends/exit"), await waiting]) {
      expect([response.status, response.headers.get("x-urocket-error")]).toEqual([502, "runner-died"]);
      expect(instanceOf(response)).toBe(before);
    }
    const after = await get(host, "/ends/hello");
    expect([after.status, instanceOf(after) === before]).toEqual([200, false]);
    await host.logged("why", (one) => String(one["text"]).includes("with status 3"));
  });
});

describe("a function that throws when nobody listens any more", () => {
  test("costs a log line and not the instance: from a timer, and from a promise that nobody awaits", async () => {
    const source = `
export const later = () => { setTimeout(() => { throw new Error("thrown late"); }, 1); return "taken"; };
export const forgotten = () => { Promise.reject(new Error("rejected late")); return "taken"; };
export const hello = () => "hello";
`;
    using app = functionsApp("late", ["later", "forgotten", "hello"], source);
    await using host = await serve(app.folder);
    const before = instanceOf(await get(host, "/late/hello"));
    for (const [name, words] of [
      ["later", "thrown late"],
      ["forgotten", "rejected late"],
    ] as const) {
      expect(await (await get(host, `/late/${name}`)).text()).toBe("taken");
      const line = await host.logged(words, (one) => one["type"] === "output" && String(one["text"]).includes(words));
      expect(line["level"]).toBe("error");
    }
    expect(instanceOf(await get(host, "/late/hello"))).toBe(before);
  });
});

describe("a function that never answers", () => {
  test("gets 504 at the deadline with its signal aborted, and so many of them that the instance is replaced", async () => {
    const source = `
let aborted = 0;
export const never = (_, ctx) => { ctx.signal.addEventListener("abort", () => aborted++); return new Promise(() => {}); };
export const count = () => String(aborted);
`;
    using app = functionsApp("mute", ["never", "count"], source, "timeout: 1s\nscale: { max: 1, concurrency: 4 }\n");
    await using host = await serve(app.folder);
    const before = instanceOf(await get(host, "/mute/count"));
    const first = await get(host, "/mute/never");
    expect([first.status, first.headers.get("x-urocket-error")]).toEqual([504, "deadline"]);
    expect(await (await get(host, "/mute/count")).text()).toBe("1");
    const more = await Promise.all(Array.from({ length: 8 }, async () => (await get(host, "/mute/never")).status));
    expect(new Set(more)).toEqual(new Set([504]));
    await eventually("another instance serves", async () => instanceOf(await get(host, "/mute/count")) !== before);
  });
});

describe("a function that streams for ever", () => {
  test("is stopped at the deadline, and when its client leaves; its stream is cancelled", async () => {
    const source = `
let cancelled = 0;
export const forever = () => new Response(new ReadableStream({
  pull: (controller) => controller.enqueue(new Uint8Array(1000)),
  cancel: () => { cancelled++; },
}));
export const count = () => String(cancelled);
`;
    using app = functionsApp("flood", ["forever", "count"], source, "timeout: 1s\n");
    await using host = await serve(app.folder);
    const response = await get(host, "/flood/forever");
    expect(response.status).toBe(200);
    let broken = false;
    try {
      for await (const _ of response.body ?? []);
    } catch {
      broken = true;
    }
    expect(broken).toBe(true);
    const leaving = new AbortController();
    const left = await fetch(`${host.url}/flood/forever`, { signal: leaving.signal });
    expect(left.status).toBe(200);
    leaving.abort();
    await eventually("both streams are cancelled", async () => (await (await get(host, "/flood/count")).text()) === "2");
  });
});

describe("a function that fills memory", () => {
  test("costs its own instance, and no other app", async () => {
    const source = `
const kept: unknown[] = [];
export const fill = async () => { for (;;) { kept.push(new Uint8Array(16 * 1024 * 1024).fill(1)); await Bun.sleep(0); } };
export const hello = () => "hello";
`;
    using app = functionsApp("hungry", ["fill", "hello"], source, "timeout: 20s\nlimits: { memory: 256Mi }\nscale: { max: 1 }\n");
    using other = functionsApp("other", ["hello"], `export const hello = () => "hello";`);
    await using host = await serve(app.folder, { folders: [other.folder] });
    const kept = instanceOf(await get(host, "/other/hello"));
    const before = instanceOf(await get(host, "/hungry/hello"));
    const filled = await get(host, "/hungry/fill");
    expect([filled.status, filled.headers.get("x-urocket-error")]).toEqual([502, "runner-died"]);
    const after = await get(host, "/hungry/hello");
    expect([after.status, instanceOf(after) === before]).toEqual([200, false]);
    expect(instanceOf(await get(host, "/other/hello"))).toBe(kept);
  });
});

describe("a function that answers twice", () => {
  test("is taken at its first word: what it does with the call afterwards changes nothing", async () => {
    const source = `
const settled: Promise<unknown>[] = [];
export const twice = (_, ctx) => new Promise((resolve) => {
  resolve("first");
  resolve("second");
  setTimeout(() => { ctx.log.info("after the answer"); resolve("third"); }, 5);
});
export const hello = () => "hello";
`;
    using app = functionsApp("twice", ["twice", "hello"], source);
    await using host = await serve(app.folder);
    const response = await get(host, "/twice/twice");
    expect(await response.text()).toBe("first");
    await host.logged("what it says afterwards", (one) => one["text"] === "after the answer");
    expect(instanceOf(await get(host, "/twice/hello"))).toBe(instanceOf(response));
  });
});

describe("functions that cannot be loaded", () => {
  test("keep the host from starting, with the author's file and line", async () => {
    using app = functionsApp(
      "broken",
      ["hello"],
      `\nif (!process.env.DATABASE) throw new Error("no database");\nexport const hello = () => "hello";\n`,
    );
    const refusal = await serveInVain(app.folder);
    expect(refusal.exitCode).not.toBe(0);
    expect(refusal.stderr).toContain("no database");
    expect(refusal.stderr).toMatch(/f\.ts:2/);
  });
});

describe("a gigabyte through a function", () => {
  test("goes up and down in bounded memory of host and runner", async () => {
    const source = `
const megabyte = new Uint8Array(1024 * 1024).fill(7);
export const up = async ({ body }) => { let bytes = 0; for await (const chunk of body) bytes += chunk.byteLength; return String(bytes); };
export const down = () => {
  let left = 1024;
  return new Response(new ReadableStream({ pull: (controller) => { if (left-- > 0) controller.enqueue(megabyte.slice()); else controller.close(); } }));
};
`;
    using app = appOf({
      "urocket-service.yaml":
        "limits: { body: 2Gi }\ntimeout: 2m\npaths:\n  /up: { put: { function: f.ts#up } }\n  /down: { get: { function: f.ts#down } }\n",
      "f.ts": source,
    });
    await using host = await serve(app.folder);
    const chunk = new Uint8Array(1024 * 1024);
    let left = 1024;
    const body = new ReadableStream({
      pull: (controller) => {
        if (left-- > 0) controller.enqueue(chunk.slice());
        else controller.close();
      },
    });
    const up = await fetch(`${host.url}/up`, { method: "PUT", body, headers: { "content-type": "application/octet-stream" } });
    expect(await up.text()).toBe(String(1024 ** 3));
    let bytes = 0;
    for await (const piece of (await get(host, "/down")).body ?? []) bytes += piece.byteLength;
    expect(bytes).toBe(1024 ** 3);
    for (const process of host.processes()) expect(peakResidentBytes(process.pid)).toBeLessThan(400 * 1024 * 1024);
  }, 120_000);
});
