/** What clients get of a function's Response is what they get of it from Bun.serve: whatever it was made of, and whoever touched it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appOf } from "./app-folder.ts";
import { servedApp } from "./served-app.ts";

/** Each by its name, which is its path. */
const shapes = `
const encoder = new TextEncoder();
const chunks = (...texts) => new ReadableStream({ start(controller) { for (const text of texts) controller.enqueue(encoder.encode(text)); controller.close(); } });
const touched = (touch, ...made) => { const response = new Response(...made); touch(response); return response; };
class Page extends Response { constructor(html) { super(html, { headers: { "content-type": "text/html" } }); } }

export const shapes = {
  text: () => new Response("hello"),
  "empty-text": () => new Response(""),
  unicode: () => new Response("\\ufeffü€😀"),
  "lone-surrogate": () => new Response("a\\ud800b"),
  "text-with-type": () => new Response("<p>", { headers: { "content-type": "text/html" } }),
  "text-with-status": () => new Response("no", { status: 418, statusText: "Teapot" }),
  "long-text": () => new Response("ü".repeat(200_000)),
  number: () => new Response(123),
  list: () => new Response(["a", "b"]),
  nothing: () => new Response(),
  null: () => new Response(null, { headers: { "x-a": "1" } }),
  "uint8-array": () => new Response(new Uint8Array([0, 255, 1])),
  "array-buffer": () => new Response(new ArrayBuffer(3)),
  "data-view": () => new Response(new DataView(new Uint8Array([9, 8, 7, 6]).buffer, 1, 2)),
  "bytes-with-type": () => new Response(new Uint8Array([1]), { headers: { "Content-Type": "image/png" } }),
  "bytes-changed-later": () => { const bytes = new Uint8Array([65, 66]); const response = new Response(bytes); bytes[0] = 90; return response; },
  "long-bytes": () => new Response(new Uint8Array(300_000).fill(7)),
  blob: () => new Response(new Blob(["a", "b"], { type: "text/x-part" })),
  file: () => new Response(new File(["inside"], "a.txt", { type: "text/csv" })),
  "search-parameters": () => new Response(new URLSearchParams({ a: "1", ü: " &" })),
  json: () => Response.json({ a: [1, "ü"] }),
  "json-with-init": () => Response.json({ a: 1 }, { status: 201, headers: { "content-type": "application/vnd.a+json", location: "/1" } }),
  redirect: () => Response.redirect("/there"),
  "redirect-with-status": () => Response.redirect("https://example.test/there", 303),
  "no-content": () => new Response(null, { status: 204 }),
  "not-modified": () => new Response(null, { status: 304, headers: { etag: '"x"' } }),
  "no-content-with-text": () => new Response("dropped", { status: 204 }),
  "several-cookies": () => { const headers = new Headers({ "x-a": "1" }); headers.append("set-cookie", "a=1"); headers.append("set-cookie", "b=2; Path=/"); headers.append("x-a", "2"); return new Response("c", { headers }); },
  "headers-of-a-list": () => new Response("l", { headers: [["X-B", "2"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]] }),
  "headers-set-later": () => touched((response) => { response.headers.set("x-later", "1"); response.headers.set("content-type", "text/css"); }, "body"),
  "headers-deleted-later": () => touched((response) => response.headers.delete("x-a"), "body", { headers: { "x-a": "1", "x-b": "2" } }),
  "type-deleted-later": () => { const response = Response.json({}); response.headers.delete("content-type"); return response; },
  "wrong-length": () => new Response("hello", { headers: { "content-length": "3" } }),
  "body-looked-at": () => touched((response) => void response.body, "body", { headers: { "content-type": "text/plain" } }),
  clone: () => new Response("body", { status: 202, headers: { "x-a": "1" } }).clone(),
  cloned: () => touched((response) => response.clone(), "body"),
  "clone-of-clone": () => new Response(new Uint8Array([5])).clone().clone(),
  "clone-read": async () => { const response = new Response("body"); await response.clone().text(); return response; },
  rewrapped: () => { const response = Response.json({ a: 1 }, { status: 201, headers: { "x-a": "1" } }); return new Response(response.body, response); },
  "rewrapped-with-header": () => { const response = new Response("old", { headers: { "content-type": "text/plain", "x-a": "1" } }); const next = new Response(response.body, response); next.headers.append("x-b", "2"); return next; },
  subclass: () => new Page("<p>"),
  "own-constructor": () => { const response = new Response("a"); return new response.constructor("b", response); },
  stream: () => new Response(chunks("one"), { headers: { "content-type": "text/plain" } }),
  "stream-of-several": () => new Response(chunks("one", "two", "three"), { headers: { "content-type": "text/plain" } }),
  "stream-of-nothing": () => new Response(chunks(), { headers: { "content-type": "text/plain" } }),
  "slow-stream": () => new Response(new ReadableStream({ async pull(controller) { await new Promise(setImmediate); controller.enqueue(encoder.encode("late")); controller.close(); } }), { headers: { "content-type": "text/plain" } }),
  generator: () => new Response((async function* () { yield "a"; await null; yield "b"; })(), { headers: { "content-type": "text/plain" } }),
  piped: () => new Response(new Response("piped").body.pipeThrough(new TransformStream()), { headers: { "content-type": "text/plain" } }),
  compressed: () => new Response(Bun.gzipSync("squeezed"), { headers: { "content-encoding": "gzip", "content-type": "text/plain" } }),
  later: async () => { await new Promise(setImmediate); return new Response("later", { status: 203 }); },
  fetched: async () => { using inner = Bun.serve({ port: 0, fetch: () => Response.json({ inner: true }, { status: 201, headers: { "x-inner": "1" } }) }); return await fetch(inner.url); },
  read: async () => { const response = new Response("gone"); await response.text(); return response; },
  locked: () => touched((response) => response.body.getReader(), "gone"),
  error: () => Response.error(),
  thrown: () => { throw new Error("inside"); },
};

export const byPath = (request) => shapes[new URL(request.url).pathname.slice(1)]?.() ?? new Response("no such shape", { status: 404 });
export default { fetch: byPath };
`;

interface Shapes {
  readonly shapes: Readonly<Record<string, unknown>>;
  readonly byPath: (request: Request) => Response | Promise<Response>;
}

interface Got {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** Of the transport, or one host's alone. */
const own = new Set(["date", "server", "connection", "keep-alive", "transfer-encoding", "x-request-id", "x-urocket-instance"]);

async function ask(url: string, method: string): Promise<Got> {
  const response = await fetch(url, { method, redirect: "manual" });
  const body = Buffer.from(await response.arrayBuffer()).toString("latin1");
  if (response.status >= 500) return { status: 500, headers: [], body: "" };
  const headers = [...response.headers].filter(([name]) => !own.has(name));
  return { status: response.status, headers: headers.map(([name, value]) => [name, value.replace("; charset", ";charset")]), body };
}

/** Without the length of a stream, which one host happens to know, and the type of nothing, which only one tells. */
function comparable(name: string, { status, headers, body }: Got): Got {
  const untold = /stream|piped|generator/.test(name) ? "content-length" : body === "" ? "content-type" : "";
  return { status, headers: headers.filter(([header]) => header !== untold), body };
}

describe("a Response", () => {
  const host = servedApp(() => appOf({ "urocket-service.yaml": "name: shapes\nfunctions: functions.js\n", "functions.js": shapes }));
  let peer: ReturnType<typeof Bun.serve> | undefined;
  let names: readonly string[] = [];
  beforeAll(async () => {
    const made = (await import(host.app.path("functions.js"))) as Shapes;
    names = Object.keys(made.shapes);
    peer = Bun.serve({ port: 0, fetch: made.byPath, error: () => new Response("", { status: 500 }) });
  });
  afterAll(() => peer?.stop(true));

  test("is to clients what Bun.serve makes of it", async () => {
    const ours: Record<string, Got> = {};
    const theirs: Record<string, Got> = {};
    for (const name of names) {
      ours[name] = comparable(name, await ask(`${host.url}/${name}`, "GET"));
      theirs[name] = comparable(name, await ask(new URL(name, peer?.url).href, "GET"));
    }
    expect(names.length).toBeGreaterThan(50);
    expect(ours).toEqual(theirs);
  });

  test("asked for by HEAD is the same without its body", async () => {
    const withoutNone = ({ status, headers }: Got) => ({
      status,
      headers: headers.filter(([name, value]) => `${name}: ${value}` !== "content-length: 0"),
    });
    for (const name of names) {
      const { body, ...head } = await ask(`${host.url}/${name}`, "HEAD");
      expect([name, body, withoutNone({ ...head, body })]).toEqual([name, "", withoutNone(await ask(`${host.url}/${name}`, "GET"))]);
    }
  });
});
