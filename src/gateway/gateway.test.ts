import { afterEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import type { AppOperation } from "../config/app.ts";
import type { ContractOperation } from "../contract/contract.ts";
import type { Log, Receipt } from "../telemetry/receipt.ts";
import { Admission } from "./admission.ts";
import type { DispatchCall, DispatchRequest, DispatchSink, OpenCall } from "./dispatch.ts";
import type { Front } from "./front.ts";
import { Gateway } from "./gateway.ts";
import { openHttpFront } from "./http-front.ts";
import { type ServedApp, Traffic } from "./operation.ts";
import { Router } from "./router.ts";

/** An instance that does what the test says. */
interface Handed extends OpenCall {
  readonly request: DispatchRequest;
  readonly call: DispatchCall;
  /** The payload, and what came after it. */
  payload: string;
  whole: boolean;
  /** Whether it takes more of the body at once. */
  takes: boolean;
  readonly sink: DispatchSink;
  readonly resets: string[];
  readonly verdicts: [number, string][];
  consumedBytes: number;
}

const receipt = {
  waitMs: 0,
  spawnMs: 0,
  runMs: 0,
  replyMs: 0,
  totalMs: 0,
  cpuUserMs: 0,
  cpuSystemMs: 0,
  endedBy: "itself",
  outputBytesDropped: 0,
};
const nowhere = { path: {}, query: {}, header: {}, cookie: {} };
const reply = { status: 200, headers: [["content-type", "text/plain"]] as const, waitMs: 0, spawnMs: 1, runMs: 2 };

class Bed {
  readonly receipts: Receipt[] = [];
  readonly handed: Handed[] = [];
  readonly gateway: Gateway;
  readonly front: Front;
  readonly app: ServedApp;
  readonly admission: Admission;
  /** Whether handing an exchange over throws: a defect of the host. */
  breaks = false;
  #onHanded: (() => void)[] = [];
  #onReceipt: (() => void)[] = [];

  constructor({
    concurrency = 4,
    queue = 4,
    bodyBytesMax = 1000,
    timing = false,
  }: { concurrency?: number; queue?: number; bodyBytesMax?: number; timing?: boolean } = {}) {
    const log: Log = {
      exchange: (one) => {
        this.receipts.push(one);
        for (const told of this.#onReceipt.splice(0)) told();
      },
      output: () => {},
      connection: () => {},
      host: () => {},
    };
    this.gateway = new Gateway({ log, timing });
    this.app = {
      name: "bed",
      limits: { bodyBytesMax, tmpBytesMax: 0 },
      dispatch: {
        open: (request, payload, sink) => this.#open({ request }, payload, true, sink),
        call: (call, body, last, sink) => this.#open({ call }, body, last, sink),
        isFetch: () => false,
        connect: () => {
          throw new Error("nobody connects here");
        },
        place: () => {
          throw new Error("there is no daemon here");
        },
      },
      traffic: new Traffic(),
    };
    this.admission = new Admission(concurrency, queue);
    this.front = openHttpFront({ address: "127.0.0.1", port: 0 }, this.gateway.handle);
  }

  serve(
    method: string,
    path: string,
    handler: Partial<AppOperation> & { encoding?: "json" | "raw" } = {},
    contract?: Partial<ContractOperation>,
  ): this {
    const { encoding = "raw", ...rest } = handler;
    const full = {
      kind: "program",
      timeoutMs: 10_000,
      logStdout: "never",
      validateOut: false,
      ...rest,
      inject: { encoding },
    } as AppOperation;
    const operation = {
      app: this.app,
      key: `${method} ${path}`,
      parameterNames: [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? ""),
      handler: full,
      admission: this.admission,
      ...(full.kind === "function" && { call: 0 }),
      ...(contract && { contract: contract as ContractOperation }),
    };
    this.gateway.route(new Router([{ hosts: [], path, method, operation }]));
    return this;
  }

  /** The nth exchange that reached the instance. */
  async reached(number: number): Promise<Handed> {
    for (;;) {
      const it = this.handed[number];
      if (it !== undefined) return it;
      await new Promise<void>((resolve) => this.#onHanded.push(resolve));
    }
  }

  async told(number: number): Promise<Receipt> {
    for (;;) {
      const it = this.receipts[number];
      if (it !== undefined) return it;
      await new Promise<void>((resolve) => this.#onReceipt.push(resolve));
    }
  }

  #open(what: { request?: DispatchRequest; call?: DispatchCall }, payload: Uint8Array, last: boolean, sink: DispatchSink): OpenCall {
    if (this.breaks) throw new Error("it cannot be handed over");
    const handed: Handed = {
      request: what.request as DispatchRequest,
      call: what.call as DispatchCall,
      payload: Buffer.from(payload).toString(),
      whole: last,
      takes: true,
      sink,
      write: (chunk, end) => {
        handed.payload += Buffer.from(chunk).toString();
        handed.whole = end;
        return handed.takes;
      },
      resets: [],
      verdicts: [],
      consumedBytes: 0,
      consumed: (bytes) => void (handed.consumedBytes += bytes),
      verdict: (status, reasons) => handed.verdicts.push([status, Buffer.from(reasons ?? []).toString()]),
      reset: (reason) => {
        handed.resets.push(reason);
        sink.ended(receipt);
      },
    };
    sink.taken("instance-1");
    this.handed.push(handed);
    for (const told of this.#onHanded.splice(0)) told();
    return handed;
  }
}

const beds: Bed[] = [];
function bed(options?: ConstructorParameters<typeof Bed>[0]): Bed {
  const it = new Bed(options);
  beds.push(it);
  return it;
}
afterEach(async () => {
  for (const it of beds.splice(0)) {
    await it.front.close();
    it.gateway.close();
  }
});

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

/** Everything a raw connection answers until it closes or `enough` is in it. */
function raw(url: string, request: string, enough?: string): Promise<string> {
  const { port } = new URL(url);
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(Number(port), "127.0.0.1", () => socket.write(request));
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (enough !== undefined && text.includes(enough)) socket.destroy();
    });
    socket.on("close", () => resolve(text));
    // A reset is how a broken-off reply looks; "close" follows.
    socket.on("error", () => {});
  });
}

describe("a gateway", () => {
  test("hands a request to the instance and its reply to the client, and logs one receipt when both are over", async () => {
    const it = bed({ timing: true }).serve("POST", "/x");
    const response = fetch(`${it.front.url}/x?a=1`, {
      method: "POST",
      body: "payload",
      headers: { "content-type": "text/plain", "x-request-id": "mine" },
    });
    const handed = await it.reached(0);
    expect(handed.payload).toBe("payload");
    expect(handed.request).toMatchObject({
      operation: "POST /x",
      method: "POST",
      path: "/x",
      query: "a=1",
      contentType: "text/plain",
      contentLength: 7,
    });
    handed.sink.reply(reply, bytes("hello"), true);
    const answered = await response;
    expect([answered.status, await answered.text(), answered.headers.get("x-request-id")]).toEqual([200, "hello", "mine"]);
    expect(answered.headers.get("server-timing")).toContain("spawn;dur=1, run;dur=2");
    expect(it.receipts).toEqual([]);
    handed.sink.ended(receipt);
    expect(await it.told(0)).toMatchObject({
      requestId: "mine",
      exchangeId: handed.request.id,
      status: 200,
      bytesIn: 7,
      bytesOut: 5,
      instance: "instance-1",
    });
    expect(it.admission.running).toBe(0);
  });

  test.each([
    ["GET", "/nowhere", 404],
    ["HEAD", "/nowhere", 404],
    ["GET", "/x", 502],
    ["HEAD", "/x", 502],
  ])("counts the body of an answer of its own as far as one is sent: %s %s, %d", async (method, path, status) => {
    const it = bed().serve("GET", "/x");
    const response = fetch(it.front.url + path, { method });
    if (path === "/x") {
      const handed = await it.reached(0);
      handed.sink.failed("no-reply", "It said nothing");
      handed.sink.ended(receipt);
    }
    const sent = await (await response).bytes();
    expect(sent.byteLength > 0).toBe(method === "GET");
    expect(await it.told(0)).toMatchObject({ status, bytesOut: sent.byteLength });
  });

  test("gives an exchange an id of its own, whatever the client calls it", async () => {
    const it = bed().serve("GET", "/x");
    for (const [index, brought] of ["same", "same", "in\tsane", "x".repeat(200)].entries()) {
      const response = fetch(`${it.front.url}/x`, { headers: { "x-request-id": brought } });
      const handed = await it.reached(index);
      handed.sink.reply(reply, bytes(""), true);
      handed.sink.ended(receipt);
      const id = (await response).headers.get("x-request-id");
      if (brought === "same") expect(id).toBe("same");
      else expect(id).toBe(handed.request.id);
      expect(handed.request.id).toMatch(/^[0-9a-f-]{36}$/);
    }
    expect(new Set(it.handed.map((one) => one.request.id)).size).toBe(4);
  });

  test("streams a reply as it comes, and asks for more as the client takes it", async () => {
    const it = bed().serve("GET", "/x");
    const response = fetch(`${it.front.url}/x`);
    const handed = await it.reached(0);
    handed.sink.reply(reply, bytes("one,"), false);
    const reader = (await response).body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("one,");
    handed.sink.data(bytes("two"), true);
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("two");
    expect((await reader?.read())?.done).toBe(true);
    handed.sink.ended(receipt);
    expect(await it.told(0)).toMatchObject({ status: 200, bytesOut: 7 });
    expect(handed.consumedBytes).toBe(7);
  });

  test("breaks the connection when a reply breaks off: half is never taken for whole", async () => {
    const it = bed().serve("GET", "/x");
    const answer = raw(it.front.url, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    const handed = await it.reached(0);
    handed.sink.reply(reply, bytes("half"), false);
    handed.sink.failed("reply-aborted", "The program closed the connection in the middle of its reply");
    handed.sink.ended(receipt);
    expect(await answer).not.toContain("0\r\n\r\n");
    expect(await it.told(0)).toMatchObject({ status: 200, error: "reply-aborted" });
  });

  test("answers a HEAD with the head of the reply, and takes a long body off the program's hands", async () => {
    const it = bed().serve("GET", "/x");
    const response = fetch(`${it.front.url}/x`, { method: "HEAD" });
    const handed = await it.reached(0);
    handed.sink.reply(reply, bytes("one"), false);
    handed.sink.data(bytes("two"), true);
    expect([(await response).status, await (await response).text()]).toEqual([200, ""]);
    handed.sink.ended(receipt);
    expect(await it.told(0)).toMatchObject({ method: "HEAD", status: 200, bytesOut: 0 });
    expect(handed.consumedBytes).toBe(6);
  });

  test.each([
    ["HEAD", 200],
    ["GET", 205],
  ])("counts no body where none is sent: %s, %d", async (method, status) => {
    const it = bed().serve("GET", "/x");
    const response = fetch(`${it.front.url}/x`, { method });
    const handed = await it.reached(0);
    handed.sink.reply({ ...reply, status }, bytes("whole"), true);
    handed.sink.ended(receipt);
    expect([(await response).status, await (await response).text()]).toEqual([status, ""]);
    expect(await it.told(0)).toMatchObject({ status, bytesOut: 0 });
  });

  test("ends the program's work when the client leaves, and logs 499", async () => {
    const it = bed().serve("GET", "/x");
    const leave = new AbortController();
    const response = fetch(`${it.front.url}/x`, { signal: leave.signal }).catch(() => "left");
    const handed = await it.reached(0);
    leave.abort();
    expect(await response).toBe("left");
    expect(await it.told(0)).toMatchObject({ status: 499 });
    expect(handed.resets).toEqual(["client-left"]);
  });

  test("answers 504 at the deadline and says what it waited for", async () => {
    const it = bed({ concurrency: 1 }).serve("GET", "/x");
    const first = fetch(`${it.front.url}/x`);
    const handed = await it.reached(0);
    it.serve("GET", "/x", { timeoutMs: 120 });
    const late = async (): Promise<string> => {
      const response = await fetch(`${it.front.url}/x`);
      expect([response.status, response.headers.get("x-urocket-error")]).toEqual([504, "deadline"]);
      return ((await response.json()) as { detail: string }).detail;
    };
    expect(await late()).toBe("The deadline of 120 ms (timeout) passed while the request waited in the queue");
    handed.sink.reply(reply, bytes("done"), true);
    handed.sink.ended(receipt);
    expect((await first).status).toBe(200);
    expect(await late()).toBe("The deadline of 120 ms (timeout) passed while the program was running");
    expect((await it.reached(1)).resets).toEqual(["deadline"]);
    expect([it.admission.running, it.admission.queued]).toEqual([0, 0]);
  });

  test("answers 504, too, when a program was ended at the deadline before the gateway has looked at its clock", async () => {
    const it = bed().serve("GET", "/x", { timeoutMs: 100 });
    const response = fetch(`${it.front.url}/x`);
    const handed = await it.reached(0);
    for (const began = performance.now(); performance.now() - began < 150;);
    handed.sink.failed("no-reply", "The app's instance ended the exchange without a reply");
    expect(handed.resets).toEqual(["deadline"]);
    expect([(await response).status, (await response).headers.get("x-urocket-error")]).toEqual([504, "deadline"]);
    expect(await it.told(0)).toMatchObject({ status: 504 });
    expect(it.admission.running).toBe(0);
  });

  test("lets a program outlive its reply only until the deadline, and holds its place meanwhile", async () => {
    const it = bed().serve("GET", "/x", { timeoutMs: 1_000 });
    const response = fetch(`${it.front.url}/x`);
    const handed = await it.reached(0);
    handed.sink.reply(reply, bytes("early"), true);
    expect(await (await response).text()).toBe("early");
    expect(it.admission.running).toBe(1);
    expect(await it.told(0)).toMatchObject({ status: 200 });
    expect(handed.resets).toEqual(["deadline"]);
    expect(it.admission.running).toBe(0);
  });

  test("refuses with 503 what fits neither places nor queue, and says when to come back", async () => {
    const it = bed({ concurrency: 1, queue: 1 }).serve("GET", "/x");
    const first = fetch(`${it.front.url}/x`);
    const handed = await it.reached(0);
    const second = fetch(`${it.front.url}/x`);
    while (it.admission.queued === 0) await new Promise(setImmediate);
    const refused = await fetch(`${it.front.url}/x`);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await refused.json()).toMatchObject({
      kind: "queue-full",
      detail: 'App "bed" runs 1 exchanges (scale.concurrency) and 1 wait (scale.queue)',
    });
    handed.sink.reply(reply, bytes("1"), true);
    handed.sink.ended(receipt);
    const next = await it.reached(1);
    next.sink.reply(reply, bytes("2"), true);
    next.sink.ended(receipt);
    expect([await (await first).text(), await (await second).text()]).toEqual(["1", "2"]);
  });

  test("refuses bodies over the limit, announced or not, and takes one of just the limit", async () => {
    const it = bed({ bodyBytesMax: 1000 }).serve("POST", "/x");
    const announced = await fetch(`${it.front.url}/x`, { method: "POST", body: "x".repeat(1001) });
    const detail = "The request's body announces 1001 bytes; limits.body is 1000 bytes";
    expect([announced.status, await announced.json()]).toMatchObject([413, { kind: "body-too-large", detail }]);
    const chunks = `${"1f5\r\n"}${"x".repeat(501)}\r\n`.repeat(2);
    const chunked = await raw(it.front.url, `POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`, "}");
    expect(chunked).toStartWith("HTTP/1.1 413");
    const response = fetch(`${it.front.url}/x`, { method: "POST", body: "x".repeat(1000) });
    const handed = await it.reached(0);
    expect(handed.payload.length).toBe(1000);
    handed.sink.reply(reply, bytes("ok"), true);
    handed.sink.ended(receipt);
    expect((await response).status).toBe(200);
  });

  test("turns what becomes of a program into its status and words", async () => {
    const it = bed().serve("GET", "/x");
    const cases = [
      ["no-reply", 502],
      ["spawn-failed", 502],
      ["runner-died", 502],
      ["argument-too-large", 413],
      ["overloaded", 503],
      ["no-instance", 503],
    ] as const;
    for (const [index, [reason, status]] of cases.entries()) {
      const response = fetch(`${it.front.url}/x`);
      const handed = await it.reached(index);
      handed.sink.failed(reason, `words of ${reason}`);
      handed.sink.ended(undefined);
      expect([(await response).status, await (await response).json()]).toMatchObject([status, { status, detail: `words of ${reason}` }]);
    }
  });

  test("holds a reply back until the contract allows it; tells client and program when it does not", async () => {
    const contract: Partial<ContractOperation> = {
      canProduce: () => true,
      replyMediaType: () => "application/json",
      readRequest: () => ({ ok: true, parameters: {}, located: nowhere, bodyForm: "none" }),
      checkReply: ({ body }) => (Buffer.from(body).toString() === "good" ? [] : [{ in: "body", path: "$", message: "must be good" }]),
    };
    const it = bed().serve("GET", "/x", { validateOut: true }, contract);
    for (const [index, text] of ["good", "evil"].entries()) {
      const response = fetch(`${it.front.url}/x`);
      const handed = await it.reached(index);
      expect(handed.request.awaitVerdict).toBe(true);
      handed.sink.reply({ ...reply, headers: [] }, bytes(text.slice(0, 2)), false);
      handed.sink.data(bytes(text.slice(2)), true);
      const answered = await response;
      if (text === "good") {
        expect([answered.status, answered.headers.get("content-type"), await answered.text()]).toEqual([200, "application/json", "good"]);
        expect(handed.verdicts).toEqual([[200, ""]]);
      } else {
        expect([answered.status, await answered.json()]).toMatchObject([
          502,
          { kind: "invalid-reply", errors: [{ path: "$", message: "must be good" }] },
        ]);
        expect(handed.verdicts[0]?.[0]).toBe(422);
        expect(handed.verdicts[0]?.[1]).toContain("must be good");
      }
      handed.sink.ended(receipt);
    }
  });

  test("tells the log what is not for clients: paths of the machine, and what its owner can do", async () => {
    const it = bed().serve("GET", "/x");
    const response = fetch(`${it.front.url}/x`);
    const handed = await it.reached(0);
    handed.sink.failed("spawn-failed", "Cannot start it", "run chmod +x on /srv/it");
    handed.sink.ended(receipt);
    expect(await (await response).json()).toMatchObject({ detail: "Cannot start it" });
    expect(await it.told(0)).toMatchObject({ detail: "Cannot start it: run chmod +x on /srv/it" });
  });

  test("answers itself what reaches no operation: 400, 404, 405 with Allow, 204 to OPTIONS, 501 without a handler", async () => {
    const it = bed().serve("GET", "/x");
    const { url } = it.front;
    expect((await fetch(`${url}/nowhere`)).status).toBe(404);
    const wrong = await fetch(`${url}/x`, { method: "DELETE" });
    expect([wrong.status, wrong.headers.get("allow"), wrong.headers.get("content-type")]).toEqual([
      405,
      "GET, HEAD, OPTIONS",
      "application/problem+json",
    ]);
    const options = await fetch(`${url}/x`, { method: "OPTIONS" });
    expect([options.status, options.headers.get("allow")]).toEqual([204, "GET, HEAD, OPTIONS"]);
    expect(await raw(url, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "\r\n\r\n")).toStartWith("HTTP/1.1 204");
    expect((await fetch(`${url}/%ff`)).status).toBe(400);
    it.gateway.route(
      new Router([
        { hosts: [], path: "/y", method: "GET", operation: { app: it.app, key: "GET /y", parameterNames: [], admission: it.admission } },
      ]),
    );
    expect((await fetch(`${url}/y`)).status).toBe(501);
    expect(it.handed).toEqual([]);
  });

  test("answers 500 when the contract itself fails, and goes on with the next request", async () => {
    const broken = (): never => {
      throw new Error("a schema that cannot be compiled");
    };
    const contract: Partial<ContractOperation> = {
      canProduce: () => true,
      readRequest: broken,
      replyMediaType: () => undefined,
      checkReply: broken,
    };
    const it = bed().serve("POST", "/x", {}, contract);
    for (const body of ["a body", ""]) {
      const response = await fetch(`${it.front.url}/x`, { method: "POST", body });
      expect([response.status, response.headers.get("x-urocket-error")]).toEqual([500, "host-failure"]);
      expect(await response.text()).not.toContain("compiled");
    }
    it.serve(
      "GET",
      "/x",
      { validateOut: true, validateIn: false },
      { ...contract, readRequest: () => ({ ok: true, parameters: {}, located: nowhere, bodyForm: "none" }) },
    );
    const response = fetch(`${it.front.url}/x`);
    const handed = await it.reached(0);
    handed.sink.reply(reply, bytes("text"), true);
    expect((await response).status).toBe(500);
    expect(handed.resets).toEqual(["shutdown"]);
    expect([it.receipts.length, it.gateway.exchangesOpen, it.admission.running]).toEqual([3, 0, 0]);
  });

  test("a failure to hand an exchange over costs that exchange, and never a place", async () => {
    const it = bed({ concurrency: 1, queue: 1 }).serve("GET", "/x");
    const first = fetch(`${it.front.url}/x`);
    const handed = await it.reached(0);
    const queued = fetch(`${it.front.url}/x`);
    while (it.admission.queued === 0) await new Promise(setImmediate);
    it.breaks = true;
    // The place goes to the one that waits, which fails: the first must not feel it.
    handed.sink.reply(reply, bytes("text"), true);
    handed.sink.ended(receipt);
    expect((await first).status).toBe(200);
    expect((await queued).status).toBe(500);
    expect((await fetch(`${it.front.url}/x`)).status).toBe(500);
    expect([it.receipts.length, it.gateway.exchangesOpen, it.admission.running]).toEqual([3, 0, 0]);
  });

  test("drains: refuses what is new, waits for what is open, ends what is left when told to", async () => {
    const it = bed().serve("GET", "/x");
    const open = fetch(`${it.front.url}/x`);
    const handed = await it.reached(0);
    let idle = false;
    const drained = it.gateway.drain().then(() => (idle = true));
    const late = await fetch(`${it.front.url}/x`);
    expect([late.status, late.headers.get("x-urocket-error")]).toEqual([503, "draining"]);
    expect(idle).toBe(false);
    it.gateway.abort();
    expect((await open).status).toBe(503);
    await drained;
    expect(handed.resets).toEqual(["shutdown"]);
  });

  describe("before a function", () => {
    const fn = (more: Partial<AppOperation> = {}): Partial<AppOperation> =>
      ({ kind: "function", function: { file: "/app/f.ts", export: "add", place: undefined }, ...more }) as Partial<AppOperation>;
    const answer = (handed: Handed): void => {
      handed.sink.reply({ ...reply, runMs: 3 }, bytes("done"), true);
      handed.sink.ended(undefined);
    };

    test("calls it with what the request says, and without what it said to this hop alone", async () => {
      const it = bed({ timing: true }).serve("POST", "/x/{id}", fn());
      const head = "POST /x/a%20b?q=1&q=2 HTTP/1.1\r\nHost: shop:80\r\nConnection: x-mine, host, close\r\nX-Mine: 1\r\nTE: trailers\r\n";
      const response = raw(it.front.url, `${head}Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}`);
      const handed = await it.reached(0);
      const { id, deadline, client, ...call } = handed.call;
      expect(deadline).toBeGreaterThan(Date.now());
      expect(call).toEqual({
        call: 0,
        method: "POST",
        path: "/x/a%20b",
        query: "q=1&q=2",
        host: "shop:80",
        headers: ["host", "shop:80", "x-mine", "1", "content-type", "application/json", "content-length", "7"],
        params: { id: "a b" },
        queryValues: { q: ["1", "2"] },
        body: "json",
      });
      expect([handed.payload, handed.whole, client]).toEqual(['{"a":1}', true, "127.0.0.1"]);
      answer(handed);
      const text = (await response).toLowerCase();
      expect(text).toContain("x-urocket-instance: instance-1\r\n");
      expect(text).toContain(`x-request-id: ${id}\r\n`);
      expect(text).toContain("function;dur=3");
      expect(await it.told(0)).toMatchObject({ status: 200, functionMs: 3, bytesIn: 7, bytesOut: 4, instance: "instance-1" });
      expect(it.admission.running).toBe(0);
    });

    test("refuses a body that should be JSON and is none", async () => {
      const it = bed().serve("POST", "/x", fn());
      const response = await fetch(`${it.front.url}/x`, { method: "POST", body: "{", headers: { "content-type": "application/json" } });
      expect([response.status, response.headers.get("x-urocket-error")]).toEqual([400, "invalid-request"]);
    });

    test("hands a body that is not JSON on as it comes, and reads no more of it than the function takes", async () => {
      const it = bed({ bodyBytesMax: 64 * 1024 * 1024 }).serve("POST", "/x", fn());
      const length = 32 * 1024 * 1024;
      const response = fetch(`${it.front.url}/x`, {
        method: "POST",
        body: new Uint8Array(length),
        headers: { "content-type": "image/png" },
      });
      const handed = await it.reached(0);
      expect([handed.call.body, handed.whole]).toEqual(["bytes", false]);
      handed.takes = false;
      while (handed.payload.length === 0) await new Promise(setImmediate);
      const before = handed.payload.length;
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      expect(handed.payload.length - before).toBeLessThan(8 * 1024 * 1024);
      handed.takes = true;
      handed.sink.writable();
      while (!handed.whole) await new Promise(setImmediate);
      expect(handed.payload.length).toBe(length);
      answer(handed);
      expect(await (await response).text()).toBe("done");
      expect(await it.told(0)).toMatchObject({ bytesIn: length });
    });

    test("ends a streamed body over the limit, announced or not, and the call with it", async () => {
      const it = bed({ bodyBytesMax: 1000 }).serve("POST", "/x", fn());
      const announced = await fetch(`${it.front.url}/x`, { method: "POST", body: "x".repeat(1001) });
      expect([announced.status, it.handed.length]).toEqual([413, 0]);
      const chunks = `${"1f5\r\n"}${"x".repeat(501)}\r\n`.repeat(2);
      const chunked = raw(it.front.url, `POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`, "}");
      expect(await chunked).toStartWith("HTTP/1.1 413");
      expect((await it.reached(0)).resets).toEqual(["client-left"]);
      expect(it.admission.running).toBe(0);
    });

    test("answers 500 for one that threw, 504 for one that does not answer", async () => {
      const it = bed().serve("GET", "/x", fn({ timeoutMs: 500 }));
      const thrown = fetch(`${it.front.url}/x`);
      const handed = await it.reached(0);
      handed.sink.failed("function-failed", "The function add threw");
      handed.sink.ended(undefined);
      expect([(await thrown).status, (await thrown).headers.get("x-urocket-error")]).toEqual([500, "function-failed"]);
      const late = await fetch(`${it.front.url}/x`);
      const problem = { detail: "The deadline of 500 ms (timeout) passed while the function was running" };
      expect([late.status, await late.json()]).toMatchObject([504, problem]);
      expect((await it.reached(1)).resets).toEqual(["deadline"]);
    });
  });
});
