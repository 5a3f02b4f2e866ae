/** What functions of an app do over HTTP: typed by the contract, with their errors, streams and logs. */
import { describe, expect, test } from "bun:test";
import { appOf } from "./app-folder.ts";
import { servedApp } from "./served-app.ts";

const contract = `
openapi: 3.1.0
info: { title: Shop, version: "1" }
paths:
  /items/{id}:
    parameters:
      - { name: id, in: path, required: true, schema: { type: integer } }
    get:
      operationId: showItem
      parameters:
        - { name: deep, in: query, schema: { type: boolean, default: false } }
        - { name: X-Lang, in: header, schema: { type: string, enum: [en, de] } }
      responses:
        "200": { description: It, content: { application/json: { schema: { type: object } } } }
    put:
      operationId: putItem
      requestBody:
        required: true
        content:
          application/json: { schema: { type: object, required: [name], properties: { name: { type: string }, price: { type: number } } } }
          application/x-www-form-urlencoded: { schema: { type: object, required: [name], properties: { name: { type: string }, price: { type: number } } } }
      responses:
        "201": { description: Put, content: { application/json: { schema: { type: object } } } }
  /greeting:
    get:
      operationId: greet
      responses: { "200": { description: Text, content: { text/plain: { schema: { type: string } } } } }
  /judged:
    get:
      operationId: judged
      parameters: [{ name: good, in: query, required: true, schema: { type: boolean } }]
      responses:
        "200": { description: Right, content: { application/json: { schema: { type: object, required: [right], properties: { right: { const: true } } } } } }
  /refusal: { get: { operationId: refuse, responses: { default: { description: None } } } }
  /throw: { get: { operationId: throwing, responses: { default: { description: None } } } }
  /nothing: { get: { operationId: nothing, responses: { "204": { description: None } } } }
  /raw: { put: { operationId: raw, requestBody: { content: { application/octet-stream: {} } }, responses: { "200": { description: Digest } } } }
  /context: { get: { operationId: context, responses: { "200": { description: It } } } }
  /script: { get: { responses: { "200": { description: A program's } } } }
  /rest: { get: { operationId: unserved, responses: { default: { description: Served by nobody by name } } } }
`;

const functions = `
import { HttpError } from "urocket";

export const showItem = ({ params, query, headers }) => ({ id: params.id, deep: query.deep, lang: headers["x-lang"] ?? null });
export async function putItem({ params, body }) {
  await Promise.resolve();
  return { status: 201, headers: { Location: "/items/" + params.id }, body: { id: params.id, ...body } };
}
export const greet = () => "Grüße";
export const judged = ({ query }) => ({ right: query.good });
export function refuse() {
  throw new HttpError(418, { detail: "Short and stout", spout: true });
}
export function throwing() {
  throw new Error("the database password is hunter2");
}
export const nothing = () => {};
export async function raw({ body }) {
  let bytes = 0;
  for await (const chunk of body) bytes += chunk.byteLength;
  return new Response(String(bytes), { status: 200, headers: { "content-type": "text/plain", "x-bytes": String(bytes) } });
}
export function context({ request }, ctx) {
  ctx.log.info("asked", { path: new URL(request.url).pathname });
  console.log("printed", { deep: { er: 1 } });
  ctx.span.setAttribute("answer", 42);
  return { requestId: ctx.requestId, instance: ctx.instance, operation: ctx.operation, inTime: ctx.deadline > Date.now(), aborted: ctx.signal.aborted,
    secret: ctx.secret("API_KEY"), folder: process.cwd(), env: process.env.GREETING, token: process.env.UROCKET_TOKEN ?? null, url: request.url };
}
export default {
  fetch: (request, ctx) => Response.json({ method: request.method, path: new URL(request.url).pathname, from: "fetch" }, { status: 203 }),
};
`;

describe("functions of an app", () => {
  const host = servedApp(
    () => {
      const app = appOf({
        "urocket-service.yaml": `
openapi: openapi.yaml
functions: src/functions.js
env: [GREETING=hello]
secrets: [API_KEY]
paths:
  /script: { get: { inject: { cmd: ./script.sh } } }
  /judged: { get: { function: src/functions.js#judged, validate-out: true } }
`,
        "openapi.yaml": contract,
        "src/functions.js": functions,
        "script.sh": '#!/bin/sh\necho "$UROCKET_INSTANCE $(cat $UROCKET_SECRETS/API_KEY)" | urocket reply --type text/plain\n',
        "kept/API_KEY": "s3cret",
      });
      return app;
    },
    { flags: ["--timing"], env: { UROCKET_SECRETS_DIR: "kept" }, inAppFolder: true },
  );
  const ask = async (path: string, init?: RequestInit): Promise<Response> => await fetch(host.url + path, init);

  test("get what the contract types, with its defaults, and answer JSON", async () => {
    const response = await ask("/items/7?deep=true", { headers: { "X-Lang": "de" } });
    expect([response.status, response.headers.get("content-type"), await response.json()]).toEqual([
      200,
      "application/json",
      { id: 7, deep: true, lang: "de" },
    ]);
    expect(await (await ask("/items/7")).json()).toEqual({ id: 7, deep: false, lang: null });
    expect(response.headers.get("x-urocket-instance")).toMatch(/^[0-9a-f-]{36}$/);
    expect(response.headers.get("server-timing")).toContain("function;dur=");
  });

  test("are not called with what the contract does not allow", async () => {
    const response = await ask("/items/seven", { headers: { "X-Lang": "fr" } });
    expect([response.status, response.headers.get("x-urocket-error")]).toEqual([400, "invalid-request"]);
    expect(((await response.json()) as { errors: unknown[] }).errors).toHaveLength(2);
  });

  test("get a body as its value, whatever form it came in, and answer with status and headers of their own", async () => {
    const json = await ask("/items/7", {
      method: "PUT",
      body: '{"name":"Tea","price":2.5}',
      headers: { "content-type": "application/json" },
    });
    expect([json.status, json.headers.get("location"), await json.json()]).toEqual([201, "/items/7", { id: 7, name: "Tea", price: 2.5 }]);
    const form = await ask("/items/7", { method: "PUT", body: new URLSearchParams({ name: "Tea", price: "2.5" }) });
    expect([form.status, await form.json()]).toEqual([201, { id: 7, name: "Tea", price: 2.5 }]);
  });

  test("answer text where the contract has text, and nothing with 204", async () => {
    const greeting = await ask("/greeting");
    expect([greeting.headers.get("content-type"), await greeting.text()]).toEqual(["text/plain; charset=utf-8", "Grüße"]);
    const nothing = await ask("/nothing");
    expect([nothing.status, await nothing.text()]).toEqual([204, ""]);
  });

  test("have their replies judged where that is asked for", async () => {
    expect(await (await ask("/judged?good=true")).json()).toEqual({ right: true });
    const wrong = await ask("/judged?good=false");
    expect([wrong.status, wrong.headers.get("x-urocket-error")]).toEqual([502, "invalid-reply"]);
  });

  test("answer an HttpError as that problem, and anything else thrown as 500 whose reason only the log has", async () => {
    const refused = await ask("/refusal");
    expect([refused.status, refused.headers.get("content-type"), await refused.json()]).toMatchObject([
      418,
      "application/problem+json",
      { status: 418, detail: "Short and stout", spout: true },
    ]);
    const thrown = await ask("/throw");
    expect([thrown.status, thrown.headers.get("x-urocket-error")]).toEqual([500, "function-failed"]);
    expect(await thrown.text()).not.toContain("hunter2");
    const line = await host.logged("the error", (one) => one["type"] === "output" && String(one["text"]).includes("hunter2"));
    expect([line["level"], line["requestId"]]).toEqual(["error", thrown.headers.get("x-request-id")]);
    // The stack names the author's own file and line.
    expect(String(line["text"])).toMatch(/src\/functions\.js:15:/);
    // And nothing of what called it.
    expect(String(line["text"]).split("\n")).toHaveLength(2);
  });

  test("read a body as it comes", async () => {
    const response = await ask("/raw", {
      method: "PUT",
      body: new Uint8Array(3_000_000),
      headers: { "content-type": "application/octet-stream" },
    });
    expect([response.status, response.headers.get("x-bytes"), await response.text()]).toEqual([200, "3000000", "3000000"]);
  });

  test("know their call, log with its id, and see nothing of the host's", async () => {
    const response = await ask("/context?x=1", { headers: { "x-request-id": "mine" } });
    expect(await response.json()).toEqual({
      requestId: "mine",
      instance: response.headers.get("x-urocket-instance") ?? "",
      operation: "GET /context",
      inTime: true,
      aborted: false,
      secret: "s3cret",
      folder: host.app.folder,
      env: "hello",
      token: null,
      url: `${host.url}/context?x=1`,
    });
    const logged = await host.logged("what ctx.log said", (one) => one["type"] === "output" && one["text"] === "asked");
    expect(logged).toMatchObject({ level: "info", requestId: "mine", operation: "GET /context", fields: { path: "/context" } });
    const printed = await host.logged("what was printed", (one) => String(one["text"]).startsWith("printed"));
    expect(printed).toMatchObject({ requestId: "mine" });
    expect(String(printed["text"])).toContain("er: 1");
    expect(await host.exchange("mine")).toMatchObject({ status: 200, span: { attributes: { answer: 42 } } });
    expect(JSON.stringify(host.log)).not.toContain("s3cret");
  });

  test("stand beside programs in one instance, and a fetch handler takes the rest", async () => {
    const instance = (await ask("/greeting")).headers.get("x-urocket-instance") ?? "";
    expect((await (await ask("/script")).text()).trim()).toBe(`${instance} s3cret`);
    const rest = await ask("/rest");
    expect([rest.status, await rest.json()]).toEqual([203, { method: "GET", path: "/rest", from: "fetch" }]);
    expect((await ask("/elsewhere")).status).toBe(404);
  });
});

describe("an app that is a fetch handler and nothing else", () => {
  const host = servedApp(() =>
    appOf({
      "urocket-service.yaml": "functions: app.ts\nbase: /api\n",
      "app.ts": `
export default {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    return Response.json({ method: request.method, path: url.pathname, query: url.search, body: await request.text() });
  },
};
`,
    }),
  );

  test("gets every path and verb below its base, bodies as they came", async () => {
    for (const method of ["GET", "POST", "DELETE", "PATCH"]) {
      const body = method === "GET" ? "" : "{ not json";
      const init = body === "" ? { method } : { method, body, headers: { "content-type": "application/json" } };
      const response = await fetch(`${host.url}/api/any/thing?x=1`, init);
      expect([response.status, await response.json()]).toEqual([200, { method, path: "/api/any/thing", query: "?x=1", body }]);
    }
    expect((await fetch(`${host.url}/other`)).status).toBe(404);
  });
});

describe("an app that is a function like any other, as the default export", () => {
  const host = servedApp(() =>
    appOf({
      "urocket-service.yaml": "functions: app.ts\npaths: { /form: { post: { function: form.ts } } }\nopenapi: openapi.yaml\n",
      "openapi.yaml": `
openapi: 3.1.0
info: { title: Forms, version: "1" }
paths:
  /form:
    post:
      requestBody: { content: { application/x-www-form-urlencoded: { schema: { type: object, properties: { n: { type: integer } } } } } }
      responses: { "200": { description: The form } }
`,
      "form.ts": "export default ({ body }: { body: unknown }) => ({ body });\n",
      "app.ts": "export default () => 1;\n",
    }),
  );

  test("gets what the contract makes of a form", async () => {
    const response = await fetch(`${host.url}/form`, { method: "POST", body: new URLSearchParams({ n: "5" }) });
    expect([response.status, await response.json()]).toEqual([200, { body: { n: 5 } }]);
  });
});

describe("a default export without a contract", () => {
  const host = servedApp(() =>
    appOf({ "urocket-service.yaml": "functions: app.ts\n", "app.ts": "export default ({ body }: { body: unknown }) => ({ body });\n" }),
  );
  const post = async (body: string): Promise<Response> =>
    await fetch(`${host.url}/any`, { method: "POST", body, headers: { "content-type": "application/json" } });

  test("gets the value of JSON, and nothing that only says it is", async () => {
    expect(await (await post('{"a":[1]}')).json()).toEqual({ body: { a: [1] } });
    expect((await post("{ not json")).status).toBe(400);
  });
});
