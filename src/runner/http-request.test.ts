import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { headBytesMax, headerCountMax, type RequestHead, type RequestPart, RequestReader } from "./http-request.ts";

/** Everything that a reader makes of some pieces, with body parts joined. */
function read(pieces: readonly (string | Uint8Array)[]): {
  heads: RequestHead[];
  bodies: string[];
  refused: string | undefined;
  ends: number;
} {
  const reader = new RequestReader();
  const result = { heads: [] as RequestHead[], bodies: [] as string[], refused: undefined as string | undefined, ends: 0 };
  for (const piece of pieces) {
    reader.push(typeof piece === "string" ? Buffer.from(piece, "latin1") : piece);
    for (let part = reader.next(); part !== undefined; part = reader.next()) add(result, part);
  }
  return result;
}

function add(result: ReturnType<typeof read>, part: RequestPart): void {
  if (part.kind === "head") {
    result.heads.push(part.head);
    result.bodies.push("");
  } else if (part.kind === "body") {
    result.bodies[result.bodies.length - 1] += Buffer.from(part.bytes).toString("latin1");
  } else if (part.kind === "end") {
    result.ends++;
  } else {
    result.refused = `${part.status} ${part.reason}`;
  }
}

const post = (headers: string, body = ""): string => `POST /uri/x HTTP/1.1\r\nHost: h\r\n${headers}\r\n${body}`;

describe("taken", () => {
  test("a body by Content-Length", () => {
    const { heads, bodies, ends } = read([post("Content-Length: 5\r\n", "hello")]);
    expect(heads[0]).toMatchObject({ method: "POST", target: "/uri/x", host: "h", bodyBytes: 5, keepAlive: true });
    expect(bodies).toEqual(["hello"]);
    expect(ends).toBe(1);
  });

  test("a chunked body with extensions and trailers, which are dropped", () => {
    const { bodies, ends } = read([post("Transfer-Encoding: Chunked\r\n", "5;a=b\r\nhello\r\nA \r\n0123456789\r\n0\r\nX: y\r\n\r\n")]);
    expect(bodies).toEqual(["hello0123456789"]);
    expect(ends).toBe(1);
  });

  test("a request without a body, and two pipelined ones", () => {
    const { heads, bodies, ends } = read([
      `GET /a HTTP/1.1\r\nHost: h\r\n\r\n${post("Content-Length: 1\r\n", "x")}GET /b HTTP/1.1\r\nHost: h\r\n\r\n`,
    ]);
    expect(heads.map((head) => head.target)).toEqual(["/a", "/uri/x", "/b"]);
    expect(bodies).toEqual(["", "x", ""]);
    expect(ends).toBe(3);
  });

  test("empty lines before the request line", () => {
    expect(read(["\r\n\r\n", post("Content-Length: 0\r\n")]).ends).toBe(1);
  });

  test("the absolute form, and a target that curl makes of http:/uri/x", () => {
    expect(read(["POST http://localhost/uri/x HTTP/1.1\r\nHost: localhost\r\n\r\n"]).heads[0]?.target).toBe("http://localhost/uri/x");
    expect(read(["POST /x HTTP/1.1\r\nHost: uri\r\n\r\n"]).heads[0]?.host).toBe("uri");
  });

  test("HTTP/1.0 without Host, which closes unless it asks to be kept", () => {
    expect(read(["POST /x HTTP/1.0\r\n\r\n"]).heads[0]?.keepAlive).toBe(false);
    expect(read(["POST /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"]).heads[0]?.keepAlive).toBe(true);
    expect(read([post("Connection: x, Close\r\n")]).heads[0]?.keepAlive).toBe(false);
  });

  test("Expect: 100-continue", () => {
    expect(read([post("Expect: 100-Continue\r\nContent-Length: 2000000\r\n")]).heads[0]?.expectsContinue).toBe(true);
  });

  test("values in latin-1, with blanks around them trimmed", () => {
    expect(read([post("X-Name:\t caf\xe9 \t\r\n")]).heads[0]?.headers).toContainEqual(["x-name", "caf\xe9"]);
  });
});

describe("refused", () => {
  const shapes: [string, string, string][] = [
    ["two Content-Lengths", post("Content-Length: 1\r\nContent-Length: 1\r\n", "x"), "400 there are two Content-Length"],
    ["a list as Content-Length", post("Content-Length: 1, 1\r\n", "x"), "400 Content-Length is not"],
    ["a signed Content-Length", post("Content-Length: +1\r\n", "x"), "400 Content-Length is not"],
    ["a hexadecimal Content-Length", post("Content-Length: 0x1\r\n", "x"), "400 Content-Length is not"],
    ["both framings", post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400 there are both"],
    ["two Transfer-Encodings", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "400 there are two Transfer-Encoding"],
    ["an unknown coding", post("Transfer-Encoding: gzip, chunked\r\n"), "501 Transfer-Encoding"],
    ["a coding with a trick", post("Transfer-Encoding: xchunked\r\n"), "501 Transfer-Encoding"],
    ["Transfer-Encoding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400 Transfer-Encoding needs"],
    ["a space before the colon", post("Content-Length : 1\r\n", "x"), "400 a header line"],
    ["a folded header", post("X: a\r\n b\r\n"), "400 a header line"],
    ["a header without a colon", post("nonsense\r\n"), "400 a header line"],
    ["a bare line feed in a header", post("X: a\nContent-Length: 5\r\n"), "400 the value"],
    ["a bare carriage return in a header", post("X: a\rb\r\n"), "400 the value"],
    ["a NUL in a header", post("X: a\0b\r\n"), "400 the value"],
    ["no Host", "POST / HTTP/1.1\r\n\r\n", "400 there is no Host"],
    ["two Hosts", post("Host: i\r\n"), "400 there are two Host"],
    ["a target with a space", "POST /a b HTTP/1.1\r\nHost: h\r\n\r\n", "400 the request line"],
    ["HTTP/0.9", "GET /\r\n\r\n", "400 the request line"],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\n", "505 HTTP/2.0"],
    ["a chunk size that is no number", post("Transfer-Encoding: chunked\r\n", "-1\r\n"), "400 a chunk's size"],
    ["a chunk size with 0x", post("Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n"), "400 a chunk's size"],
    ["a chunk size line with a bare line feed", post("Transfer-Encoding: chunked\r\n", "5\nhello\r\n"), "400 a chunk's size"],
    ["a chunk longer than its size", post("Transfer-Encoding: chunked\r\n", "2\r\nhello\r\n"), "400 a chunk is longer"],
    ["a chunk size without end", post("Transfer-Encoding: chunked\r\n", "0".repeat(300)), "400 a chunk's size"],
    ["a head that is too long", post(`X: ${"a".repeat(headBytesMax)}\r\n`), "431 the request line"],
    ["a head without end", "P".repeat(headBytesMax + 1), "431 the request line"],
    ["too many headers", post("X: a\r\n".repeat(headerCountMax)), "431 there are more than"],
    ["endless trailers", post("Transfer-Encoding: chunked\r\n", `0\r\n${"X: abcdefgh\r\n".repeat(1000)}`), "431 the trailers"],
  ];
  test.each(shapes)("%s", (_, text, refusal) => {
    expect(read([text]).refused).toStartWith(refusal);
  });
});

test("how the bytes are cut into chunks makes no difference", () => {
  const body = fc.uint8Array({ maxLength: 300 });
  const request = fc.tuple(body, fc.boolean(), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 }));
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 3 }), fc.array(fc.nat({ max: 2000 }), { maxLength: 30 }), (requests, cuts) => {
      const whole = Buffer.concat(requests.map(([bytes, chunked, sizes]) => encode(Buffer.from(bytes), chunked, sizes)));
      const pieces: Buffer[] = [];
      let from = 0;
      for (const cut of [...new Set(cuts)].toSorted((a, b) => a - b).filter((at) => at < whole.length)) {
        pieces.push(whole.subarray(from, cut));
        from = cut;
      }
      pieces.push(whole.subarray(from));
      const { bodies, ends, refused } = read(pieces);
      expect(refused).toBeUndefined();
      expect(ends).toBe(requests.length);
      expect(bodies).toEqual(requests.map(([bytes]) => Buffer.from(bytes).toString("latin1")));
    }),
  );
});

function encode(body: Buffer, chunked: boolean, sizes: readonly number[]): Buffer<ArrayBuffer> {
  if (!chunked) return Buffer.concat([Buffer.from(post(`Content-Length: ${body.length}\r\n`)), body]);
  const parts: Buffer[] = [Buffer.from(post("Transfer-Encoding: chunked\r\n"))];
  for (let at = 0, n = 0; at < body.length; n++) {
    const piece = body.subarray(at, at + (sizes[n % sizes.length] ?? 1));
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
    at += piece.length;
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

test("arbitrary bytes are refused or waited for, and never thrown at", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (pieces) => {
      const reader = new RequestReader();
      for (const piece of pieces) {
        reader.push(piece);
        for (let part = reader.next(); part !== undefined; part = reader.next()) expect(part.kind).toBe("refused");
      }
    }),
  );
});
