/**
 * Requests that two servers could cut at different places, sent over raw sockets to a gateway before a daemon that keeps every byte:
 * what reaches it is exactly one well-formed request, or nothing. And replies that would be taken for someone else's.
 */
import { describe, expect, test } from "bun:test";
import { eventually } from "../../tests/eventually.ts";
import { connectRaw } from "../../tests/raw-http.ts";
import { ok, RawDaemon } from "../../tests/raw-daemon.ts";
import { ServiceBed } from "../../tests/service-bed.ts";

interface ParsedRequest {
  readonly line: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** As strictly as can be: whatever could be read in two ways throws. */
function parseRequests(bytes: string): ParsedRequest[] {
  const requests: ParsedRequest[] = [];
  let rest = bytes;
  while (rest !== "") {
    const end = rest.indexOf("\r\n\r\n");
    if (end < 0) throw new Error(`Half a head: ${JSON.stringify(rest)}`);
    const [line = "", ...lines] = rest.slice(0, end).split("\r\n");
    if (!/^[A-Z]+ [!-~]+ HTTP\/1\.1$/.test(line)) throw new Error(`No request line: ${JSON.stringify(line)}`);
    const headers = lines.map((one) => {
      const found = /^([!#$%&'*+\-.^_`|~0-9a-z]+): ([\t -~\x80-\xff]*)$/.exec(one);
      if (found === null) throw new Error(`No header: ${JSON.stringify(one)}`);
      return [found[1] ?? "", found[2] ?? ""] as const;
    });
    const all = (name: string): string[] => headers.filter(([key]) => key === name).map(([, value]) => value);
    if (all("host").length !== 1) throw new Error(`Not one host: ${all("host").join()}`);
    const framing = [...all("content-length"), ...all("transfer-encoding")];
    if (framing.length > 1) throw new Error(`Framed twice: ${framing.join()}`);
    rest = rest.slice(end + 4);
    const body = cutBody(rest, all("content-length")[0], all("transfer-encoding")[0]);
    rest = rest.slice(body.bytes);
    requests.push({ line, headers, body: body.text });
  }
  return requests;
}

function cutBody(rest: string, length: string | undefined, coding: string | undefined): { text: string; bytes: number } {
  if (coding !== undefined) {
    if (coding !== "chunked") throw new Error(`Coded as ${coding}`);
    const chunks = /^((?:[1-9a-f][0-9a-f]*\r\n[^]*?\r\n)*?)0\r\n((?:[!#$%&'*+\-.^_`|~0-9a-z]+: [^\r\n]*\r\n)*)\r\n/.exec(rest);
    if (chunks === null) throw new Error(`Half a body: ${JSON.stringify(rest)}`);
    return { text: chunks[1] ?? "", bytes: chunks[0].length };
  }
  const bytes = Number(length ?? 0);
  if (length !== undefined && !/^(0|[1-9]\d*)$/.test(length)) throw new Error(`A length of ${length}`);
  if (rest.length < bytes) throw new Error("Half a body");
  return { text: rest.slice(0, bytes), bytes };
}

const inner = "GET /smuggled HTTP/1.1\r\nHost: a\r\nX: ";
const chunkedInner = `0\r\n\r\n${inner}`;

/** Named after how a front and its back would differ. */
const shapes: readonly (readonly [name: string, request: string])[] = [
  ["CL.TE", `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${chunkedInner.length}\r\nTransfer-Encoding: chunked\r\n\r\n${chunkedInner}`],
  [
    "TE.CL",
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`,
  ],
  ...[
    "xchunked",
    "chunked, identity",
    "identity, chunked",
    "chunked, chunked",
    "chunked;x=1",
    '"chunked"',
    "\u000bchunked",
    "chunked\u0000",
    "chun\u00a0ked",
    "gzip, chunked",
    "identity",
    "",
  ].map((coding): [string, string] => [
    `TE.TE by ${JSON.stringify(coding)}`,
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ${coding}\r\nContent-Length: ${chunkedInner.length}\r\n\r\n${chunkedInner}`,
  ]),
  [
    "TE.TE by two lines",
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\nContent-Length: ${chunkedInner.length}\r\n\r\n${chunkedInner}`,
  ],
  [
    "TE.TE by a space before the colon",
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\nContent-Length: ${chunkedInner.length}\r\n\r\n${chunkedInner}`,
  ],
  [
    "TE.TE by a folded line",
    `POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n Transfer-Encoding: chunked\r\nContent-Length: ${chunkedInner.length}\r\n\r\n${chunkedInner}`,
  ],
  [
    "TE.TE by a bare line feed",
    `POST / HTTP/1.1\r\nHost: a\r\nX: y\nTransfer-Encoding: chunked\r\nContent-Length: ${chunkedInner.length}\r\n\r\n${chunkedInner}`,
  ],
  [
    "TE.TE by a bare carriage return",
    `POST / HTTP/1.1\r\nHost: a\r\nX: y\rTransfer-Encoding: chunked\r\nContent-Length: ${chunkedInner.length}\r\n\r\n${chunkedInner}`,
  ],
  ["TE in HTTP/1.0", `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunkedInner}`],
  [
    "TE named by Connection",
    `POST / HTTP/1.1\r\nHost: a\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n${chunkedInner}`,
  ],
  ["CL named by Connection", `POST / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`],
  ["CL.CL", `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`],
  ["CL.CL, the same", `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${inner.length}\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`],
  ["a list of CL", `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${inner.length}, 0\r\n\r\n${inner}`],
  ...["+38", "-1", "0x26", "38.0", "3 8", "3_8", "٣٨", "1e3", ""].map((length): [string, string] => [
    `a CL of ${JSON.stringify(length)}`,
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${inner}`,
  ]),
  ["GET with a body", `GET / HTTP/1.1\r\nHost: a\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`],
  ["HEAD with a body", `HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`],
  [
    "a body of an upgrade",
    `GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
  ],
  ...["1;\n", "1\n", "+1", "0x1", "1 ", " 1", "1\r", "g", "-1", "", "1\t", "00000000000000001", "fffffffffffffffff"].map(
    (size): [string, string] => [
      `a chunk of size ${JSON.stringify(size)}`,
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${size}\r\nx\r\n0\r\n\r\n`,
    ],
  ),
  ["a chunk longer than it says", `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n`],
  ["a chunk's end without CR", `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\n0\r\n\r\n`],
  [
    "a framing trailer",
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nContent-Length: 99\r\nHost: b\r\n\r\n`,
  ],
  [
    "a trailer that is none",
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n`,
  ],
  ["a request line with a line in it", "GET /\r\nX: GET /smuggled HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a target with a space", "GET / HTTP/1.1 GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["an absolute target elsewhere", "GET http://b/?x HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
  ["a host with a line in it", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"],
  ["NUL in a header", "GET / HTTP/1.1\r\nHost: a\r\nX: a\u0000b\r\n\r\n"],
  ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["HTTP/0.9", "GET /smuggled\r\n\r\n"],
];

describe("what reaches a daemon is one well-formed request or none", () => {
  test.each(shapes)("%s", async (_, request) => {
    using daemon = new RawDaemon((connection) => {
      if (isWhole(connection.received)) connection.send(ok("answered"));
    });
    await using bed = new ServiceBed([daemon.port]);
    const client = await connectRaw(bed.port);
    client.send(request);
    const answer = await client.response({ toHead: request.startsWith("HEAD") });
    client.drop();
    await bed.allGivenBack();
    const whole = daemon.connections.filter(({ received }) => isWhole(received));
    // One that was broken off in its body was never answered, and its connection is gone.
    for (const { received, isClosed } of daemon.connections) if (!isWhole(received)) expect(isClosed).toBe(true);
    for (const { received } of whole) {
      const requests = parseRequests(received);
      expect(requests).toHaveLength(1);
      expect(requests[0]?.line).not.toContain("smuggled");
    }
    expect(whole.length > 0 ? [200] : [400, 501, 505]).toContain(answer?.status ?? 0);
  });
});

function isWhole(received: string): boolean {
  try {
    return parseRequests(received).length > 0;
  } catch {
    return false;
  }
}

describe("a request behind another is one of its own", () => {
  test("however they are cut, each is answered in its turn", async () => {
    using daemon = new RawDaemon((connection) => {
      for (const { line, body } of parseRequests(connection.received)) connection.send(ok(`${line.split(" ")[1]} ${body}`));
      connection.received = "";
    });
    await using bed = new ServiceBed([daemon.port]);
    const bytes = `POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: a\r\n\r\nPOST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n`;
    for (const step of [1, 7, 50, bytes.length]) {
      using client = await bed.connect();
      for (let at = 0; at < bytes.length; at += step) {
        client.send(bytes.slice(at, at + step));
        if (step < 50) await new Promise((resolve) => setImmediate(resolve));
      }
      const answers = [await client.response(), await client.response(), await client.response(), await client.response()];
      expect(answers.map((answer) => answer?.body)).toEqual(["/1 abc", "/2 ", "/3 ", "/4 "]);
    }
    await bed.allGivenBack();
  });
});

describe("a reply that nobody asked for is nobody's", () => {
  const poison = ok("poison");

  test.each([
    ["behind a reply, in the same packet", `${ok("right")}${poison}`],
    ["behind a reply without a body", `HTTP/1.1 204 No Content\r\n\r\n${poison}`],
    ["behind a reply in chunks", `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nright\r\n0\r\n\r\n${poison}`],
    ["as the body of a 304", `HTTP/1.1 304 Not Modified\r\nContent-Length: ${poison.length}\r\n\r\n${poison}`],
  ])("%s", async (_, reply) => {
    let asked = 0;
    using daemon = new RawDaemon((connection) => connection.send(++asked === 1 ? reply : ok("right")));
    await using bed = new ServiceBed([daemon.port]);
    using client = await bed.connect();
    for (let turn = 0; turn < 3; turn++) {
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      expect((await client.response())?.body ?? "").not.toContain("poison");
    }
    await daemon.connections[0]?.closed();
    expect(daemon.connections).toHaveLength(2);
    await bed.allGivenBack();
  });

  test("a little later", async () => {
    using daemon = new RawDaemon((connection) => connection.send(ok("right")));
    await using bed = new ServiceBed([daemon.port]);
    using client = await bed.connect();
    const ask = async () => {
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      return (await client.response())?.body;
    };
    expect(await ask()).toBe("right");
    daemon.connections[0]?.send(poison);
    await daemon.connections[0]?.closed();
    expect(await ask()).toBe("right");
    expect(daemon.connections).toHaveLength(2);
  });

  test("with a body to HEAD", async () => {
    using daemon = new RawDaemon((connection) => connection.send(ok("poison")));
    await using bed = new ServiceBed([daemon.port]);
    using client = await bed.connect();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    expect((await client.response({ toHead: true }))?.status).toBe(200);
    await daemon.connections[0]?.closed();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    expect((await client.response())?.body).toBe("poison");
    expect(daemon.connections).toHaveLength(2);
  });

  test.each([
    ["a header with a line in it", "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n"],
    ["a folded header", "HTTP/1.1 200 OK\r\nX: a\r\n Set-Cookie: b\r\nContent-Length: 0\r\n\r\n"],
    ["a name with a space", "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"],
    ["no name", "HTTP/1.1 200 OK\r\n: 0\r\n\r\n"],
    ["a length in hexadecimal", "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello"],
    ["two lengths of a body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"],
    ["a status that is none", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"],
    ["HTTP/2", "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n"],
    ["interim answers without end", "HTTP/1.1 102 Processing\r\n\r\n".repeat(1000)],
    ["a head without end", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(200_000)}`],
    ["headers without end", `HTTP/1.1 200 OK\r\n${"X: y\r\n".repeat(20_000)}`],
  ])("and what is none is not passed on: %s", async (_, reply) => {
    using daemon = new RawDaemon((connection) => connection.send(reply));
    await using bed = new ServiceBed([daemon.port]);
    using client = await bed.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = await client.response();
    while (response?.status === 102) response = await client.response();
    expect(response?.status).toBe(502);
    expect(response?.headers.get("x-urocket-error")).toBe("bad-reply");
    expect(response?.headers.get("set-cookie")).toBeNull();
    await eventually("the connection is closed", () => daemon.connections[0]?.isClosed);
    await bed.allGivenBack();
  });
});
