import { describe, expect, test } from "bun:test";
import { callHandler, callLine, testContext } from "./testing.ts";
import { HttpError, type Context, type Handler, type LineHandler } from "./urocket.ts";

describe("callHandler", () => {
  test("tells what the client would get", async () => {
    const add: Handler = ({ body }) => ({ status: 201, headers: { Location: "/1" }, body: { id: 1, given: body } });
    const answer = await callHandler(add, { body: { name: "Rex", gone: undefined, born: new Date(0) } });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("location")).toBe("/1");
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.body).toEqual({ id: 1, given: { name: "Rex", born: "1970-01-01T00:00:00.000Z" } });
  });

  test("gives parameters, and headers in lower case", async () => {
    const echo: Handler = async ({ params, query, headers }) => await Promise.resolve({ params, query, headers });
    const answer = await callHandler(echo, { params: { id: "1" }, query: { tag: ["a", "b"] }, headers: { "X-Key": "k" } });
    expect(answer.body).toEqual({ params: { id: "1" }, query: { tag: ["a", "b"] }, headers: { "x-key": "k" } });
  });

  test("makes a Request of the same", async () => {
    const answer = await callHandler(
      async ({ request }) => [request.method, request.url, request.headers.get("x-key"), await request.json()],
      { method: "PUT", path: "/pets", query: { tag: ["a", "b"], limit: "2" }, headers: { "x-key": "k" }, body: { a: 1 } },
    );
    expect(answer.body).toEqual(["PUT", "http://localhost/pets?tag=a&tag=b&limit=2", "k", { a: 1 }]);
  });

  test("gives bytes as a stream", async () => {
    const size: Handler = async ({ body }) => (body instanceof ReadableStream ? (await new Response(body).bytes()).length : -1);
    expect((await callHandler(size, { body: new Uint8Array(7) })).body).toBe(7);
    expect((await callHandler(size, { body: new Blob(["abc"]) })).body).toBe(3);
  });

  test("calls the fetch of a default export", async () => {
    const app = {
      fetch: (request: Request, ctx: Context): Response => new Response(`${request.method} ${ctx.operation}`, { status: 202 }),
    };
    const answer = await callHandler(app, { method: "DELETE" }, { operation: "DELETE /pets" });
    expect([answer.status, answer.body]).toEqual([202, "DELETE DELETE /pets"]);
  });

  test("tells the problem of an HttpError", async () => {
    const missing: Handler = () => {
      throw new HttpError(404, "There is no pet 7");
    };
    const answer = await callHandler(missing);
    expect(answer.status).toBe(404);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body).toMatchObject({ title: "Not Found", detail: "There is no pet 7" });
  });

  test("throws what else the handler throws, and refuses what cannot be sent", async () => {
    const broken: Handler = () => {
      throw new RangeError("off by one");
    };
    expect(callHandler(broken)).rejects.toThrow("off by one");
    expect(callHandler(() => ({ status: 99 }))).rejects.toThrow("status 99 cannot be sent");
  });

  test("writes text as the contract's media type", async () => {
    expect((await callHandler(() => "a", { mediaTypes: { "200": "application/json" } })).headers.get("content-type")).toBe(
      "application/json",
    );
    expect((await callHandler(() => "<a/>", { mediaTypes: { default: "application/xml" } })).body).toBe("<a/>");
    expect((await callHandler(() => new Uint8Array([1]))).body).toEqual(new Uint8Array([1]));
    expect((await callHandler(() => undefined)).body).toBeUndefined();
  });
});

describe("testContext", () => {
  test("keeps what is logged and noted", async () => {
    const ctx = testContext({ requestId: "r-1" });
    await callHandler(
      (_, { log, span, requestId }) => {
        log.warn("low", { left: 1, requestId });
        log.info("done");
        span.setAttribute("pets", 2);
        span.addEvent("fed");
      },
      {},
      ctx,
    );
    expect(ctx.logged).toEqual([
      { level: "warn", message: "low", fields: { left: 1, requestId: "r-1" } },
      { level: "info", message: "done" },
    ]);
    expect([...ctx.span.attributes]).toEqual([["pets", 2]]);
    expect(ctx.span.events).toEqual(["fed"]);
  });

  test("has the secrets that it was given, and no others", () => {
    const { secret } = testContext({ secrets: { API_KEY: "k" } });
    expect(secret("API_KEY")).toBe("k");
    expect(() => secret("OTHER")).toThrow('Cannot read the secret "OTHER": give it in testContext');
  });

  test("can be given up", async () => {
    const ctx = testContext();
    const waits: Handler = async (_, { signal }) =>
      await new Promise((resolve) => signal.addEventListener("abort", () => resolve((signal.reason as Error).name)));
    const answer = callHandler(waits, {}, ctx);
    ctx.abort();
    expect((await answer).body).toBe("TimeoutError");
  });
});

describe("callLine", () => {
  const greet: LineHandler = (line, ctx) => {
    if (line === "") throw new HttpError(400, "a name\nis needed");
    return `Hello ${line} from ${ctx.client}\n`;
  };
  test("tells the answer without its line end", async () => {
    expect(await callLine(greet, "Ada", { client: "::1" })).toBe("Hello Ada from ::1");
  });
  test("tells an HttpError in one line", async () => {
    expect(await callLine(greet, "")).toBe("Err: a name is needed");
  });
  test("throws what else is thrown", async () => {
    expect(callLine(async () => await Promise.reject(new Error("no")), "")).rejects.toThrow("no");
  });
});
