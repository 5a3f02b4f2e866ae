/**
 * A connection over a socket in memory: whatever the requests, however their bytes came apart, however slowly the kernel takes
 * the answers and the reader the bodies, what goes out is what a plain reading of the bytes says, in order.
 */
import { describe, expect, test } from "bun:test";
import { damaged, damages } from "../../tests/damaged-text.ts";
import fc from "fast-check";
import type { Socket } from "bun";
import { ToldOrigins } from "./forwarded.ts";
import type { BodySink, FrontExchange, FrontHandler } from "./front.ts";
import { type ConnectionContext, HttpConnection } from "./http-connection.ts";
import { httpLimits } from "./http-limits.ts";
import { TrustedProxies } from "./trusted-proxies.ts";

/** What a connection does with its socket, kept. */
class MemorySocket {
  readonly remoteAddress = "::ffff:192.0.2.1";
  sent = "";
  isPaused = false;
  isClosed = false;
  hasShutDown = false;
  /** How many bytes the next write takes. */
  takes = (): number => Infinity;

  readonly write = (bytes: Uint8Array, from = 0, length = 0): number => {
    if (this.isClosed || this.hasShutDown) return -1;
    const taken = Math.min(length, this.takes());
    this.sent += Buffer.from(bytes.subarray(from, from + taken)).toString("latin1");
    return taken;
  };
  readonly pause = (): void => void (this.isPaused = true);
  readonly resume = (): void => void (this.isPaused = false);
  readonly shutdown = (): void => void (this.hasShutDown = true);
  readonly end = (): void => void (this.isClosed = true);
  readonly terminate = (): void => void (this.isClosed = true);
}

function connectionOf(handler: FrontHandler): { socket: MemorySocket; connection: HttpConnection; defects: Error[] } {
  const defects: Error[] = [];
  const context: ConnectionContext = {
    handler,
    limits: httpLimits,
    origins: new ToldOrigins(new TrustedProxies()),
    isDraining: false,
    nowMs: 0,
    date: "now",
    refused: () => undefined,
    defect: (error) => void defects.push(error),
    closed: () => undefined,
  };
  const socket = new MemorySocket();
  return { socket, connection: new HttpConnection(socket as unknown as Socket<HttpConnection>, context), defects };
}

/** How a request is written, and how it is answered. */
interface Request {
  readonly framing: "none" | "length" | "chunked";
  readonly body: string;
  /** Where a chunked body is cut. */
  readonly chunkBytes: number;
  readonly reads: "at once" | "later" | "in turns" | "not";
  readonly answers: "whole" | "in pieces";
}

/** Chunks that are not worth their extension are an attack. */
function extension(chunk: string): string {
  return chunk.length > 2 ? ";x=y" : "";
}

function written(request: Request, index: number): string {
  const { framing, body, chunkBytes } = request;
  const head = `POST /${index} HTTP/1.1\r\nHost: a\r\n`;
  if (framing === "none") return `${head}\r\n`;
  if (framing === "length") return `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
  let chunks = "";
  for (let at = 0; at < body.length; at += chunkBytes) {
    const chunk = body.slice(at, at + chunkBytes);
    chunks += `${chunk.length.toString(16)}${extension(chunk)}\r\n${chunk}\r\n`;
  }
  return `${head}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\nTrailer: z\r\n\r\n`;
}

function answered({ framing, body, reads, answers }: Request, index: number): string {
  const text = `/${index}:${framing === "none" || reads === "not" ? "" : body}`;
  if (answers === "whole") return `HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
  return `HTTP/1.1 200 OK\r\ndate: now\r\ntransfer-encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
}

/** Reads and answers as the requests say. What is to be done later is done when the test says so. */
class Reader {
  readonly later: (() => void)[] = [];
  readonly #requests: readonly Request[];

  constructor(requests: readonly Request[]) {
    this.#requests = requests;
  }

  readonly handle = (exchange: FrontExchange): void => {
    const request = this.#requests[Number(exchange.target.slice(1))];
    if (request === undefined) throw new Error(`${exchange.target} was smuggled in`);
    if (request.reads === "not") this.later.push(() => answer(exchange, request, ""));
    else if (request.reads === "later") this.later.push(() => exchange.read(this.#sink(exchange, request)));
    else exchange.read(this.#sink(exchange, request));
  };

  #sink(exchange: FrontExchange, request: Request): BodySink {
    let text = "";
    return {
      chunk: (bytes) => {
        text += Buffer.from(bytes).toString("latin1");
        if (request.reads !== "in turns") return;
        exchange.pause();
        this.later.push(() => exchange.resume());
      },
      end: () => answer(exchange, request, text),
      failed: () => exchange.respond(400, []),
    };
  }
}

function answer(exchange: FrontExchange, { answers }: Request, body: string): void {
  const bytes = Buffer.from(exchange.target + ":" + body, "latin1");
  if (answers === "whole") return exchange.respond(200, [], bytes);
  exchange.begin(200, []);
  exchange.write(bytes);
  exchange.end();
}

const request: fc.Arbitrary<Request> = fc.record({
  framing: fc.constantFrom("none", "length", "chunked"),
  // What could be taken for the end of something, or for the start of a request.
  body: fc
    .array(fc.constantFrom("a", "\r\n", "0\r\n\r\n", "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", "\0\xff", "x".repeat(3_000)), {
      maxLength: 6,
    })
    .map((parts) => parts.join("")),
  chunkBytes: fc.integer({ min: 1, max: 50 }),
  reads: fc.constantFrom("at once", "later", "in turns", "not"),
  answers: fc.constantFrom("whole", "in pieces"),
});

describe("a connection", () => {
  test("answers each request once, in order, by its own body", async () => {
    const steps = fc.array(fc.integer({ min: 1, max: 4_000 }), { minLength: 1, maxLength: 6 });
    const takes = fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 6 }), steps, takes, async (requests, lengths, kernel) => {
        const reader = new Reader(requests);
        const { socket, connection, defects } = connectionOf(reader.handle);
        let turn = 0;
        socket.takes = () => kernel[turn++ % kernel.length] ?? 0;
        let bytes = requests.map(written).join("");
        const expected = requests.map(answered).join("");
        // One step may be a byte, and the socket may be paused every other time.
        const rounds = 20_000 + 4 * bytes.length;
        for (let round = 0; round < rounds && (bytes !== "" || socket.sent.length < expected.length); round++) {
          if (bytes !== "" && !socket.isPaused) {
            const length = lengths[round % lengths.length] ?? 1;
            connection.received(Buffer.from(bytes.slice(0, length), "latin1"));
            bytes = bytes.slice(length);
          }
          await Promise.resolve();
          reader.later.shift()?.();
          await Promise.resolve();
          if (round % 3 === 0) connection.writable();
          // A kernel that never takes anything is a client that never reads.
          if (round === 1_000) kernel.push(5_000);
        }
        expect(socket.sent === expected).toBeTrue();
        expect([bytes, socket.isClosed, defects]).toEqual(["", false, []]);
      }),
      { numRuns: 500 },
    );
  });

  test("never crashes and never answers more often than it was asked, whatever comes", () => {
    fc.assert(
      fc.property(
        fc.array(request, { minLength: 1, maxLength: 4 }),
        damages,
        fc.integer({ min: 1, max: 700 }),
        (requests, damage, step) => {
          let asked = 0;
          const { socket, connection, defects } = connectionOf((exchange) => {
            asked++;
            exchange.read({
              chunk: () => undefined,
              end: () => exchange.respond(200, []),
              failed: () => exchange.respond(400, []),
            });
          });
          const bytes = damaged(requests.map(written).join(""), damage);
          for (let at = 0; at < bytes.length; at += step) connection.received(Buffer.from(bytes.slice(at, at + step), "latin1"));
          const statuses = socket.sent.match(/HTTP\/1\.1 \d{3}/g) ?? [];
          expect(statuses.length).toBeLessThanOrEqual(asked + 1);
          // Nothing is said behind a refusal.
          const refused = statuses.findIndex((status) => !status.endsWith("200"));
          if (refused >= 0) {
            expect(refused).toBe(statuses.length - 1);
            expect(socket.hasShutDown || socket.isClosed).toBeTrue();
          }
          expect(defects).toEqual([]);
          connection.ended();
          connection.gone(false);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("cuts off who writes on and on against a client that does not read", () => {
    let exchange: FrontExchange | undefined;
    const { socket, connection, defects } = connectionOf((one) => void (exchange = one));
    connection.received(Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    socket.takes = () => 0;
    exchange?.begin(200, []);
    const chunk = new Uint8Array(1024 * 1024);
    for (let count = 0; count < 100; count++) exchange?.write(chunk);
    expect([socket.isClosed, defects.length]).toEqual([true, 1]);
  });

  test("knows IPv4 clients by their own address", () => {
    let client: string | undefined;
    const { connection } = connectionOf((exchange) => void (client = exchange.client));
    connection.received(Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    expect(client).toBe("192.0.2.1");
  });

  test("makes a client wait that sends far ahead of its answers", () => {
    const exchanges: FrontExchange[] = [];
    const { socket, connection } = connectionOf((exchange) => void exchanges.push(exchange));
    const ahead = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3_000);
    connection.received(Buffer.from(ahead));
    expect([exchanges.length, socket.isPaused]).toEqual([1, true]);
    for (let index = 0; index < 3_000; index++) exchanges[index]?.respond(204, []);
    expect([exchanges.length, socket.isPaused]).toEqual([3_000, false]);
  });
});
