/** What a proxy behind the front needs of it, to the byte: interim answers, trailers both ways, bodies that wait, and whom a request comes from. */
import { describe, expect, test } from "bun:test";
import { eventually } from "../../tests/eventually.ts";
import { Collected, FrontBed } from "../../tests/front-bed.ts";
import type { FrontExchange } from "./front.ts";
import { openHttpFront } from "./http-front.ts";

const get = (...lines: string[]): string => `GET / HTTP/1.1\r\n${["Host: a", ...lines].join("\r\n")}\r\n\r\n`;
const posted = (body: string, ...lines: string[]): string => `POST / HTTP/1.1\r\n${["Host: a", ...lines].join("\r\n")}\r\n\r\n${body}`;

/** What the front says, as it says it; the Date left out. */
class Listener implements Disposable {
  text = "";
  readonly #end: () => void;

  private constructor(end: () => void) {
    this.#end = end;
  }

  static async to(port: number, bytes: string): Promise<Listener> {
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_, chunk: Buffer) => void (listener.text = (listener.text + chunk.toString("latin1")).replace(/date: [^\r]*\r\n/, "")),
      },
    });
    const listener = new Listener(() => socket.terminate());
    socket.write(Buffer.from(bytes, "latin1"));
    return listener;
  }

  async hears(text: string): Promise<void> {
    await eventually(
      () => `it hears ${JSON.stringify(text)}, not ${JSON.stringify(this.text)}`,
      () => this.text === text,
    );
  }

  [Symbol.dispose](): void {
    this.#end();
  }
}

describe("an interim answer", () => {
  test("is told before the answer, as often as there is one", async () => {
    await using bed = new FrontBed();
    using client = await Listener.to(bed.port, get());
    const exchange = await bed.reached(0);
    exchange.inform(103, ["link", "</a.css>", "content-length", "5"]);
    const hints = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n";
    await client.hears(hints);
    exchange.inform(102, []);
    exchange.respond(200, [], "hello");
    exchange.inform(103, []);
    await client.hears(`${hints}HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello`);
  });

  test("is not told to HTTP/1.0, nor behind the answer's beginning", async () => {
    await using bed = new FrontBed();
    using old = await Listener.to(bed.port, "GET / HTTP/1.0\r\n\r\n");
    const exchange = await bed.reached(0);
    exchange.inform(103, ["link", "</a.css>"]);
    exchange.respond(200, []);
    await old.hears("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    using client = await Listener.to(bed.port, get());
    const other = await bed.reached(1);
    other.begin(200, []);
    other.inform(103, []);
    other.end();
    await client.hears("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
  });

  test.each([100, 101, 200, 99])("of status %d is a defect", async (status) => {
    await using bed = new FrontBed();
    using _client = await Listener.to(bed.port, get());
    const exchange = await bed.reached(0);
    expect(() => exchange.inform(status, [])).toThrow(RangeError);
  });
});

describe("the trailers of a request", () => {
  async function trailersOf(lines: string): Promise<readonly string[] | undefined> {
    await using bed = new FrontBed();
    using _client = await Listener.to(bed.port, posted(`2\r\nhi\r\n0\r\n${lines}\r\n`, "Transfer-Encoding: chunked"));
    const body = new Collected();
    (await bed.reached(0)).read(body);
    expect([await body.ended, body.text]).toEqual(["whole", "hi"]);
    return body.trailers;
  }

  test("are told with the body's end, in their order", async () => {
    expect(await trailersOf("X-Sum: 1\r\nX-SUM:\t2 \r\nX-Empty:\r\n")).toEqual(["x-sum", "1", "x-sum", "2", "x-empty", ""]);
    expect(await trailersOf("")).toBeUndefined();
  });

  test("never are what would change the request behind its back", async () => {
    const forbidden = [
      "Content-Length: 1",
      "Transfer-Encoding: chunked",
      "Host: b",
      "Authorization: x",
      "Cookie: a=b",
      "Content-Type: text/html",
      "Connection: close",
      "X-Forwarded-For: 1.2.3.4",
      "Forwarded: for=1.2.3.4",
      "X-Request-Id: 1",
      "If-Match: x",
      "TE: trailers",
    ];
    expect(await trailersOf(forbidden.map((line) => `${line}\r\n`).join(""))).toBeUndefined();
  });

  test.each([
    ["too many", "A: b\r\n".repeat(101)],
    ["too long", `A: ${"b".repeat(16 * 1024)}\r\n`],
    ["no headers", "GET / HTTP/1.1\r\n"],
  ])("that are %s make the body malformed", async (_, lines) => {
    await using bed = new FrontBed();
    using _client = await Listener.to(bed.port, posted(`0\r\n${lines}\r\n`, "Transfer-Encoding: chunked"));
    const body = new Collected();
    (await bed.reached(0)).read(body);
    expect(await body.ended).toBe("malformed");
  });
});

describe("the trailers of an answer", () => {
  async function answerTo(request: string, answer: (exchange: FrontExchange) => void): Promise<Listener> {
    await using bed = new FrontBed();
    const client = await Listener.to(bed.port, request);
    answer(await bed.reached(0));
    await eventually("it is answered", () => client.text !== "" && bed.defects.length === 0);
    await bed.front.drain();
    client[Symbol.dispose]();
    return client;
  }

  const withTrailers =
    (headers: readonly string[] = []) =>
    (exchange: FrontExchange): void => {
      exchange.begin(200, headers);
      exchange.write(Buffer.from("hello"));
      exchange.end(["x-sum", "1", "content-length", "7", "x-more", "2"]);
    };

  test("come behind its chunks, where the client takes them", async () => {
    const { text } = await answerTo(get("TE: trailers", "Connection: TE, close"), withTrailers());
    expect(text).toEndWith("\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\nx-more: 2\r\n\r\n");
  });

  test.each([
    ["who does not take them", get("TE: gzip", "Connection: close"), [], "5\r\nhello\r\n0\r\n\r\n"],
    ["of an answer of a length", get("TE: trailers", "Connection: close"), ["content-length", "5"], "\r\n\r\nhello"],
    ["of HTTP/1.0", "GET / HTTP/1.0\r\nTE: trailers\r\n\r\n", [], "\r\n\r\nhello"],
    ["to HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\n\r\n", [], "connection: close\r\n\r\n"],
  ] as const)("are not told to one %s", async (_, request, headers, end) => {
    expect((await answerTo(request, withTrailers(headers))).text).toEndWith(end);
  });

  test("that would break the message are a defect", async () => {
    await using bed = new FrontBed();
    using _client = await Listener.to(bed.port, get("TE: trailers"));
    const exchange = await bed.reached(0);
    exchange.begin(200, []);
    expect(() => exchange.end(["x", "a\r\nset-cookie: b"])).toThrow(TypeError);
    exchange.end(["x", "a"]);
  });
});

describe("a client that waits to be told to go on", () => {
  test("waits until somebody reads, however long that takes, and is told once", async () => {
    await using bed = new FrontBed();
    using client = await Listener.to(bed.port, posted("", "Content-Length: 5", "Expect: 100-continue"));
    const exchange = await bed.reached(0);
    // A request on another connection comes and goes meanwhile.
    using other = await Listener.to(bed.port, get());
    (await bed.reached(1)).respond(204, []);
    await other.hears("HTTP/1.1 204 No Content\r\n\r\n");
    expect(client.text).toBe("");
    exchange.read(new Collected());
    exchange.pause();
    exchange.resume();
    await client.hears("HTTP/1.1 100 Continue\r\n\r\n");
  });

  test("is told hints first, where there are some", async () => {
    await using bed = new FrontBed();
    using client = await Listener.to(bed.port, posted("", "Content-Length: 5", "Expect: 100-continue"));
    const exchange = await bed.reached(0);
    exchange.inform(103, []);
    exchange.read(new Collected());
    await client.hears("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
  });
});

describe("whom a request comes from", () => {
  async function reached(request: string, trustedProxies?: readonly string[]): Promise<FrontExchange> {
    await using bed = new FrontBed(trustedProxies === undefined ? {} : { trustedProxies });
    using _client = await Listener.to(bed.port, request);
    return await bed.reached(0);
  }

  const claims = get(
    "X-Forwarded-For: 10.0.0.1, 192.0.2.7",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: shop.example",
    "X-Forwarded-User: root",
    "X-Real-IP: 10.0.0.1",
    "Forwarded: for=10.0.0.1",
    "B: c",
  );

  test("is the peer, whatever it claims; and nothing of its claims is seen", async () => {
    const exchange = await reached(claims);
    expect([exchange.client, exchange.proto, exchange.host]).toEqual(["127.0.0.1", "http", "a"]);
    expect([...exchange.headers]).toEqual(["host", "a", "b", "c"]);
    expect([exchange.get("x-forwarded-for"), exchange.get("forwarded"), exchange.get("x-real-ip")]).toEqual([null, null, null]);
    expect(exchange.forwarding.join(" ")).toBe(
      "forwarded for=127.0.0.1;host=a;proto=http x-forwarded-for 127.0.0.1 x-forwarded-proto http x-forwarded-host a",
    );
  });

  test("is whom a trusted proxy names, with what it says of scheme and host", async () => {
    const exchange = await reached(claims, ["127.0.0.0/8", "::1"]);
    expect([exchange.client, exchange.proto, exchange.host]).toEqual(["192.0.2.7", "https", "shop.example"]);
    expect([exchange.get("host"), exchange.get("x-forwarded-for"), exchange.get("x-forwarded-user"), exchange.get("x-real-ip")]).toEqual([
      "a",
      "192.0.2.7",
      "root",
      "10.0.0.1",
    ]);
    expect(exchange.forwarding.slice(0, 4).join(" ")).toBe(
      "forwarded for=192.0.2.7;host=shop.example;proto=https, for=127.0.0.1 x-forwarded-for 192.0.2.7, 127.0.0.1",
    );
  });

  test("is a trusted proxy itself where it names nobody", async () => {
    const exchange = await reached(get(), ["127.0.0.1"]);
    expect([exchange.client, exchange.proto, exchange.host, exchange.forwarding.length]).toEqual(["127.0.0.1", "http", "a", 8]);
  });

  test("is told of each request of a connection anew, and by the same list while it is the same", async () => {
    await using bed = new FrontBed({ trustedProxies: ["127.0.0.1"], handler: (exchange) => exchange.respond(204, []) });
    using _client = await Listener.to(
      bed.port,
      get() + get("X-Forwarded-For: 192.0.2.1") + get("X-Forwarded-For: 192.0.2.2") + get() + get().replace("Host: a", "Host: b"),
    );
    await bed.reached(4);
    expect(bed.exchanges.map(({ client, host }) => `${client} ${host}`)).toEqual([
      "127.0.0.1 a",
      "192.0.2.1 a",
      "192.0.2.2 a",
      "127.0.0.1 a",
      "127.0.0.1 b",
    ]);
    expect(bed.exchanges[3]?.forwarding).toBe(bed.exchanges[0]?.forwarding ?? []);
  });

  test("is nobody's to say where a trusted proxy is none: the front does not open", () => {
    const open = (): unknown => openHttpFront({ address: "127.0.0.1", port: 0, trustedProxies: ["10.0.0.0/40"] }, () => undefined);
    expect(open).toThrow('The trusted proxy "10.0.0.0/40" has a prefix length that is none: 0 to 32 can be');
  });
});
