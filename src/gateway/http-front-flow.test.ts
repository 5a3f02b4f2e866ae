/** The front over time: clients that are slow, greedy, silent or gone, bodies that are long, and the end of it all. */
import { describe, expect, test } from "bun:test";
import { createConnection, type Socket } from "node:net";
import { eventually } from "../../tests/eventually.ts";
import { Collected, echo, FrontBed } from "../../tests/front-bed.ts";
import type { FrontExchange } from "./front.ts";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
const mebibyte = 1024 * 1024;

async function open(port: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = createConnection({ host: "127.0.0.1", port, allowHalfOpen: true }, () => resolve(socket));
  socket.once("error", reject);
  await promise;
  socket.on("error", () => undefined);
  return socket;
}

/** Waits until a figure has stood still for a while. */
async function settled(what: string, figure: () => number): Promise<number> {
  let last = -1;
  let times = 0;
  return await eventually(`${what} stands still`, () => {
    times = figure() === last ? times + 1 : 0;
    last = figure();
    return times >= 10 ? last : undefined;
  });
}

/** A hash of so many bytes that repeat the pattern. */
function hashOf(pattern: Uint8Array, times: number): string {
  const hash = new Bun.CryptoHasher("sha1");
  for (let index = 0; index < times; index++) hash.update(pattern);
  return hash.digest("hex");
}

const pattern = Buffer.from(Uint8Array.from({ length: 64 * 1024 }, (_, index) => (index * 31 + (index >> 8)) % 256));

describe("a long body", () => {
  test("is taken at the reader's pace: a client that sends 256 MiB to one who pauses is made to wait", async () => {
    await using bed = new FrontBed();
    const times = (256 * mebibyte) / pattern.length;
    const client = await open(bed.port);
    let sent = 0;
    const send = (): void => {
      while (sent < times) {
        sent++;
        if (!client.write(pattern)) return void client.once("drain", send);
      }
    };
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${times * pattern.length}\r\n\r\n`);
    send();
    const exchange = await bed.reached(0);
    const hash = new Bun.CryptoHasher("sha1");
    const { promise: whole, resolve } = Promise.withResolvers<void>();
    let isPaused = false;
    let told = 0;
    exchange.read({
      chunk(bytes) {
        expect(isPaused).toBeFalse();
        hash.update(bytes);
        told += bytes.byteLength;
        if (told === bytes.byteLength || told % 7 === 0) {
          exchange.pause();
          isPaused = true;
        }
      },
      end: () => resolve(),
      failed: () => undefined,
    });
    const before = await settled("what the client sent", () => sent);
    // The kernel's buffers on both sides hold some.
    expect(before * pattern.length).toBeLessThan(32 * mebibyte);
    const goOn = setInterval(() => {
      isPaused = false;
      exchange.resume();
    }, 1);
    await whole;
    clearInterval(goOn);
    expect(told).toBe(times * pattern.length);
    expect(hash.digest("hex")).toBe(hashOf(pattern, times));
    exchange.respond(204, []);
    client.destroy();
  });

  test("is not read ahead of who has not asked for it", async () => {
    await using bed = new FrontBed();
    const client = await open(bed.port);
    let sent = 0;
    const send = (): void => {
      while (sent < 2_000) {
        sent++;
        if (!client.write(pattern)) return void client.once("drain", send);
      }
    };
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${2_000 * pattern.length}\r\n\r\n`);
    send();
    const exchange = await bed.reached(0);
    expect((await settled("what the client sent", () => sent)) * pattern.length).toBeLessThan(32 * mebibyte);
    const body = new Collected();
    exchange.read(body);
    expect(await body.ended).toBe("whole");
    expect(body.chunks.reduce((bytes, chunk) => bytes + chunk.byteLength, 0)).toBe(2_000 * pattern.length);
    client.destroy();
  });

  test.each([["chunked"], ["of a length"]])("goes out at the client's pace, and whole: %s", async (how) => {
    const times = (64 * mebibyte) / pattern.length;
    let written = 0;
    let waits = 0;
    await using bed = new FrontBed({
      handler: (exchange) => {
        const pump = (): void => {
          while (written < times) {
            written++;
            if (!exchange.write(pattern)) {
              waits++;
              return;
            }
          }
          exchange.end();
        };
        exchange.onWritable = pump;
        exchange.begin(200, how === "chunked" ? [] : ["content-length", String(times * pattern.length)]);
        pump();
      },
    });
    const client = await open(bed.port);
    client.pause();
    client.write(get("/"));
    expect((await settled("what was written", () => written)) * pattern.length).toBeLessThan(32 * mebibyte);
    client.destroy();
    await eventually("the producer is told to stop", () => waits > 0);

    written = 0;
    const response = await fetch(bed.front.url);
    const hash = new Bun.CryptoHasher("sha1");
    for await (const chunk of response.body ?? []) hash.update(chunk as Uint8Array);
    expect(hash.digest("hex")).toBe(hashOf(pattern, times));
  });

  test("that is whole at once is sent without waiting for more of it, and the next request after it", async () => {
    const large = Buffer.alloc(32 * mebibyte, pattern);
    await using bed = new FrontBed({ handler: (exchange) => exchange.respond(200, [], exchange.target === "/large" ? large : "small") });
    using client = await bed.connect();
    client.send(get("/large") + get("/small"));
    const body = (await client.response())?.body ?? "";
    expect(body === large.toString("utf8")).toBeTrue();
    expect((await client.response())?.body).toBe("small");
  });
});

describe("a client that leaves", () => {
  const closedOnce = (exchange: FrontExchange): { readonly told: Promise<void>; times: number } => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const state = { told: promise, times: 0 };
    exchange.onClosed = () => {
      state.times++;
      resolve();
    };
    return state;
  };

  test.each([
    ["closes", (socket: Socket): unknown => socket.destroy()],
    ["resets", (socket: Socket): unknown => socket.resetAndDestroy()],
    ["shuts down its sending side", (socket: Socket): unknown => socket.end()],
  ])("is noticed once while it waits: it %s; what it is given then goes nowhere", async (_, leave) => {
    await using bed = new FrontBed();
    const client = await open(bed.port);
    client.write(get("/"));
    const exchange = await bed.reached(0);
    const closed = closedOnce(exchange);
    leave(client);
    await closed.told;
    exchange.respond(200, [], "late");
    exchange.begin(200, []);
    expect(exchange.write(pattern)).toBeTrue();
    exchange.end();
    exchange.read(new Collected());
    exchange.breakOff();
    expect(closed.times).toBe(1);
    client.destroy();
  });

  test("in the midst of its body is noticed", async () => {
    await using bed = new FrontBed();
    const client = await open(bed.port);
    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    const exchange = await bed.reached(0);
    const closed = closedOnce(exchange);
    const body = new Collected();
    exchange.read(body);
    client.destroy();
    await closed.told;
    expect(body.text).toBe("hello");
  });

  test("in the midst of its answer is noticed", async () => {
    await using bed = new FrontBed();
    const client = await open(bed.port);
    client.write(get("/"));
    const exchange = await bed.reached(0);
    const closed = closedOnce(exchange);
    exchange.begin(200, []);
    while (exchange.write(pattern));
    client.destroy();
    await closed.told;
  });

  test("after its answer is whole is nobody's business", async () => {
    await using bed = new FrontBed();
    const client = await open(bed.port);
    client.pause();
    client.write(get("/"));
    const exchange = await bed.reached(0);
    const closed = closedOnce(exchange);
    exchange.respond(200, [], Buffer.alloc(32 * mebibyte));
    client.destroy();
    await bed.front.drain();
    expect(closed.times).toBe(0);
  });

  test("has what was answered before it stopped sending", async () => {
    await using bed = new FrontBed({ handler: echo });
    using client = await bed.connect();
    client.send(get("/1") + get("/2"));
    client.finish();
    expect((await client.response())?.body).toBe("GET /1 ");
    expect((await client.response())?.body).toBe("GET /2 ");
    await client.closed;
  });

  test("in the midst of a request's head leaves nothing behind", async () => {
    await using bed = new FrontBed();
    using client = await bed.connect();
    client.send("GET / HT");
    client.finish();
    await client.closed;
    expect([bed.exchanges, bed.refused, bed.defects]).toEqual([[], [], []]);
  });
});

describe("a client that takes too long", () => {
  const sweepMs = 10;

  test("to send a head is told so and closed, however it drips", async () => {
    await using bed = new FrontBed({ limits: { headMs: 50, sweepMs } });
    using client = await bed.connect();
    const drip = setInterval(() => client.send("X"), 5);
    client.send("GET / HTTP/1.1\r\n");
    const response = await client.response();
    clearInterval(drip);
    expect(response?.status).toBe(408);
    expect(response?.headers.get("x-urocket-error")).toBe("request-timeout");
    await client.closed;
    expect(bed.refused).toMatchObject([{ status: 408, error: "request-timeout" }]);
  });

  test("to send a head after another request is told so too", async () => {
    await using bed = new FrontBed({ handler: echo, limits: { headMs: 50, sweepMs } });
    using client = await bed.connect();
    client.send(`${get("/")}GET`);
    expect((await client.response())?.status).toBe(200);
    expect((await client.response())?.status).toBe(408);
  });

  test("between two requests, or before the first, is closed without a word", async () => {
    await using bed = new FrontBed({ handler: echo, limits: { idleMs: 500, sweepMs } });
    using fresh = await bed.connect();
    using kept = await bed.connect();
    kept.send(get("/"));
    expect((await kept.response())?.status).toBe(200);
    await Promise.all([fresh.closed, kept.closed]);
    expect(bed.refused).toEqual([]);
  });

  test("to take its answer is cut off", async () => {
    await using bed = new FrontBed({
      handler: (exchange) => exchange.respond(200, [], Buffer.alloc(32 * mebibyte)),
      limits: { stalledMs: 50, sweepMs },
    });
    using client = await bed.connect();
    client.pause();
    client.send(get("/"));
    await bed.reached(0);
    await bed.front.drain();
  });

  test("of many that take their answers too slowly, those that were answered first are cut off when all hold too much", async () => {
    const answer = new Uint8Array(20_000_000);
    await using bed = new FrontBed({
      handler: (exchange) => exchange.respond(200, [], answer),
      limits: { unsentBytesMax: 30_000_000, headMs: 1, sweepMs },
    });
    using first = await bed.connect();
    using second = await bed.connect();
    for (const [index, client] of [first, second].entries()) {
      client.pause();
      client.send(get("/"));
      await bed.reached(index);
      // Time goes on with the sweeps: one of them cuts off who is slow with its head.
      using slow = await bed.connect();
      slow.send("G");
      await slow.closed;
    }
    first.resume();
    await first.closed;
    second.resume();
    expect((await second.response())?.body).toHaveLength(answer.length);
  });

  test("to stop sending, after its last answer, is cut off", async () => {
    await using bed = new FrontBed({ limits: { lingerMs: 50, sweepMs } });
    const client = await open(bed.port);
    client.resume();
    const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
    client.write("no request\r\n\r\n");
    const drip = setInterval(() => client.write("more"), 5);
    await closed;
    clearInterval(drip);
    expect(bed.refused).toHaveLength(1);
  });

  test("while its request is with the handler is left in peace", async () => {
    await using bed = new FrontBed({ limits: { headMs: 1, idleMs: 500, stalledMs: 1, lingerMs: 1, sweepMs: 1 } });
    using client = await bed.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    const exchange = await bed.reached(0);
    using other = await bed.connect();
    await other.closed;
    exchange.respond(200, [], "in the end");
    expect((await client.response())?.body).toBe("in the end");
  });
});

describe("connections beyond the maximum", () => {
  test("are told so, and closed; there is room again when one has gone", async () => {
    await using bed = new FrontBed({ handler: echo, limits: { connectionsMax: 2 } });
    const kept = [await bed.connect(), await bed.connect()];
    using surplus = await bed.connect();
    surplus.send(get("/"));
    const response = await surplus.response();
    expect(response?.status).toBe(503);
    expect(response?.headers.get("x-urocket-error")).toBe("too-many-connections");
    expect(response?.headers.get("retry-after")).toBe("1");
    await surplus.closed;
    expect(bed.refused).toMatchObject([{ status: 503, error: "too-many-connections" }]);
    expect(bed.exchanges).toEqual([]);
    for (const one of kept) one.drop();
    await eventually("there is room", async () => {
      using client = await bed.connect();
      client.send(get("/"));
      return (await client.response())?.status === 200;
    });
  });
});

describe("the end", () => {
  test("closes the listener and idle connections at once, and waits for what is open, each connection's last", async () => {
    await using bed = new FrontBed();
    using idle = await bed.connect();
    using busy = await bed.connect();
    using begun = await bed.connect();
    busy.send(get("/") + get("/never"));
    const exchange = await bed.reached(0);
    begun.send("GET /begun HTTP/1.1\r\n");
    using marker = await bed.connect();
    marker.send(get("/marker"));
    (await bed.reached(1)).respond(200, []);
    await marker.response();

    let isOver = false;
    const drained = bed.front.drain().then(() => (isOver = true));
    await idle.closed;
    await expect(fetch(bed.front.url)).rejects.toThrow();
    begun.send("Host: a\r\n\r\n");
    (await bed.reached(2)).respond(200, [], "begun");
    const last = await begun.response();
    expect([last?.body, last?.headers.get("connection")]).toEqual(["begun", "close"]);
    expect(isOver).toBeFalse();
    exchange.respond(200, [], "busy");
    expect((await busy.response())?.headers.get("connection")).toBe("close");
    expect(await busy.response()).toBeUndefined();
    await drained;
    expect(bed.exchanges.map(({ target }) => target)).toEqual(["/", "/marker", "/begun"]);
  });

  test("of a front without connections is at once", async () => {
    await using bed = new FrontBed();
    await bed.front.drain();
    await bed.front.close();
  });

  test("can be forced: open exchanges are told", async () => {
    await using bed = new FrontBed();
    using client = await bed.connect();
    client.send(get("/"));
    const exchange = await bed.reached(0);
    const { promise, resolve } = Promise.withResolvers<void>();
    exchange.onClosed = resolve;
    const drained = bed.front.drain();
    await bed.front.close();
    await Promise.all([promise, drained, client.closed]);
  });

  test("leaves the process nothing to wait for", () => {
    const script = `import { openHttpFront } from ${JSON.stringify(`${import.meta.dir}/http-front.ts`)};
      const front = openHttpFront({ address: "127.0.0.1", port: 0 }, (exchange) => exchange.respond(200, [], "hello"));
      console.log(await (await fetch(front.url)).text());
      await front.drain();`;
    const child = Bun.spawnSync([process.execPath, "-e", script], { timeout: 10_000 });
    expect([child.stdout.toString(), child.exitCode]).toEqual(["hello\n", 0]);
  });
});
