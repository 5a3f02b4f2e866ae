import { describe, expect, test } from "bun:test";
import { eventually } from "../../tests/eventually.ts";
import { answering, ok, RawDaemon } from "../../tests/raw-daemon.ts";
import { ServiceBed } from "../../tests/service-bed.ts";

const get = (path = "/", ...more: string[]): string[] => [`GET ${path} HTTP/1.1`, "Host: shop.example:81", ...more];

/** Waits until a figure changes no more. */
async function stays(what: string, ask: () => number): Promise<void> {
  let seen = { value: -1, at: 0 };
  await eventually(what, () => {
    const value = ask();
    if (value !== seen.value) seen = { value, at: performance.now() };
    return performance.now() - seen.at > 200;
  });
}

/** A client that sends as much as the kernel takes. */
class Uploader {
  sentBytes = 0;
  received = "";
  readonly #bytes: Buffer;
  #socket: Bun.Socket | undefined;

  constructor(bytes: number) {
    this.#bytes = Buffer.alloc(bytes, "x");
  }

  async start(port: number, head: string): Promise<void> {
    this.#socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: { data: (_, chunk) => void (this.received += chunk.toString()), drain: () => this.#go() },
    });
    this.#socket.write(head);
    this.#go();
  }

  end(): void {
    this.#socket?.end();
  }

  #go(): void {
    this.sentBytes += Math.max(0, this.#socket?.write(this.#bytes.subarray(this.sentBytes)) ?? 0);
  }
}

describe("a request to a daemon", () => {
  test("goes on as it came, with who it is and where from, without what was said to this hop alone", async () => {
    using daemon = new RawDaemon(answering(ok("hello")));
    await using bed = new ServiceBed([daemon.port]);
    const response = await bed.ask(
      get(
        "/a%2Fb;c?x=%20y&x",
        "X-First: 1",
        "Connection: keep-alive, X-Named",
        "X-Named: secret",
        "Keep-Alive: timeout=5",
        "TE: gzip",
        "Proxy-Authorization: Basic x",
        "X-Request-Id: id-7",
        "Cookie: a=b; c=d",
        "X-First: 2",
        "Forwarded: for=6.6.6.6",
        "X-Forwarded-For: 6.6.6.6",
        "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      ),
    );
    expect(response).toMatchObject({ status: 200, body: "hello" });
    expect(response?.headers.get("x-request-id")).toBe("id-7");
    expect(response?.headers.get("x-urocket-instance")).toBe("i0");
    expect(daemon.received.split("\r\n")).toEqual([
      "GET /a%2Fb;c?x=%20y&x HTTP/1.1",
      "host: shop.example:81",
      "x-first: 1",
      "cookie: a=b; c=d",
      "x-first: 2",
      "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "x-request-id: id-7",
      expect.stringContaining("forwarded: for=127.0.0.1"),
      "x-forwarded-for: 127.0.0.1",
      expect.stringContaining("x-forwarded-"),
      expect.stringContaining("x-forwarded-"),
      "",
      "",
    ]);
    expect(daemon.received).not.toContain("6.6.6.6");
    expect(await bed.told(0)).toMatchObject({ status: 200, instance: "i0", operation: "GET /", bytesIn: 0, bytesOut: 5 });
    expect((await bed.told(0)).serviceMs).toBeGreaterThan(0);
    expect((await bed.told(0)).attempts).toBeUndefined();
    expect(bed.places).toMatchObject([{ outcome: "sound" }]);
  });

  test("of HTTP/1.0 without a Host gets the daemon's own", async () => {
    using daemon = new RawDaemon(answering(ok("hello")));
    await using bed = new ServiceBed([daemon.port]);
    expect(await bed.ask(["GET / HTTP/1.0"])).toMatchObject({ status: 200, body: "hello" });
    expect(daemon.received).toStartWith(`GET / HTTP/1.1\r\nhost: 127.0.0.1:${daemon.port}\r\n`);
  });

  test("shares connections with the requests before it, the last one used first", async () => {
    using daemon = new RawDaemon(answering(ok("hello")));
    await using bed = new ServiceBed([daemon.port]);
    for (let turn = 0; turn < 20; turn++) expect(await bed.ask(get())).toMatchObject({ status: 200 });
    expect(daemon.connections).toHaveLength(1);
    await bed.allGivenBack();
  });

  test("brings a short body along in one piece, with its length, whether or not it is one that has a body", async () => {
    const heads: string[] = [];
    using daemon = new RawDaemon((connection) => {
      heads.push(connection.received.split("\r\n\r\n")[0] ?? "");
      connection.send(ok("taken"));
      connection.received = "";
    });
    await using bed = new ServiceBed([daemon.port]);
    const post = ["POST / HTTP/1.1", "Host: a"];
    expect(await bed.ask([...post, "Content-Length: 5"], "12345")).toMatchObject({ status: 200 });
    expect(await bed.ask(post)).toMatchObject({ status: 200 });
    expect(await bed.ask([...get(), "Content-Length: 3"], "abc")).toMatchObject({ status: 200 });
    expect(await bed.ask(["DELETE / HTTP/1.1", "Host: a"])).toMatchObject({ status: 200 });
    expect(heads.map((head) => /content-length: \d+/.exec(head)?.[0])).toEqual([
      "content-length: 5",
      "content-length: 0",
      "content-length: 3",
      undefined,
    ]);
    expect((await bed.told(0)).bytesIn).toBe(5);
  });

  test("of unknown length goes on by chunks as it comes, with its trailers", async () => {
    using daemon = new RawDaemon((connection) => {
      if (connection.received.endsWith("0\r\nx-sum: 9\r\n\r\n")) connection.send(ok("taken"));
    });
    await using bed = new ServiceBed([daemon.port]);
    using client = await bed.connect();
    client.send("POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4\r\nwiki\r\n");
    const connection = await daemon.connection(0);
    const head = await connection.has("\r\n\r\n4\r\nwiki\r\n");
    expect(head).toContain("\r\ntransfer-encoding: chunked\r\n");
    expect(head).not.toContain("content-length");
    client.send("5;ext=1\r\npedia\r\n0\r\nX-Sum: 9\r\nContent-Length: 7\r\n\r\n");
    await connection.has("5\r\npedia\r\n0\r\nx-sum: 9\r\n\r\n");
    expect(await client.response()).toMatchObject({ status: 200, body: "taken" });
    expect(await bed.told(0)).toMatchObject({ bytesIn: 9 });
  });

  test("whose body is long goes on with its length, at the daemon's pace", async () => {
    const length = 256 * 1024 * 1024;
    using daemon = new RawDaemon();
    await using bed = new ServiceBed([daemon.port], { bodyBytesMax: length });
    const client = new Uploader(length);
    await client.start(bed.port, `PUT /up HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
    const connection = await daemon.connection(0);
    await connection.has("\r\n\r\n");
    connection.forgets = true;
    connection.pause();
    await stays("the client is made to wait", () => client.sentBytes);
    // The rest is in the kernel's buffers, which may have become large.
    expect(client.sentBytes - connection.receivedBytes).toBeLessThan(length / 2);
    connection.resume();
    await eventually("all of it has come", () => connection.receivedBytes > length);
    connection.send(ok("taken"));
    await eventually("it is answered", () => client.received.endsWith("taken"));
    client.end();
    expect(await bed.told(0)).toMatchObject({ bytesIn: length });
  }, 30_000);

  test("with a body over limits.body is refused, announced or not, and the daemon gets no whole of it", async () => {
    using daemon = new RawDaemon();
    await using bed = new ServiceBed([daemon.port], { bodyBytesMax: 1000 });
    const announced = await bed.ask(["POST / HTTP/1.1", "Host: a", "Content-Length: 100000"]);
    expect(announced?.status).toBe(413);
    expect(bed.places).toHaveLength(0);
    using client = await bed.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n");
    client.send(`${"x".repeat(1000)}\r\n1\r\nx\r\n`);
    expect((await client.response())?.status).toBe(413);
    const connection = await daemon.connection(0);
    await connection.closed();
    expect(connection.received).not.toContain("\r\n0\r\n\r\n");
    await bed.allGivenBack();
    expect(bed.places).toMatchObject([{ outcome: "untold" }]);
  });

  test("whose body breaks off in the midst never becomes whole at the daemon", async () => {
    using daemon = new RawDaemon();
    await using bed = new ServiceBed([daemon.port]);
    using client = await bed.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\nzz\r\n");
    expect((await client.response())?.status).toBe(400);
    const connection = await daemon.connection(0);
    await connection.closed();
    expect(connection.received).not.toContain("0\r\n\r\n");
    await bed.allGivenBack();
  });
});

describe("Expect: 100-continue", () => {
  const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";

  test("is asked of the daemon, whose word is the client's", async () => {
    using daemon = new RawDaemon();
    await using bed = new ServiceBed([daemon.port]);
    using client = await bed.connect();
    client.send(head);
    const connection = await daemon.connection(0);
    await connection.has("expect: 100-continue\r\n");
    connection.send("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    await connection.has("\r\n\r\nbody");
    connection.send(ok("taken"));
    expect(await client.response()).toMatchObject({ status: 200, body: "taken" });
  });

  test("is refused by a daemon without the body being sent", async () => {
    using daemon = new RawDaemon((connection) => connection.send("HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n"));
    await using bed = new ServiceBed([daemon.port]);
    using client = await bed.connect();
    client.send(head);
    expect((await client.response())?.status).toBe(413);
    // Nobody knows whether it would take the body for the next request.
    await (await daemon.connection(0)).closed();
    await bed.allGivenBack();
  });

  test("is not waited for by a daemon that has never heard of it", async () => {
    using daemon = new RawDaemon((connection) => {
      if (connection.received.endsWith("body")) connection.send(ok("taken"));
    });
    await using bed = new ServiceBed([daemon.port]);
    using client = await bed.connect();
    client.send(head);
    await (await daemon.connection(0)).has("\r\n\r\n");
    client.send("body");
    expect(await client.response()).toMatchObject({ status: 200, body: "taken" });
  });

  test("is not answered while no instance has a place", async () => {
    using daemon = new RawDaemon((connection) => {
      if (connection.received.endsWith("\r\n\r\n")) connection.send("HTTP/1.1 100 Continue\r\n\r\n");
      if (connection.received.endsWith("body")) connection.send(ok("taken"));
    });
    await using bed = new ServiceBed([daemon.port]);
    bed.gives = false;
    using client = await bed.connect();
    client.send(head);
    const place = await eventually("a place is asked for", () => bed.places[0]);
    expect(daemon.connections).toHaveLength(0);
    bed.give(place);
    client.send("body");
    expect(await client.response()).toMatchObject({ status: 200, body: "taken" });
  });
});

describe("a daemon's reply", () => {
  const replied = async (reply: string, lines: readonly string[] = get(), toHead = false) => {
    using daemon = new RawDaemon(answering(reply));
    await using bed = new ServiceBed([daemon.port]);
    const response = await bed.ask(lines, "", { toHead });
    await bed.allGivenBack();
    const [receipt] = bed.receipts;
    return { response, receipt, outcome: bed.places[0]?.outcome, kept: daemon.connections[0]?.isClosed === false };
  };

  test("keeps its headers, repeated ones too, but those of the connection and urocket's own", async () => {
    const { response, outcome } = await replied(
      [
        "HTTP/1.1 201 Made",
        "Date: Sat, 21 Nov 2026 08:00:00 GMT",
        "Server: own/1",
        "Set-Cookie: a=1",
        "Set-Cookie: b=2",
        "Connection: X-Mine, keep-alive",
        "X-Mine: hop",
        "Keep-Alive: timeout=60",
        "X-Request-Id: made-up",
        "X-Urocket-Error: made-up",
        "Content-Length: 2",
        "",
        "ok",
      ].join("\r\n"),
    );
    expect(response).toMatchObject({ status: 201, body: "ok" });
    expect(response?.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(response?.headers.get("date")).toBe("Sat, 21 Nov 2026 08:00:00 GMT");
    expect(response?.headers.get("server")).toBe("own/1");
    for (const name of ["x-mine", "keep-alive", "x-urocket-error", "connection"]) expect(response?.headers.get(name)).toBeNull();
    expect(response?.headers.get("x-request-id")).not.toBe("made-up");
    expect(outcome).toBe("sound");
  });

  test.each([
    ["204", "HTTP/1.1 204 No Content\r\n\r\n", 204],
    ["304", "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", 304],
    ["205", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", 205],
    ["500", "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 500],
  ])("without a body is passed on: %s", async (_, reply, status) => {
    const { response, receipt, outcome, kept } = await replied(reply);
    expect(response?.status).toBe(status);
    expect(receipt).toMatchObject({ status, bytesOut: 0 });
    expect(receipt?.error).toBeUndefined();
    expect([outcome, kept]).toEqual(["sound", true]);
  });

  test("304 has the length of what is not sent", async () => {
    const { response, receipt } = await replied("HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: x\r\n\r\n");
    expect(response?.headers.get("content-length")).toBe("1234");
    expect(receipt).toMatchObject({ status: 304, bytesOut: 0 });
  });

  test("to HEAD has the length of what is not sent", async () => {
    const head = ["HEAD / HTTP/1.1", "Host: a"];
    const { response, receipt } = await replied("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", head, true);
    expect(response?.headers.get("content-length")).toBe("5000");
    expect(receipt).toMatchObject({ status: 200, bytesOut: 0 });
  });

  test.each([
    ["to HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n"],
    ["304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 60\r\n\r\n"],
  ])("with a body that nobody may send, and that comes late, is not taken for the next one: %s", async (_, method, reply) => {
    using daemon = new RawDaemon((connection) => {
      if (connection.received.includes("/first")) {
        // The second request, where it came on the same connection, is answered by what follows the first.
        connection.send(connection.received.includes("/second") ? "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison" : reply);
      } else connection.send(ok("own"));
    });
    await using bed = new ServiceBed([daemon.port]);
    using client = await bed.connect();
    client.send(`${method} /first HTTP/1.1\r\nHost: a\r\n\r\n`);
    await bed.told(0);
    using other = await bed.connect();
    other.send("GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(await other.response()).toMatchObject({ status: 200, body: "own" });
  });

  test("that ends with its connection is whole then", async () => {
    using daemon = new RawDaemon((connection) => {
      connection.send("HTTP/1.0 200 OK\r\n\r\nall of it");
      connection.finish();
    });
    await using bed = new ServiceBed([daemon.port]);
    expect(await bed.ask(get())).toMatchObject({ status: 200, body: "all of it" });
    await bed.allGivenBack();
    expect(bed.places).toMatchObject([{ outcome: "sound" }]);
  });

  test("in chunks that is there at once is whole at once; one with trailers keeps both", async () => {
    const whole = await replied("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    expect(whole.response).toMatchObject({ status: 200, body: "abcde" });
    expect(whole.response?.headers.get("content-length")).toBe("5");
    expect(whole.kept).toBe(true);
    using daemon = new RawDaemon(answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n"));
    await using bed = new ServiceBed([daemon.port]);
    let text = "";
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: bed.port,
      socket: { data: (_, chunk) => void (text += chunk.toString()) },
    });
    socket.write("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n");
    await eventually("the trailers come", () => text.endsWith("3\r\nabc\r\n0\r\nx-sum: 3\r\n\r\n"));
    socket.end();
    expect(daemon.received).toContain("te: trailers\r\nconnection: te\r\n");
  });

  test("streams: each piece goes on when it comes", async () => {
    using daemon = new RawDaemon((connection) =>
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"),
    );
    await using bed = new ServiceBed([daemon.port]);
    const response = await fetch(`${bed.url}/events`);
    const reader = response.body?.getReader();
    const connection = await daemon.connection(0);
    for (const event of ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]) {
      connection.send(`${event.length.toString(16)}\r\n${event}\r\n`);
      expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe(event);
    }
    connection.send("0\r\n\r\n");
    expect((await reader?.read())?.done).toBe(true);
    expect(await bed.told(0)).toMatchObject({ status: 200, bytesOut: 27 });
    await bed.allGivenBack();
  });

  test("that is long goes on with its length, at the client's pace", async () => {
    const length = 256 * 1024 * 1024;
    using daemon = new RawDaemon((connection) => {
      connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
      connection.send(Buffer.alloc(length, "y"));
    });
    await using bed = new ServiceBed([daemon.port]);
    let got = 0;
    const socket = await Bun.connect({ hostname: "127.0.0.1", port: bed.port, socket: { data: (_, chunk) => void (got += chunk.length) } });
    socket.pause();
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const connection = await daemon.connection(0);
    await connection.has("\r\n\r\n");
    await stays("the daemon is made to wait", () => connection.unsentBytes);
    expect(connection.unsentBytes).toBeGreaterThan(length / 2);
    socket.resume();
    await eventually("all of it has come", () => got > length);
    socket.end();
    expect(await bed.told(0)).toMatchObject({ status: 200, bytesOut: length });
    await bed.allGivenBack();
  }, 30_000);

  test("may have large headers, and answers before it", async () => {
    const large = "x".repeat(60_000);
    const { response } = await replied(
      `HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-Large: ${large}\r\nContent-Length: 2\r\n\r\nok`,
    );
    expect(response?.status).toBe(103);
    expect(response?.headers.get("link")).toBe("</a.css>");
    using daemon = new RawDaemon(answering(`HTTP/1.1 200 OK\r\nX-Large: ${large}\r\nContent-Length: 2\r\n\r\nok`));
    await using bed = new ServiceBed([daemon.port]);
    const whole = await bed.ask(get());
    expect(whole).toMatchObject({ status: 200, body: "ok" });
    expect(whole?.headers.get("x-large")).toBe(large);
  });

  test("that comes while the request's body is still on its way ends the exchange, and that connection", async () => {
    using daemon = new RawDaemon((connection) => {
      if (connection.received.includes("\r\n\r\n")) connection.send(ok("no more"));
    });
    await using bed = new ServiceBed([daemon.port]);
    using client = await bed.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\nbegin");
    expect(await client.response()).toMatchObject({ status: 200, body: "no more" });
    await (await daemon.connection(0)).closed();
    await bed.allGivenBack();
    expect(bed.places).toMatchObject([{ outcome: "sound" }]);
  });

  test("that begins before the request's body is whole is not cut off as silent while the body comes", async () => {
    using daemon = new RawDaemon((connection) => {
      if (connection.received.endsWith("\r\nbegin\r\n"))
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
      if (connection.received.endsWith("\r\n0\r\n\r\n")) connection.send("0\r\n\r\n");
    });
    await using bed = new ServiceBed([daemon.port], { idleMs: 1_000 });
    using client = await bed.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n");
    const connection = await daemon.connection(0);
    await connection.has("begin");
    // For longer than that, each piece when the one before has come.
    for (const began = performance.now(); performance.now() - began < 1_500;) {
      const before = connection.receivedBytes;
      client.send("1\r\n.\r\n");
      await eventually("it comes", () => connection.receivedBytes > before || bed.receipts.length > 0);
    }
    client.send("3\r\nend\r\n0\r\n\r\n");
    expect(await client.response()).toMatchObject({ status: 200, body: "hi" });
    expect((await bed.told(0)).error).toBeUndefined();
  });

  test("is timed, where that is asked for", async () => {
    using daemon = new RawDaemon(answering(ok("hello")));
    await using bed = new ServiceBed([daemon.port], { timing: true });
    const timing = (await bed.ask(get()))?.headers.get("server-timing");
    expect(timing).toMatch(/^queue;dur=[\d.]+, service;dur=[\d.]+, total;dur=[\d.]+$/);
  });
});

describe("a contract", () => {
  const violation = [{ in: "body", path: "$.name", message: "must be a string" }] as const;

  test("judges a request before its daemon gets it: the whole of its body", async () => {
    using daemon = new RawDaemon((connection) => {
      if (connection.received.endsWith("good")) connection.send(ok("taken"));
    });
    await using bed = new ServiceBed([daemon.port], {
      contract: {
        canProduce: () => true,
        isOpaque: () => false,
        readRequest: ({ body }) =>
          Buffer.from(body ?? []).toString() === "good"
            ? { ok: true, parameters: {}, located: { path: {}, query: {}, header: {}, cookie: {} }, bodyForm: "json", body: {} }
            : { ok: false, kind: "invalid-request", errors: violation },
      },
    });
    const post = ["POST / HTTP/1.1", "Host: a", "Content-Type: application/json", "Transfer-Encoding: chunked"];
    const bad = await bed.ask(post, "3\r\nbad\r\n0\r\n\r\n");
    expect(bad?.status).toBe(400);
    expect(JSON.parse(bad?.body ?? "")).toMatchObject({ kind: "invalid-request", errors: violation });
    expect(daemon.connections).toHaveLength(0);
    expect(await bed.ask(post, "4\r\ngood\r\n0\r\n\r\n")).toMatchObject({ status: 200 });
    expect(daemon.received).toContain("content-length: 4\r\n");
  });

  test("judges a reply where it is asked to: whole, within the limit, or not at all", async () => {
    let reply = "";
    using daemon = new RawDaemon((connection) => connection.send(reply));
    const statuses: (number | undefined)[] = [];
    await using bed = new ServiceBed([daemon.port], {
      bodyBytesMax: 1000,
      handler: { validateOut: true },
      contract: {
        canProduce: () => true,
        readRequest: () => ({ ok: true, parameters: {}, located: { path: {}, query: {}, header: {}, cookie: {} }, bodyForm: "none" }),
        checkReply: ({ body }) => (Buffer.from(body ?? []).toString() === "good" ? [] : violation),
      },
    });
    for (const body of ["good", "bad", "x".repeat(2000)]) {
      reply = ok(body);
      statuses.push((await bed.ask(get("/", "Accept-Encoding: gzip")))?.status);
    }
    expect(statuses).toEqual([200, 502, 502]);
    expect(bed.receipts.map(({ error }) => error)).toEqual([undefined, "invalid-reply", "invalid-reply"]);
    expect(bed.places.map(({ outcome }) => outcome)).toEqual(["sound", "sound", "sound"]);
    // A reply in another encoding could not be judged.
    expect(daemon.received).not.toContain("accept-encoding");
    reply = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    expect((await bed.ask(["HEAD / HTTP/1.1", "Host: a"], "", { toHead: true }))?.status).toBe(200);
    await bed.allGivenBack();
  });
});
