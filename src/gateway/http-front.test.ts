/** The front over real sockets: what a request is, and what an answer is, to the byte. */
import { describe, expect, test } from "bun:test";
import { Collected, echo, FrontBed } from "../../tests/front-bed.ts";
import { sendRaw } from "../../tests/raw-http.ts";
import type { FrontExchange } from "./front.ts";
import { openHttpFront } from "./http-front.ts";

const get = (target: string, ...lines: string[]): string => `GET ${target} HTTP/1.1\r\n${["Host: a", ...lines].join("\r\n")}\r\n\r\n`;
const post = (body: string, ...lines: string[]): string => `POST / HTTP/1.1\r\n${["Host: a", ...lines].join("\r\n")}\r\n\r\n${body}`;

/** All that the front says to it, until it closes. */
async function said(port: number, bytes: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = "";
  await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => void socket.write(Buffer.from(bytes, "latin1")),
      data: (_, chunk: Buffer) => void (text += chunk.toString("latin1")),
      close: () => resolve(text),
    },
  });
  return await promise;
}

describe("a request", () => {
  test("is handed over with its client, host and headers", async () => {
    await using bed = new FrontBed();
    using client = await bed.connect();
    client.send("PUT /a/../b?c=d HTTP/1.1\r\nHost: x:1\r\nA: 1\r\na: 2\r\nContent-Length: 3\r\n\r\n");
    const exchange = await bed.reached(0);
    expect(exchange).toMatchObject({ method: "PUT", target: "/b?c=d", host: "x:1", client: "127.0.0.1", hasBody: true, contentLength: 3 });
    expect([...exchange.headers]).toEqual(["host", "x:1", "a", "1", "a", "2", "content-length", "3"]);
    expect([exchange.get("a"), exchange.get("host"), exchange.get("b")]).toEqual(["1, 2", "x:1", null]);
  });

  test("that came in pieces is one", async () => {
    await using bed = new FrontBed({ handler: echo });
    using client = await bed.connect();
    for (const byte of post("5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked")) {
      client.send(byte);
      await Bun.sleep(0);
    }
    expect((await client.response())?.body).toBe("POST / hello");
  });

  test("has no body where none is announced, and says so at once", async () => {
    await using bed = new FrontBed();
    using client = await bed.connect();
    client.send(get("/"));
    const exchange = await bed.reached(0);
    const body = new Collected();
    exchange.read(body);
    expect(await body.ended).toBe("whole");
    expect([exchange.hasBody, exchange.contentLength]).toEqual([false, undefined]);
  });

  test("may bring a body with GET", async () => {
    await using bed = new FrontBed({ handler: echo });
    expect((await sendRaw(bed.port, `GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi`))?.body).toBe("GET /x hi");
  });

  test.each([
    ["chunked", "Transfer-Encoding: chunked", "5;x=y\r\nhello\r\n0\r\nTrailer: dropped\r\n\r\n"],
    ["of a length", "Content-Length: 5", "hello"],
  ])("with a body that is %s leaves the connection at the next request", async (_, line, body) => {
    await using bed = new FrontBed({ handler: echo });
    using client = await bed.connect();
    client.send(post(body, line) + get("/next"));
    expect((await client.response())?.body).toBe("POST / hello");
    expect((await client.response())?.body).toBe("GET /next ");
    expect(bed.exchanges[0]?.contentLength).toBe(body === "hello" ? 5 : undefined);
  });

  test("that waits to be told to go on is told when its body is read", async () => {
    await using bed = new FrontBed();
    using client = await bed.connect();
    client.send(post("", "Content-Length: 5", "Expect: 100-continue", "Connection: close"));
    const exchange = await bed.reached(0);
    const body = new Collected();
    exchange.read(body);
    client.send("hello");
    expect(await body.ended).toBe("whole");
    exchange.respond(200, [], body.text);
    expect((await client.response())?.body).toBe("hello");
  });

  test("is told to go on by a line of its own, unless its body is there or nobody wants it", async () => {
    await using bed = new FrontBed({ handler: (exchange) => (exchange.target === "/" ? echo(exchange) : exchange.respond(403, [])) });
    const lines = "Host: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    expect(await said(bed.port, `POST / HTTP/1.1\r\n${lines}hi`)).toStartWith("HTTP/1.1 200 OK\r\n");
    expect(await said(bed.port, `POST /no HTTP/1.1\r\n${lines}`)).toStartWith("HTTP/1.1 403 Forbidden\r\n");
    using client = await bed.connect();
    client.send(`POST / HTTP/1.1\r\n${lines}`);
    await bed.reached(2);
    client.send("hi");
    expect((await client.response())?.body).toBe("POST / hi");
  });

  test("whose announced body nobody reads ends the connection when the client waits to send it", async () => {
    await using bed = new FrontBed({ handler: (exchange) => exchange.respond(403, []) });
    using client = await bed.connect();
    client.send(post("", "Content-Length: 5", "Expect: 100-continue"));
    expect((await client.response())?.headers.get("connection")).toBe("close");
    await client.closed;
  });
});

describe("a connection", () => {
  test("is kept from request to request, and requests sent ahead are answered in order, one at a time", async () => {
    await using bed = new FrontBed();
    using client = await bed.connect();
    client.send([1, 2, 3].map((number) => get(`/${number}`)).join(""));
    for (const number of [1, 2, 3]) {
      const exchange = await bed.reached(number - 1);
      expect(bed.exchanges).toHaveLength(number);
      exchange.respond(200, [], exchange.target);
      expect((await client.response())?.body).toBe(`/${number}`);
    }
  });

  test("carries as many requests ahead as a client likes to send", async () => {
    await using bed = new FrontBed({ handler: (exchange) => queueMicrotask(() => exchange.respond(200, [], exchange.target)) });
    using client = await bed.connect();
    const count = 20_000;
    client.send(Array.from({ length: count }, (_, index) => get(`/${index}`)).join(""));
    for (let index = 0; index < count; index++) {
      const body = (await client.response())?.body;
      if (body !== `/${index}`) throw new Error(`${index} is answered by ${body}`);
    }
    expect(bed.exchanges).toHaveLength(count);
  });

  test.each([
    [get("/", "Connection: close"), "close"],
    ["GET / HTTP/1.0\r\n\r\n", "close"],
    ["GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive"],
    [get("/"), null],
  ])("after %p is %s", async (request, connection) => {
    await using bed = new FrontBed({ handler: echo });
    using client = await bed.connect();
    client.send(request);
    expect((await client.response())?.headers.get("connection")).toBe(connection);
    if (connection === "close") return await client.closed;
    client.send(get("/again"));
    expect((await client.response())?.body).toBe("GET /again ");
  });

  test("ends with an answer that says so, and what was sent ahead is not answered", async () => {
    await using bed = new FrontBed({ handler: (exchange) => exchange.respond(503, ["connection", "close"]) });
    const text = await said(bed.port, get("/1") + get("/2"));
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(text).toContain("\r\nconnection: close\r\n");
    expect(bed.exchanges).toHaveLength(1);
  });

  test("outlives a short body that nobody read", async () => {
    await using bed = new FrontBed({ handler: (exchange) => exchange.respond(404, []) });
    using client = await bed.connect();
    for (const [line, body] of [
      ["Content-Length: 100000", "x".repeat(100_000)],
      ["Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"],
    ] as const) {
      client.send(post(body, line));
      const response = await client.response();
      expect([response?.status, response?.headers.get("connection")]).toEqual([404, null]);
    }
  });

  test.each(["Content-Length: 3000000", "Transfer-Encoding: chunked"])(
    "ends after a long body that nobody read (%s), and the client sees the answer first",
    async (line) => {
      await using bed = new FrontBed({ handler: (exchange) => exchange.respond(413, [], "too long") });
      using client = await bed.connect();
      const body = "x".repeat(3_000_000);
      client.send(post(line.startsWith("T") ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body, line));
      expect((await client.response())?.body).toBe("too long");
      await client.closed;
      expect(bed.exchanges).toHaveLength(1);
    },
  );
});

describe("an answer", () => {
  const answerTo = async (request: string, handler: (exchange: FrontExchange) => void): Promise<string> => {
    await using bed = new FrontBed({ handler });
    const text = await said(bed.port, request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    expect(bed.defects).toEqual([]);
    return text.replace(/date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/, "");
  };

  test("is whole with its length in bytes", async () => {
    expect(await answerTo(get("/"), (exchange) => exchange.respond(200, ["x-a", "b"], "ä"))).toBe(
      "HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 2\r\nconnection: close\r\n\r\n\xc3\xa4",
    );
    expect(await answerTo(get("/"), (exchange) => exchange.respond(404, []))).toBe(
      "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    );
  });

  test("is dated", async () => {
    await using bed = new FrontBed({ handler: echo });
    const date = (await sendRaw(bed.port, get("/")))?.headers.get("date") ?? "";
    expect(Math.abs(Date.parse(date) - Date.now())).toBeLessThan(60_000);
  });

  test.each([
    ["HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200, [], "content-length: 5\r\n"],
    [get("/"), 204, ["content-length", "5"], ""],
    [get("/"), 304, ["content-length", "7"], "content-length: 7\r\n"],
    [get("/"), 304, [], ""],
    [get("/"), 205, [], "content-length: 0\r\n"],
  ] as const)("to %p with %d has no body", async (request, status, headers, line) => {
    const text = await answerTo(request, (exchange) => exchange.respond(status, headers, "hello"));
    expect(text.slice(text.indexOf("\r\n") + 2)).toBe(`${line}connection: close\r\n\r\n`);
  });

  test("to HEAD may tell the length of a body that it does not bring", async () => {
    const text = await answerTo("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", (exchange) => exchange.respond(200, ["content-length", "77"]));
    expect(text).toContain("content-length: 77\r\n");
  });

  const inPieces =
    (headers: readonly string[] = [], status = 200) =>
    (exchange: FrontExchange): void => {
      exchange.begin(status, headers);
      for (const piece of ["he", "", "llo"]) exchange.write(Buffer.from(piece));
      exchange.end();
    };

  test("in pieces is chunked", async () => {
    expect(await answerTo(get("/"), inPieces())).toBe(
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    );
  });

  test("in pieces may tell its length", async () => {
    expect(await answerTo(get("/"), inPieces(["content-length", "5"]))).toBe(
      "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
    );
  });

  test("in no pieces is an empty body", async () => {
    const handler = (exchange: FrontExchange): void => {
      exchange.begin(200, []);
      exchange.end();
    };
    expect(await answerTo(get("/"), handler)).toEndWith("\r\n\r\n0\r\n\r\n");
  });

  test.each([
    ["HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200, "transfer-encoding: chunked\r\n"],
    [get("/"), 204, ""],
    [get("/"), 304, ""],
  ])("in pieces to %p with %d has no body", async (request, status, line) => {
    const text = await answerTo(request, inPieces([], status));
    expect(text.slice(text.indexOf("\r\n") + 2)).toBe(`${line}connection: close\r\n\r\n`);
  });

  test("in pieces to HTTP/1.0 ends with the connection, also when that was to be kept", async () => {
    await using bed = new FrontBed({ handler: inPieces() });
    const text = await said(bed.port, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect(text).toEndWith("\r\nconnection: close\r\n\r\nhello");
    expect(text).not.toContain("transfer-encoding");
  });

  test("that has begun is sent before its first piece", async () => {
    await using bed = new FrontBed();
    const { promise, resolve } = Promise.withResolvers<string>();
    using socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: bed.port,
      socket: { open: (one) => void one.write(get("/")), data: (_, chunk: Buffer) => resolve(chunk.toString()) },
    });
    (await bed.reached(0)).begin(200, ["content-type", "text/event-stream"]);
    expect(await promise).toStartWith("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n");
    socket.end();
  });

  test.each([
    ["chunked", [], "5\r\nhello\r\n"],
    ["of a length", ["content-length", "9"], "hello"],
  ] as const)("that breaks off is never whole to the client: %s", async (_, headers, rest) => {
    await using bed = new FrontBed();
    const all = said(bed.port, get("/"));
    const exchange = await bed.reached(0);
    exchange.begin(200, headers);
    exchange.write(Buffer.from("hello"));
    exchange.breakOff();
    expect(await all).toEndWith(`\r\n\r\n${rest}`);
  });

  test("that does not keep to its Content-Length breaks off: a defect", async () => {
    await using bed = new FrontBed({
      handler: (exchange) => {
        exchange.begin(200, ["content-length", "4"]);
        exchange.write(Buffer.from(exchange.target.slice(1)));
        exchange.end();
      },
    });
    expect(await said(bed.port, get("/hello"))).toEndWith("content-length: 4\r\n\r\n");
    expect(await said(bed.port, get("/hel"))).toEndWith("\r\n\r\nhel");
    expect(bed.defects).toHaveLength(2);
  });

  test("is given once: more does nothing", async () => {
    await using bed = new FrontBed();
    using client = await bed.connect();
    client.send(get("/") + get("/2"));
    const exchange = await bed.reached(0);
    exchange.respond(200, [], "one");
    exchange.respond(200, [], "two");
    exchange.begin(200, []);
    expect(exchange.write(Buffer.from("three"))).toBeTrue();
    exchange.end();
    exchange.breakOff();
    expect((await client.response())?.body).toBe("one");
    (await bed.reached(1)).respond(200, [], "next");
    expect((await client.response())?.body).toBe("next");
  });

  test("that would break the message is a defect, and the request can still be answered", async () => {
    await using bed = new FrontBed();
    using client = await bed.connect();
    client.send(get("/"));
    const exchange = await bed.reached(0);
    expect(() => exchange.respond(200, ["x", "a\r\nset-cookie: b"])).toThrow(TypeError);
    exchange.respond(502, []);
    expect((await client.response())?.status).toBe(502);
  });

  test("of a handler that throws is 500, with a problem that does not tell why; the connection lives on", async () => {
    await using bed = new FrontBed({
      handler: () => {
        throw new Error("secret");
      },
    });
    using client = await bed.connect();
    for (const _ of [1, 2]) {
      client.send(get("/"));
      const response = await client.response();
      expect(response?.status).toBe(500);
      expect(response?.headers.get("x-urocket-error")).toBe("host-failure");
      expect(response?.body).not.toContain("secret");
    }
    expect(bed.defects.map((error) => error.message)).toEqual(["secret", "secret"]);
  });

  test("of a handler that throws in its midst breaks off", async () => {
    await using bed = new FrontBed({
      handler: (exchange) => {
        exchange.begin(200, []);
        throw new Error("late");
      },
    });
    expect(await said(bed.port, get("/"))).toEndWith("transfer-encoding: chunked\r\n\r\n");
  });
});

describe("what is no request", () => {
  test("is a problem document with an id that is logged, and the connection's end", async () => {
    await using bed = new FrontBed();
    using client = await bed.connect();
    client.send("DELETE /pets?secret=1 HTTP/1.1\r\nHost : a\r\n\r\n");
    const response = await client.response();
    await client.closed;
    expect(response?.status).toBe(400);
    expect(response?.headers.get("connection")).toBe("close");
    expect(response?.headers.get("content-type")).toBe("application/problem+json");
    expect(response?.headers.get("x-urocket-error")).toBe("bad-request");
    const requestId = response?.headers.get("x-request-id") ?? "";
    expect(JSON.parse(response?.body ?? "")).toMatchObject({ status: 400, kind: "bad-request", title: "Bad Request", requestId });
    expect(bed.refused).toMatchObject([
      { requestId, method: "DELETE", path: "/pets", client: "127.0.0.1", status: 400, error: "bad-request" },
    ]);
    expect(bed.exchanges).toEqual([]);
  });

  test("to HEAD is answered without a body", async () => {
    await using bed = new FrontBed();
    expect(await said(bed.port, "HEAD / HTTP/1.1\r\nHost : a\r\n\r\n")).toEndWith("connection: close\r\n\r\n");
  });

  test("is told to a client that is still sending", async () => {
    await using bed = new FrontBed();
    const text = await said(bed.port, `GET / HTTP/1.1\r\nX: ${"x".repeat(2_000_000)}`);
    expect(text).toStartWith("HTTP/1.1 431 ");
  });

  test.each([
    ["\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 400, "TLS"],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/2"],
    ["CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501, "CONNECT"],
    [`GET /${"x".repeat(9_000)}`, 414, "8192"],
    [get("/", `X: ${"x".repeat(17_000)}`), 431, "16384"],
  ])("%p", async (bytes, status, word) => {
    await using bed = new FrontBed();
    const text = await said(bed.port, bytes);
    expect(text).toStartWith(`HTTP/1.1 ${status} `);
    expect(text).toContain(word);
  });
});

/** Each tries to make a second request out of a first one's body, or the other way round. */
describe("smuggling", () => {
  const inner = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
  const chunked = `0\r\n\r\n${inner}`;

  test.each([
    ["CL.TE", post(chunked, `Content-Length: ${chunked.length}`, "Transfer-Encoding: chunked"), 400],
    ["TE.CL", post(`${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`, "Transfer-Encoding: chunked", "Content-Length: 4"), 400],
    ["TE.TE: x", post(chunked, "Transfer-Encoding: xchunked"), 400],
    ["TE.TE: two", post(chunked, "Transfer-Encoding: chunked", "Transfer-Encoding: x"), 400],
    ["TE.TE: two, the other way", post(chunked, "Transfer-Encoding: x", "Transfer-Encoding: chunked"), 501],
    ["TE.TE: twice", post(chunked, "Transfer-Encoding: chunked", "Transfer-encoding: chunked"), 400],
    ["space before the colon", post(chunked, "Transfer-Encoding : chunked"), 400],
    ["vertical tab", post(chunked, "Transfer-Encoding:\x0bchunked"), 400],
    ["folded", post(chunked, "Transfer-Encoding:", " chunked"), 400],
    ["folded by a tab", post(chunked, "X: y", "\tTransfer-Encoding: chunked"), 400],
    ["hidden behind a line feed", post(chunked, "X: y\nTransfer-Encoding: chunked"), 400],
    ["hidden behind a carriage return", post(chunked, "X: y\rTransfer-Encoding: chunked"), 400],
    ["quoted", post(chunked, 'Transfer-Encoding: "chunked"'), 400],
    ["two lengths", post(inner, "Content-Length: 0", `Content-Length: ${inner.length}`), 400],
    ["a list of lengths", post(inner, `Content-Length: 0, ${inner.length}`), 400],
    ["a signed length", post(inner, "Content-Length: +0"), 400],
    ["a length with a space", post(inner, "Content-Length : 0"), 400],
    ["a length with a NUL", post(inner, "Content-Length: 0\0"), 400],
    ["HTTP/1.0 with chunks", `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`, 400],
    ["an absolute target with another host and bad framing", `GET http://b/ HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n${inner}`, 400],
  ])("%s is refused, and what follows is not read", async (_, bytes, status) => {
    await using bed = new FrontBed({ handler: echo });
    const text = await said(bed.port, bytes);
    expect(text).toStartWith(`HTTP/1.1 ${status} `);
    expect(text.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
    expect(bed.exchanges).toEqual([]);
  });

  test.each([
    ["a size with a sign", "+0\r\n\r\n"],
    ["a size with a prefix", "0x0\r\n\r\n"],
    ["a line feed after the size", "0\n\r\n"],
    ["a line feed at the end", "0\r\n\n"],
    ["a chunk that is longer", "1\r\nab\r\n0\r\n\r\n"],
    ["a line feed in an extension", "0;\n\r\n"],
    ["a request for a trailer", `0\r\n${inner}`],
  ])("chunks with %s: the request is answered at most with 400, and what follows is not read", async (_, bytes) => {
    await using bed = new FrontBed({ handler: echo });
    const text = await said(bed.port, post(bytes + inner, "Transfer-Encoding: chunked"));
    expect(text).toStartWith("HTTP/1.1 400 ");
    expect(text).toContain("\r\nconnection: close\r\n");
    expect(bed.exchanges.map(({ target }) => target)).toEqual(["/"]);
  });

  test("malformed chunks that nobody reads end the connection too", async () => {
    await using bed = new FrontBed({ handler: (exchange) => exchange.respond(404, []) });
    const text = await said(bed.port, post(`x\r\n${inner}`, "Transfer-Encoding: chunked"));
    expect(text.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
    expect(bed.exchanges).toHaveLength(1);
  });

  test("what follows a request without a body is a request of its own", async () => {
    await using bed = new FrontBed({ handler: echo });
    using client = await bed.connect();
    client.send(post(get("/own"), "Content-Length: 0"));
    expect([(await client.response())?.body, (await client.response())?.body]).toEqual(["POST / ", "GET /own "]);
  });
});

describe("listening", () => {
  test.each([
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "[::1]"],
    ["::", "127.0.0.1"],
    ["0.0.0.0", "127.0.0.1"],
  ])("on %s, and the client's address is what it is", async (address, host) => {
    let client: string | undefined;
    const front = openHttpFront({ address, port: 0 }, (exchange) => {
      client = exchange.client;
      exchange.respond(204, []);
    });
    const { port } = new URL(front.url);
    expect((await fetch(`http://${host}:${port}/`)).status).toBe(204);
    expect(client).toBe(host === "[::1]" ? "::1" : "127.0.0.1");
    await front.close();
  });

  test("on a port that is taken fails with EADDRINUSE, within a process and between two", async () => {
    await using bed = new FrontBed();
    const code = (run: () => void): unknown => {
      try {
        run();
      } catch (error) {
        return (error as { code?: unknown }).code;
      }
      return undefined;
    };
    expect(code(() => openHttpFront({ address: "127.0.0.1", port: bed.port }, echo))).toBe("EADDRINUSE");
    const script = `import { openHttpFront } from ${JSON.stringify(`${import.meta.dir}/http-front.ts`)};
      try { openHttpFront({ address: "127.0.0.1", port: ${bed.port} }, () => {}); console.log("shared"); } catch (error) { console.log(error.code); }
      process.exit();`;
    expect(Bun.spawnSync([process.execPath, "-e", script]).stdout.toString().trim()).toBe("EADDRINUSE");
    expect(code(() => openHttpFront({ address: "203.0.113.7", port: 0 }, echo))).toBe("EADDRNOTAVAIL");
  });
});
