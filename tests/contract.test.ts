/** The contract between client and program, as both meet it over HTTP. */
import { describe, expect, test } from "bun:test";
import { answerModule } from "./answering.ts";
import { appOf } from "./app-folder.ts";
import { servedApp } from "./served-app.ts";
import type { LogLine } from "./serving.ts";

const files = {
  "answer.ts": answerModule,
  "openapi.yaml": `
openapi: 3.1.0
info: { title: Orders, version: 1.0.0 }
paths:
  /orders:
    post:
      requestBody:
        required: true
        content:
          application/json:
            schema: { $ref: "#/components/schemas/Order" }
          application/xml:
            schema: { $ref: "#/components/schemas/Order" }
          application/x-www-form-urlencoded:
            schema: { $ref: "#/components/schemas/Order" }
      responses:
        "200": { description: ok, content: { application/json: { schema: { type: object } } } }
  /orders/{orderId}:
    get:
      parameters:
        - { name: orderId, in: path, required: true, schema: { type: integer } }
        - { name: verbose, in: query, schema: { type: boolean, default: false } }
        - { name: X-Tenant, in: header, required: true, schema: { type: string, maxLength: 3 } }
      responses:
        "200": { description: ok, content: { application/json: { schema: { type: object } } } }
  /reply/{kind}:
    get:
      parameters: [{ name: kind, in: path, required: true, schema: { type: string } }]
      responses:
        "200":
          description: ok
          content: { application/json: { schema: { type: object, required: [id], properties: { id: { type: integer }, name: { type: string } } } } }
  /unhandled:
    get: { responses: { "200": { description: ok } } }
components:
  schemas:
    Order:
      type: object
      required: [article, count]
      additionalProperties: false
      xml: { name: order }
      properties:
        article: { type: string, minLength: 2 }
        count: { type: integer, minimum: 1 }
        tags: { type: array, items: { type: string } }
`,
  "urocket-service.yaml": `
name: orders
openapi: openapi.yaml
timeout: 20s
limits: { body: 64Ki }
paths:
  /orders:
    post: { inject: { cmd: ./echo.sh } }
  /orders/{id}:
    get: { inject: { cmd: ./echo.sh } }
  /reply/{kind}:
    get:
      inject: { cmd: bun reply.ts }
      validate-out: true
`,
  "echo.sh": "#!/bin/sh\ncat | urocket reply --type application/json\n",
  "reply.ts": `
import { answer } from "./answer.ts";
const type = { "content-type": "application/json" };
const kinds = {
  right: () => answer('{"id":1}', { headers: type }),
  oversized: () => answer(JSON.stringify({ id: 1, name: "x".repeat(3000000) }), { headers: type }),
  wrong: () => answer('{"id":"one","name":2}', { headers: type }),
  unparsable: () => answer('{"id":', { headers: type }),
  status: () => answer('{"id":1}', { status: 418, headers: type }),
  type: () => answer("id 1", { headers: { "content-type": "text/plain" } }),
  large: () => answer(JSON.stringify({ id: 1, name: "x".repeat(60000) }), { headers: type }),
};
await kinds[process.env.UROCKET_PARAM_KIND]();
`,
};

interface Problem {
  readonly detail: string;
  readonly errors: readonly { readonly in: string; readonly path: string; readonly message: string }[];
}

describe("the contract", () => {
  const host = servedApp(() => appOf(files));

  const order = async (body: string, type = "application/json"): Promise<Response> =>
    await fetch(`${host.url}/orders`, { method: "POST", headers: { "content-type": type }, body });
  const violations = async (response: Response): Promise<string[]> => {
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toStartWith("application/problem+json");
    const { errors } = (await response.json()) as Problem;
    expect(errors.every(({ message }) => message.length > 0)).toBeTrue();
    return errors.map((error) => `${error.in} ${error.path}`).toSorted((one, other) => one.localeCompare(other));
  };

  const told = async (response: Response, status: number): Promise<LogLine> => {
    const requestId = response.headers.get("x-request-id");
    const fits = (line: LogLine): boolean => line["type"] === "output" && line["requestId"] === requestId;
    return await host.logged(
      `that the program was told ${status}`,
      (line) => fits(line) && JSON.stringify(line).includes(`"told ${status}`),
    );
  };

  test("a body that breaks the contract is told every violation with its JSON path", async () => {
    expect(await violations(await order('{"article":1,"count":0,"tags":["a",2],"colour":"red"}'))).toEqual([
      "body $.article",
      "body $.colour",
      "body $.count",
      "body $.tags[1]",
    ]);
    expect(await violations(await order("{}"))).toEqual(["body $.article", "body $.count"]);
    expect(await violations(await order("[]"))).toEqual(["body $"]);
    expect(await violations(await order("{"))).toEqual(["body $"]);
  });

  test("parameters of all places are told together", async () => {
    const response = await fetch(`${host.url}/orders/seven?verbose=perhaps`, { headers: { "x-tenant": "long one" } });
    expect((await violations(response)).map((text) => text.toLowerCase())).toEqual(["header x-tenant", "path orderid", "query verbose"]);
  });

  test("without a body the payload is the path and query parameters, typed, with defaults", async () => {
    const response = await fetch(`${host.url}/orders/7`, { headers: { "x-tenant": "abc" } });
    expect(await response.json()).toEqual({ orderId: 7, verbose: false });
  });

  test("JSON, XML and form bodies become the same JSON payload", async () => {
    const expected = { article: "ab", count: 2, tags: ["x", "y"] };
    expect(await (await order(JSON.stringify(expected))).json()).toEqual(expected);
    expect(
      await (await order("<order><article>ab</article><count>2</count><tags>x</tags><tags>y</tags></order>", "application/xml")).json(),
    ).toEqual(expected);
    expect(await (await order("article=ab&count=2&tags=x&tags=y", "application/x-www-form-urlencoded")).json()).toEqual(expected);
  });

  test("a media type that the contract lacks is 415, one that it cannot produce 406", async () => {
    expect((await order("a,1", "text/csv")).status).toBe(415);
    const response = await fetch(`${host.url}/orders/7`, { headers: { "x-tenant": "abc", accept: "image/png" } });
    expect(response.status).toBe(406);
    expect((await fetch(`${host.url}/orders/7`, { headers: { "x-tenant": "abc", accept: "text/html, */*;q=0.1" } })).status).toBe(200);
  });

  test("the app's own body limit is kept, and named", async () => {
    const response = await order(JSON.stringify({ article: "x".repeat(70_000), count: 1 }));
    expect(response.status).toBe(413);
    expect(((await response.json()) as Problem).detail).toMatch(/64 ?Ki|65 ?536/);
  });

  test("an operation of the contract without a handler is 501", async () => {
    const response = await fetch(`${host.url}/unhandled`);
    expect(response.status).toBe(501);
    expect(response.headers.get("content-type")).toStartWith("application/problem+json");
  });

  test("a JSON body of ten thousand levels is refused or taken, never a crash", async () => {
    const response = await order(`${"[".repeat(10_000)}${"]".repeat(10_000)}`);
    expect(response.status).toBe(400);
    expect((await order('{"article":"ab","count":1}')).status).toBe(200);
  });

  test("names like __proto__ do nothing", async () => {
    expect(await violations(await order('{"article":"ab","count":1,"__proto__":{"x":1}}'))).toEqual(["body $.__proto__"]);
    expect((await order('{"article":"ab","count":1}')).status).toBe(200);
  });

  describe("validate-out", () => {
    const reply = async (kind: string): Promise<Response> => await fetch(`${host.url}/reply/${kind}`);

    test("a reply that keeps the contract is passed on", async () => {
      const response = await reply("right");
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ id: 1 });
    });

    test("a large one too", async () => {
      expect(await (await reply("large")).json()).toMatchObject({ id: 1 });
    });

    test("one that is longer than what can be held to be validated is 502, names the limit, and the program is told", async () => {
      const response = await reply("oversized");
      expect(response.status).toBe(502);
      expect(((await response.json()) as Problem).detail).toContain("65536");
      await told(response, 422);
    });

    test.each([
      ["wrong", ["$.id", "$.name"]],
      ["unparsable", ["$"]],
      ["status", ["418"]],
      ["type", ["text/plain"]],
    ] as const)("one that breaks it (%s) is 502 for the client, and 422 with reasons for the program", async (kind, reasons) => {
      const response = await reply(kind);
      expect(response.status).toBe(502);
      expect(response.headers.get("content-type")).toStartWith("application/problem+json");
      const line = await told(response, 422);
      for (const reason of reasons) expect(JSON.stringify(line)).toContain(reason);
    });
  });
});
