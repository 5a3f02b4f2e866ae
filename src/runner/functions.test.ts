/** Functions in a real runner process: what they get, what becomes of their results, and what their failures cost. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { windowBytes } from "../link/body.ts";
import { FunctionTrial } from "./function-trial.ts";

/** A trial that the tests of a describe share; its functions are called by their names. */
function sharing(source: string): { readonly trial: () => FunctionTrial; readonly of: (name: string) => number } {
  let trial: FunctionTrial | undefined;
  const names = [...source.matchAll(/\bexport (?:async function|function|const) (\w+)/g)].map((match) => match[1]);
  beforeAll(async () => {
    trial = await FunctionTrial.open(source);
  });
  afterAll(async () => trial?.[Symbol.asyncDispose]());
  return {
    trial: () => {
      if (trial === undefined) throw new Error("not open");
      return trial;
    },
    of: (name) => names.indexOf(name),
  };
}

describe("a function's result", () => {
  const { trial, of } = sharing(`
    export const value = () => ({ a: 1 });
    export const nothing = () => {};
    export const whole = async ({ body }) => ({ status: 201, headers: { location: "/x/1" }, body: { ...body, id: 1 } });
    export const response = () => new Response("<p>ü</p>", { status: 202, headers: { "content-type": "text/html", "set-cookie": "a=1" } });
    export const large = () => "ü".repeat(400_000);
    export const bytes = async () => new Uint8Array([0, 255, 1]);
    export const bigint = () => ({ n: 1n });
    export const longHeader = () => ({ status: 200, headers: { "x-long": "y".repeat(70_000) }, body: 1 });
    export const twice = (input, ctx) => new Promise((resolve, reject) => { resolve("first"); resolve("second"); reject(new Error("third")); });
    export const thenable = () => ({ then(resolve) { resolve({ late: true }); } });
  `);

  test("is a 200 where it is a value, a 204 where it is nothing, and else what it says", async () => {
    const value = await trial().answer(of("value"));
    expect(value.head).toMatchObject({ status: 200, headers: [["content-type", "application/json"]], waitMs: 0, spawnMs: 0 });
    expect(value.head?.runMs).toBeGreaterThanOrEqual(0);
    expect(value.json).toEqual({ a: 1 });
    expect((await trial().answer(of("nothing"))).head).toMatchObject({ status: 204, headers: [] });
    const whole = await trial().answer(of("whole"), {}, '{"name":"Rex"}');
    expect(whole.head).toMatchObject({ status: 201 });
    expect(whole.head?.headers).toContainEqual(["location", "/x/1"]);
    expect(whole.json).toEqual({ name: "Rex", id: 1 });
  });

  test("may be a web-standard Response", async () => {
    const { head, text, chunks } = await trial().answer(of("response"));
    expect(head?.status).toBe(202);
    expect(head?.headers).toEqual([
      ["content-type", "text/html"],
      ["set-cookie", "a=1"],
    ]);
    expect(text).toBe("<p>ü</p>");
    expect(chunks).toHaveLength(1);
  });

  test("may be longer than a frame and a window", async () => {
    const { head, text, ended } = await trial().answer(of("large"));
    expect(head?.bodyBytes).toBe(800_000);
    expect(ended).toBe(true);
    expect(text).toBe("ü".repeat(400_000));
  });

  test("may be bytes", async () => {
    const { head, chunks } = await trial().answer(of("bytes"));
    expect(head?.headers).toEqual([["content-type", "application/octet-stream"]]);
    expect(Buffer.concat(chunks)).toEqual(Buffer.from([0, 255, 1]));
  });

  test("may be promised by any thenable", async () => {
    expect((await trial().answer(of("thenable"))).json).toEqual({ late: true });
  });

  test("is one: what is resolved or rejected after it changes nothing", async () => {
    const heard = await trial().answer(of("twice"));
    expect(heard.text).toBe("first");
    expect((await trial().answer(of("value"))).json).toEqual({ a: 1 });
    expect(heard.resetHead).toBeUndefined();
  });

  test("that cannot be sent is a failure, which the log explains", async () => {
    const before = trial().logs.length;
    expect((await trial().answer(of("bigint"))).resetHead).toEqual({
      reason: "function-failed",
      detail: "The function bigint returned what cannot be sent",
    });
    expect(trial().logs.slice(before)).toMatchObject([{ level: "error", operation: "GET /bigint", stream: "log" }]);
    expect(trial().logs.at(-1)?.text).toContain("BigInt");
  });

  test("with headers that are too long for a frame is a failure of its own", async () => {
    expect((await trial().answer(of("longHeader"))).resetHead?.reason).toBe("function-failed");
    expect(trial().logs.at(-1)?.text).toContain("70");
    expect((await trial().answer(of("value"))).head?.status).toBe(200);
  });
});

describe("a function's input", () => {
  const { trial, of } = sharing(`
    export const echo = ({ body, params, query, headers }) => ({ body, params, query, headers });
    export const request = async ({ request }) => ({
      url: request.url, method: request.method, headers: [...request.headers], text: await request.text(), aborted: request.signal.aborted,
    });
    export const streamed = async ({ body }) => { let bytes = 0; for await (const chunk of body) bytes += chunk.byteLength; return { bytes }; };
    export const ignoring = async (input, ctx) => { await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve)); };
    export const cancelling = async ({ body }) => { await body.cancel(); return "enough"; };
    export const broken = async ({ body }) => { try { for await (const chunk of body); } catch (error) { console.log("read:", error.name); } };
  `);

  test("has what the contract typed, and all headers", async () => {
    const answer = await trial().answer(
      of("echo"),
      {
        params: { petId: 7 },
        queryValues: { limit: 10 },
        headers: ["host", "a", "x-many", "1", "x-many", "2", "cookie", "a=1", "cookie", "b=2", "constructor", "c", "x-n", "5"],
        headerValues: { "x-n": 5 },
      },
      '{"näme":"Rex"}',
    );
    expect(answer.json).toEqual({
      body: { näme: "Rex" },
      params: { petId: 7 },
      query: { limit: 10 },
      headers: { host: "a", "x-many": "1, 2", cookie: "a=1; b=2", constructor: "c", "x-n": 5 },
    });
  });

  test("without anything is empty", async () => {
    expect((await trial().answer(of("echo"), { headers: [] })).json).toEqual({ params: {}, query: {}, headers: {} });
  });

  test("has a body of JSON whole, however many frames it came in", async () => {
    const list = Array.from({ length: 60_000 }, (_, at) => `item ${at}`);
    const answer = await trial().answer(of("echo"), {}, JSON.stringify(list));
    expect(answer.json).toMatchObject({ body: list });
  });

  test("is a web-standard Request too", async () => {
    const answer = await trial().answer(
      of("request"),
      {
        method: "PUT",
        path: "/pets/%C3%A4",
        query: "a=1&b",
        host: "example.test:8080",
        headers: ["content-type", "text/plain", "x-a", "1"],
        body: "bytes",
      },
      "hello",
    );
    expect(answer.json).toEqual({
      url: "http://example.test:8080/pets/%C3%A4?a=1&b",
      method: "PUT",
      headers: [
        ["content-type", "text/plain"],
        ["x-a", "1"],
      ],
      text: "hello",
      aborted: false,
    });
  });

  test("as a Request says that what the contract made JSON is JSON", async () => {
    const headers = ["content-type", "application/x-www-form-urlencoded", "content-length", "3"];
    const answer = await trial().answer(of("request"), { headers }, '{"a":"1"}');
    expect(answer.json).toMatchObject({ headers: [["content-type", "application/json"]], text: '{"a":"1"}' });
  });

  test("as a Request has a URL though the Host header makes none", async () => {
    expect((await trial().answer(of("request"), { host: "a b" })).json).toMatchObject({ url: "http://localhost/x" });
    expect((await trial().answer(of("request"), { host: "" })).json).toMatchObject({ url: "http://localhost/x" });
  });

  test("streams a body of other media types", async () => {
    const answer = await trial().answer(of("streamed"), { body: "bytes" }, new Uint8Array(3 * windowBytes));
    expect(answer.json).toEqual({ bytes: 3 * windowBytes });
  });

  test("is not taken faster than it is read", async () => {
    const heard = trial().call(of("ignoring"), { body: "bytes" }, new Uint8Array(2 * windowBytes));
    expect(heard.outgoing.waits).toBe(true);
    await trial().answer(of("echo"));
    expect(heard.granted).toBe(0);
    trial().reset(heard);
  });

  test("may be left unread", async () => {
    const heard = await trial().answer(of("cancelling"), { body: "bytes" }, new Uint8Array(2 * windowBytes));
    expect(heard.text).toBe("enough");
  });

  test("fails to be read on when the client has left", async () => {
    const heard = trial().call(of("broken"), { body: "bytes" }, new Uint8Array(10), false);
    await trial().answer(of("echo"));
    trial().reset(heard);
    await trial().until(() => trial().logs.some(({ text }) => text === "read: AbortError"));
    expect(heard.head).toBeUndefined();
  });
});

describe("a function's context", () => {
  const { trial, of } = sharing(`
    export const all = ({}, ctx) => { const { requestId, deadline, operation, client, instance, signal } = ctx; return { requestId, deadline, operation, client, instance, aborted: signal.aborted }; };
    export const spans = ({}, { span: { setAttribute, addEvent, traceId, traceparent } }) => {
      for (let i = 0; i < 40; i++) { setAttribute("a" + i, i); addEvent("e" + i); }
      setAttribute("a0", "x".repeat(1000));
      return { traceId, traceparent };
    };
    export const waits = ({}, ctx) => new Promise((resolve) => { ctx.signal.onabort = () => { console.log("aborted:", ctx.signal.reason.name); resolve(); }; });
    export const looksLate = async ({}, ctx) => { await new Promise((resolve) => { globalThis.go = resolve; }); console.log("late:", ctx.signal.aborted, ctx.signal.reason.message); };
    export const goOn = () => { globalThis.go(); };
    export const secret = ({ params: { name } }, { secret }) => secret(name);
  `);

  test("says what call it is", async () => {
    const deadline = Date.now() + 60_000;
    const answer = await trial().answer(of("all"), { id: "my-id", deadline, client: "10.0.0.1" });
    expect(answer.json).toEqual({
      requestId: "my-id",
      deadline,
      operation: "GET /all",
      client: "10.0.0.1",
      instance: "instance-1",
      aborted: false,
    });
  });

  test("continues the client's trace, and keeps 32 notes of a bounded length", async () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const { head, json } = await trial().answer(of("spans"), { traceparent });
    expect(json).toEqual({ traceId: "0af7651916cd43dd8448eb211c80319c", traceparent });
    expect(Object.keys(head?.span?.attributes ?? {})).toHaveLength(32);
    expect(head?.span?.attributes).toMatchObject({ a0: "x".repeat(256), a1: 1 });
    expect(head?.span?.events).toHaveLength(32);
  });

  test("has a trace of its own where the client has none", async () => {
    const { json } = await trial().answer(of("spans"), { traceparent: "nonsense" });
    expect(json).toMatchObject({ traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/) });
  });

  test.each([
    ["deadline", "TimeoutError"],
    ["client-left", "AbortError"],
    ["shutdown", "AbortError"],
  ] as const)("aborts its signal when the call ends by %s", async (reason, name) => {
    const before = trial().logs.length;
    const heard = trial().call(of("waits"));
    await trial().answer(of("all"));
    trial().reset(heard, reason);
    await trial().until(() => trial().logs.length > before);
    expect(trial().logs.at(-1)).toMatchObject({
      text: `aborted: ${name}`,
      id: heard.head === undefined ? `id-${heard.number}` : "",
      operation: "GET /waits",
    });
    expect(heard.head).toBeUndefined();
  });

  test("has a signal that was aborted before it was looked at", async () => {
    const heard = trial().call(of("looksLate"));
    await trial().answer(of("all"));
    trial().reset(heard, "deadline");
    await trial().answer(of("goOn"));
    await trial().until(() => trial().logs.some(({ text }) => text === "late: true The deadline of GET /looksLate has passed"));
    expect(heard.head).toBeUndefined();
  });

  test("reads secrets that the service file names, without the newline of their file", async () => {
    const name = "API_KEY";
    await using own = await FunctionTrial.open({
      files: {
        "functions.ts": "export const secret = ({ params: { name } }, { secret }) => secret(name) + process.env.UROCKET_SECRETS.length;",
        API_KEY: "s3cret\n",
      },
      functions: { secrets: "." },
    });
    expect((await own.answer(0, { params: { name } })).text).toBe("s3cret1");
    expect((await own.answer(0, { params: { name: "OTHER" } })).resetHead?.reason).toBe("function-failed");
    expect(own.logs.at(-1)?.text).toContain('Cannot read the secret "OTHER": name it in the service file: secrets: [OTHER]');
    expect((await own.answer(0, { params: { name: "../functions.ts" } })).resetHead?.reason).toBe("function-failed");
    expect((await trial().answer(of("secret"), { params: { name } })).resetHead?.reason).toBe("function-failed");
  });
});

describe("a function that throws", () => {
  const { trial, of } = sharing(`
    import { HttpError } from "${import.meta.dir}/../sdk/http-error.ts";
    export const broken = () => { throw new RangeError("no such thing", { cause: new Error("the cause") }); };
    export const later = async () => { await null; throw new AggregateError([new Error("one"), new Error("two")], "several"); };
    export const text = () => { throw "just text"; };
    export const problem = () => { throw new HttpError(404, { detail: "There is no pet 7", pet: 7, headers: { "x-a": "1" } }); };
    export const causedProblem = async () => { throw new HttpError(503, "Try later", { cause: new Error("the database is away") }); };
    export const badProblem = () => { throw new HttpError(400, { n: 1n }); };
    export const fine = () => 1;
  `);

  test("answers 500 with its name alone, and its stack is in the log, by the author's files", async () => {
    const before = trial().logs.length;
    expect((await trial().answer(of("broken"))).resetHead).toEqual({ reason: "function-failed", detail: "The function broken threw" });
    const [line] = trial().logs.slice(before);
    expect(line).toMatchObject({ level: "error", stream: "log", operation: "GET /broken" });
    expect(line?.text).toMatch(/^RangeError: no such thing\n\s+at broken \(.*functions\.ts:3:\d+\)/);
    expect(line?.text).toContain("[cause] Error: the cause");
    expect(line?.text).not.toContain("src/runner");
  });

  test("later does the same", async () => {
    expect((await trial().answer(of("later"))).resetHead?.detail).toBe("The function later threw");
    expect(trial().logs.at(-1)?.text).toContain("[error] Error: two");
  });

  test("something that is no Error does too", async () => {
    expect((await trial().answer(of("text"))).resetHead?.reason).toBe("function-failed");
    expect(trial().logs.at(-1)?.text).toBe("just text");
  });

  test("an HttpError answers that problem, and the log says nothing", async () => {
    const before = trial().logs.length;
    const { head, json } = await trial().answer(of("problem"));
    expect(head?.status).toBe(404);
    expect(head?.headers).toEqual([
      ["content-type", "application/problem+json"],
      ["x-a", "1"],
    ]);
    expect(json).toEqual({ type: "about:blank", title: "Not Found", status: 404, detail: "There is no pet 7", pet: 7 });
    await trial().answer(of("fine"));
    expect(trial().logs.slice(before)).toEqual([]);
  });

  test("an HttpError with a cause has that in the log", async () => {
    expect((await trial().answer(of("causedProblem"))).head?.status).toBe(503);
    expect(trial().logs.at(-1)).toMatchObject({ level: "error" });
    expect(trial().logs.at(-1)?.text).toContain("the database is away");
  });

  test("an HttpError that cannot be written is a failure", async () => {
    expect((await trial().answer(of("badProblem"))).resetHead?.reason).toBe("function-failed");
  });
});

describe("what functions print", () => {
  const { trial, of } = sharing(`
    export const speaks = async ({}, ctx) => {
      console.log("a %s", "b", { c: [1] }); console.debug("100%"); console.warn("w"); console.error(new Error("shown")); console.table([{ x: 1 }]);
      ctx.log.info("added", { name: "Rex" }); ctx.log.error("odd", { n: 1n });
      process.stdout.write("one\\ntw"); process.stdout.write(Buffer.from("o\\n")); process.stderr.write("err\\n");
      await null;
      setTimeout(() => { console.log("after"); globalThis.done?.(); });
      return 1;
    };
    export const long = ({}, { log }) => { console.log("ü".repeat(20_000)); log.info("f", { long: "x".repeat(20_000) }); };
    export const flood = () => { for (let i = 0; i < 400_000; i++) console.log("line " + i); };
  `);

  test("is lines of the log, with the call that printed it", async () => {
    const before = trial().logs.length;
    const heard = await trial().answer(of("speaks"));
    await trial().until(() => trial().logs.some(({ text }) => text === "after"));
    const lines = trial().logs.slice(before);
    expect(new Set(lines.map(({ id }) => id))).toEqual(new Set([`id-${heard.number}`]));
    expect(new Set(lines.map(({ operation }) => operation))).toEqual(new Set(["GET /speaks"]));
    expect(lines.map(({ stream, level, text }) => [level ?? stream, text.split("\n")[0]])).toEqual([
      ["info", "a b { c: [ 1 ] }"],
      ["debug", "100%"],
      ["warn", "w"],
      ["error", "Error: shown"],
      ["info", expect.stringContaining("─")],
      ["info", "added"],
      ["error", "odd"],
      ["stdout", "one"],
      ["stdout", "two"],
      ["stderr", "err"],
      ["info", "after"],
    ]);
    expect(lines[5]?.fields).toEqual({ name: "Rex" });
    expect(lines[6]?.fields).toEqual({ fields: expect.stringContaining("1n") });
  });

  test("is cut at 16 KiB, and never within a character", async () => {
    const before = trial().logs.length;
    await trial().answer(of("long"));
    const [line, withFields] = trial().logs.slice(before);
    expect(line).toMatchObject({ cut: true, text: "ü".repeat(8192) });
    expect(JSON.stringify(withFields?.fields).length).toBeLessThan(9000);
  });

  test("without end is dropped while the host is behind, and counted", async () => {
    const before = trial().logs.length;
    const heard = trial().call(of("flood"));
    await heard.over.promise;
    await trial().answer(of("long"));
    const lines = trial().logs.slice(before);
    const dropped = /^(\d+) log lines of functions were dropped/.exec(lines.find(({ level }) => level === "warn")?.text ?? "");
    expect(Number(dropped?.[1]) + lines.filter(({ text }) => text.startsWith("line ")).length).toBe(400_000);
  });
});

describe("a reply that is a stream", () => {
  const { trial, of } = sharing(`
    const megabyte = new Uint8Array(1_000_000);
    export const endless = () => ({ status: 200, body: new ReadableStream({
      pull(controller) { globalThis.pulled = (globalThis.pulled ?? 0) + 1; controller.enqueue(new Uint8Array(10_000)); },
      cancel(reason) { console.log("cancelled:", reason?.name); },
    }) });
    export const pulled = () => globalThis.pulled;
    export const events = () => new Response(new ReadableStream({ async start(controller) {
      controller.enqueue("data: 1\\n\\n"); await new Promise((resolve) => { globalThis.next = resolve; }); controller.enqueue("data: 2\\n\\n"); controller.close();
    } }), { headers: { "content-type": "text/event-stream" } });
    export const next = () => { globalThis.next(); };
    export const atOnce = () => new Response(new ReadableStream({ start(c) { c.enqueue("a"); c.enqueue("b"); c.close(); } }));
    export const generated = () => new Response((async function* () { yield "a"; yield "b"; })());
    export const breaks = () => new Response(new ReadableStream({ pull(controller) {
      if (globalThis.gave) throw new Error("the disk is gone"); globalThis.gave = true; controller.enqueue("half");
    } }));
    export const wrong = () => new Response(ReadableStream.from(["a", "b"])).body.constructor && { status: 200, body: ReadableStream.from([{ a: 1 }]) };
    export const gigabyte = () => { let left = 1000; return new Response(new ReadableStream({ pull(c) { if (left-- > 0) c.enqueue(megabyte); else c.close(); } })); };
    export const sink = async ({ body }) => { let bytes = 0; for await (const chunk of body) bytes += chunk.byteLength; return { bytes }; };
    export const memory = () => process.memoryUsage().rss;
  `);

  test("is sent as it comes", async () => {
    const heard = trial().call(of("events"));
    await trial().until(() => heard.text !== "");
    expect(heard.head?.headers).toEqual([["content-type", "text/event-stream"]]);
    expect(heard.text).toBe("data: 1\n\n");
    expect(heard.ended).toBe(false);
    await trial().answer(of("next"));
    await heard.over.promise;
    expect(heard.text).toBe("data: 1\n\ndata: 2\n\n");
  });

  test.each(["atOnce", "generated"])("is a reply like others when all of it is there at once: %s", async (name) => {
    const { text, chunks, ended } = await trial().answer(of(name));
    expect([text, chunks.length, ended]).toEqual(["ab", 1, true]);
  });

  test("is read no faster than the host takes it, and cancelled when the host has enough", async () => {
    const heard = trial().call(of("endless"));
    heard.grants = false;
    await trial().until(() => heard.bytes === windowBytes);
    const pulled = (await trial().answer(of("pulled"))).json;
    expect(Number(pulled) * 10_000).toBeLessThan(windowBytes + 100_000);
    expect((await trial().answer(of("pulled"))).json).toBe(pulled);
    trial().reset(heard, "deadline");
    await trial().until(() => trial().logs.some(({ text }) => text === "cancelled: TimeoutError"));
    expect(heard.bytes).toBe(windowBytes);
  });

  test("that fails midway is broken off, and the log has why", async () => {
    const heard = await trial().answer(of("breaks"));
    expect(heard.text).toBe("half");
    expect(heard.ended).toBe(false);
    expect(heard.resetHead).toEqual({ reason: "reply-aborted", detail: "The reply of the function breaks failed before its end" });
    expect(trial().logs.at(-1)?.text).toContain("the disk is gone");
  });

  test("of something else than bytes is a failure", async () => {
    expect((await trial().answer(of("wrong"))).resetHead?.reason).toMatch(/^(function-failed|reply-aborted)$/);
    expect(trial().logs.at(-1)?.text).toContain("must give bytes or text");
  });

  test("of a gigabyte, and an upload of one, need little memory", async () => {
    const before = Number((await trial().answer(of("memory"))).json);
    const down = trial().call(of("gigabyte"));
    down.keeps = false;
    await down.over.promise;
    expect(down.bytes).toBe(1_000_000_000);
    const up = trial().call(of("sink"), { body: "bytes" }, new Uint8Array(1_000_000), false);
    for (let sent = 1; sent < 1000; sent++) {
      if (up.outgoing.waits) await new Promise<void>((resolve) => (up.outgoing.onWritable = resolve));
      up.outgoing.write(new Uint8Array(1_000_000), sent === 999);
    }
    await up.over.promise;
    expect(up.json).toEqual({ bytes: 1_000_000_000 });
    const after = Number((await trial().answer(of("memory"))).json);
    expect(after - before).toBeLessThan(100_000_000);
  }, 60_000);
});
