import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseHead, type RefusedHead, type RequestHead } from "./http-head.ts";
import { headBytesMax, headerLinesMax, targetBytesMax } from "./http-limits.ts";
import { problemStatus } from "./problem.ts";

function parse(text: string): RequestHead | RefusedHead | undefined {
  return parseHead(Buffer.from(text, "latin1"), 0);
}

function accepted(text: string): RequestHead {
  const head = parse(text);
  if (head === undefined || "refusal" in head) throw new Error(`refused: ${JSON.stringify(head)}`);
  return head;
}

/** The status that it is answered with. */
function refused(text: string): number {
  const head = parse(text);
  if (head === undefined || !("refusal" in head)) throw new Error(`not refused: ${JSON.stringify(head)}`);
  return problemStatus[head.refusal.kind];
}

const get = (...lines: string[]): string => `GET / HTTP/1.1\r\n${["Host: a", ...lines].map((line) => `${line}\r\n`).join("")}\r\n`;

describe("a request's head", () => {
  test("is read with its names in lower case, its values trimmed, in the order in which they came", () => {
    const text =
      "POST /pets?limit=1 HTTP/1.1\r\nHost: example.test:8080\r\nX-Twice: a\r\nx-TWICE:\t b \t\r\nX-Empty:\r\nX-Odd: \xe9\tx\r\n\r\nrest";
    expect(accepted(text)).toEqual({
      method: "POST",
      target: "/pets?limit=1",
      host: "example.test:8080",
      headers: ["host", "example.test:8080", "x-twice", "a", "x-twice", "b", "x-empty", "", "x-odd", "\xe9\tx"],
      framing: 0,
      isHttp10: false,
      isLast: false,
      expectsContinue: false,
      upgrade: undefined,
      isForwarded: false,
      end: text.length - "rest".length,
    });
  });

  test("may start anywhere in the bytes", () => {
    const text = `rubbish${get()}`;
    expect(parseHead(Buffer.from(text), 7)).toMatchObject({ target: "/", end: text.length });
  });

  test("may follow one empty line, and no more", () => {
    expect(accepted(`\r\n${get()}`).method).toBe("GET");
    expect(refused(`\r\n\r\n${get()}`)).toBe(400);
    expect(refused(`\n${get()}`)).toBe(400);
  });

  test.each([
    ["a bare line feed", "GET / HTTP/1.1\nHost: a\n\n", 400],
    ["a bare line feed after a header", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400],
    ["a bare carriage return", "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400],
    ["a line feed that ends the headers", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400],
    ["a NUL in a value", get("X: a\0b"), 400],
    ["a vertical tab in a value", get("X: a\x0bb"), 400],
    ["a DEL in a value", get("X: a\x7fb"), 400],
    ["a NUL in a name", get("X\0: a"), 400],
    ["a space before the colon", get("X : a"), 400],
    ["a tab before the colon", get("X\t: a"), 400],
    ["no name", get(": a"), 400],
    ["no colon", get("X"), 400],
    ["a name that is no token", get("X(): a"), 400],
    ["a folded line", get("X: a", " b"), 400],
    ["a folded first line", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400],
    ["white space in the request line", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["a tab in the request line", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["a space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400],
    ["a space before the method", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["a method that is no token", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["a method that is too long", `${"G".repeat(33)} / HTTP/1.1\r\nHost: a\r\n\r\n`, 501],
    ["CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501],
    ["no version", "GET /\r\n\r\n", 400],
    ["a version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", 400],
    ["a version without a minor one", "GET / HTTP/1\r\nHost: a\r\n\r\n", 400],
    ["a version of two digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400],
    ["HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505],
    ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
    ["HTTP/0.9 by another name", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505],
    ["a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
    ["no target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["a target that is no path", "GET pets HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["a NUL in the target", "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["a byte beyond ASCII in the target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["another scheme", "GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["a user in the authority", "GET http://u@a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["a backslash in its path", "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["an empty authority", "GET http:///b HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["an authority alone", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["* for another verb than OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["an expectation that is not known", get("Expect: 200-ok"), 417],
  ])("with %s is refused", (_, text, status) => {
    expect(refused(text)).toBe(status);
  });

  test("tells what could be read of it, for the log", () => {
    expect(parse("DELETE /pets/1 HTTP/1.1\r\nHost : a\r\n\r\n")).toMatchObject({ method: "DELETE", target: "/pets/1" });
    expect(parse("DELETE /pets 1 HTTP/1.1\r\n\r\n")).toMatchObject({ method: "DELETE", target: "/pets" });
    expect(parse("\x16\x03\x01")).not.toHaveProperty("method");
  });

  test("of a higher minor version is HTTP/1.1", () => {
    expect(accepted("GET / HTTP/1.9\r\nHost: a\r\n\r\n")).toMatchObject({ isHttp10: false, isLast: false });
  });
});

describe("the Host", () => {
  test.each(["localhost", "a.example:80", "127.0.0.1:8080", "[::1]", "[::1]:8080", "a_b"])("%s is one", (host) => {
    expect(accepted(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`).host).toBe(host);
  });

  test.each(["", "a b", "a/b", "user@a", "a\\b", "a?b", "a#b", "a:b", "a:123456", "[::1", "a,b", "\xe9"])("%p is none", (host) => {
    expect(refused(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).toBe(400);
  });

  test("must be there once, in whichever case; HTTP/1.0 does without", () => {
    expect(refused("GET / HTTP/1.1\r\n\r\n")).toBe(400);
    expect(refused("GET / HTTP/1.1\r\nHost: a\r\nhOST: a\r\n\r\n")).toBe(400);
    expect(accepted("GET / HTTP/1.0\r\n\r\n").host).toBeUndefined();
    expect(refused("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n")).toBe(400);
  });

  test("is the authority of an absolute target, where there is one; a Host header is asked for all the same", () => {
    expect(accepted("GET http://b:81/c HTTP/1.1\r\nHost: a\r\n\r\n")).toMatchObject({ host: "b:81", target: "/c" });
    expect(accepted("GET http://b:81/c HTTP/1.1\r\nA: a\r\nHost: a\r\n\r\n").headers).toEqual(["a", "a", "host", "b:81"]);
    expect(refused("GET http://b/c HTTP/1.1\r\n\r\n")).toBe(400);
  });
});

describe("what a head says of its body and its connection", () => {
  const framing = (...lines: string[]): unknown => {
    const head = parse(`POST / HTTP/1.1\r\n${["Host: a", ...lines].map((line) => `${line}\r\n`).join("")}\r\n`);
    return head !== undefined && "refusal" in head ? problemStatus[head.refusal.kind] : (head as RequestHead).framing;
  };

  test.each([
    [["Content-Length: 5"], 5],
    [["Content-Length: 0"], 0],
    [["content-LENGTH:\t007 "], 7],
    [["Content-Length: 9007199254740991"], Number.MAX_SAFE_INTEGER],
    [["Transfer-Encoding: chunked"], "chunked"],
    [["tRANSFER-eNCODING: Chunked"], "chunked"],
    [["Transfer-Encoding: \tchunked\t"], "chunked"],
    [[], 0],
  ])("%j is read", (lines, expected) => {
    expect(framing(...lines)).toBe(expected);
  });

  test.each([
    [["Content-Length: 5", "Transfer-Encoding: chunked"], 400],
    [["Transfer-Encoding: chunked", "Content-Length: 0"], 400],
    [["Content-Length: 5", "Transfer-Encoding: identity"], 400],
    [["Content-Length: 5", "Content-Length: 6"], 400],
    [["Content-Length: 5", "content-length: 5"], 400],
    [["Content-Length: 5, 5"], 400],
    [["Content-Length: 5,6"], 400],
    [["Content-Length: -1"], 400],
    [["Content-Length: +1"], 400],
    [["Content-Length: 1e3"], 400],
    [["Content-Length: 0x10"], 400],
    [["Content-Length: 1 2"], 400],
    [["Content-Length: 1.0"], 400],
    [["Content-Length:"], 400],
    [["Content-Length: 9007199254740992"], 400],
    [["Content-Length: 18446744073709551617"], 400],
    [["Content-Length: \xb2"], 400],
    [["Transfer-Encoding: xchunked"], 400],
    [["Transfer-Encoding: chunkedx"], 400],
    [["Transfer-Encoding: \x0bchunked"], 400],
    [["Transfer-Encoding: chunked\x0b"], 400],
    [["Transfer-Encoding : chunked"], 400],
    [["Transfer-Encoding\t: chunked"], 400],
    [["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], 400],
    [["Transfer-Encoding: identity", "Transfer-Encoding: chunked"], 501],
    [["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], 400],
    [["Transfer-Encoding: chunked, chunked"], 400],
    [["Transfer-Encoding: chunked, identity"], 400],
    [["Transfer-Encoding: gzip, chunked"], 501],
    [["Transfer-Encoding: , chunked"], 400],
    [["Transfer-Encoding: chunked,"], 400],
    [['Transfer-Encoding: "chunked"'], 400],
    [["Transfer-Encoding: chunked;q=1"], 400],
    [["Transfer-Encoding:"], 400],
    [["Transfer-Encoding:", " chunked"], 400],
    [["X: a\nTransfer-Encoding: chunked"], 400],
  ])("%j is refused with %d", (lines, status) => {
    expect(framing(...lines)).toBe(status);
  });

  test("HTTP/1.0 has no transfer codings", () => {
    expect(refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")).toBe(400);
  });

  test.each([
    ["1.1", [], false],
    ["1.1", ["Connection: close"], true],
    ["1.1", ["Connection: keep-alive, CLOSE"], true],
    ["1.1", ["Connection: x", "Connection: close"], true],
    ["1.1", ["Connection: closed"], false],
    ["1.0", [], true],
    ["1.0", ["Connection: Keep-Alive"], false],
    ["1.0", ["Connection: keep-alive, close"], true],
  ])("HTTP/%s with %j: the connection ends, %p", (version, lines, isLast) => {
    expect(accepted(`GET / HTTP/${version}\r\n${["Host: a", ...lines].join("\r\n")}\r\n\r\n`).isLast).toBe(isLast);
  });

  test.each([
    ["1.1", ["Content-Length: 1", "Expect: 100-Continue"], true],
    ["1.1", ["Expect: 100-continue"], false],
    ["1.0", ["Content-Length: 1", "Expect: 100-continue"], false],
  ])("HTTP/%s with %j: waits to be told to go on, %p", (version, lines, expects) => {
    expect(accepted(`POST / HTTP/${version}\r\n${["Host: a", ...lines].join("\r\n")}\r\n\r\n`).expectsContinue).toBe(expects);
  });
});

describe("the limits of a head", () => {
  const ofBytes = (bytes: number): string => get(`X: ${"x".repeat(bytes - get("X: ").length)}`);

  test(`are ${headBytesMax} bytes`, () => {
    expect(accepted(ofBytes(headBytesMax)).end).toBe(headBytesMax);
    expect(refused(ofBytes(headBytesMax + 1))).toBe(431);
    expect(parse(ofBytes(headBytesMax + 1).slice(0, headBytesMax - 1))).toBeUndefined();
    expect(refused(ofBytes(headBytesMax + 1).slice(0, headBytesMax))).toBe(431);
  });

  test(`are ${headerLinesMax} headers`, () => {
    const lines = Array.from({ length: headerLinesMax - 1 }, (_, index) => `X-${index}: a`);
    expect(accepted(get(...lines)).headers).toHaveLength(headerLinesMax * 2);
    expect(refused(get(...lines, "X: a"))).toBe(431);
  });

  test(`are ${targetBytesMax} bytes of the target`, () => {
    const target = `/${"x".repeat(targetBytesMax - 1)}`;
    expect(accepted(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`).target).toBe(target);
    expect(refused(`GET ${target}x`)).toBe(414);
  });
});

describe("whatever the bytes", () => {
  const valid = fc.constantFrom(
    get(),
    get("Content-Length: 5", "Connection: keep-alive"),
    get("Transfer-Encoding: chunked", "X-Y: \xe9 z"),
    "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
    "PUT http://b/../c%2e/./%2E%2e?d HTTP/1.0\r\nHost: a\r\nAccept: */*\r\n\r\n",
  );
  const odd = fc.constantFrom(
    "\r",
    "\n",
    "\r\n",
    " ",
    "\t",
    ":",
    "\0",
    "#",
    "/",
    "\x80",
    "HTTP/1.1",
    "Content-Length: 1\r\n",
    "Host: b\r\n",
    ",",
  );
  const edit = fc.record({ at: fc.nat(400), drops: fc.nat(3), adds: odd });
  /** A valid head, damaged in a few places. */
  const damaged = fc.tuple(valid, fc.array(edit, { maxLength: 3 })).map(([text, edits]) => {
    let result = text;
    for (const { at, drops, adds } of edits) {
      const place = at % (result.length + 1);
      result = result.slice(0, place) + adds + result.slice(place + drops);
    }
    return result;
  });
  const anything = fc.oneof(
    damaged,
    fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
  );

  test("it does not matter where they came apart: what is known of a part stays true of the whole", () => {
    fc.assert(
      fc.property(anything, (text) => {
        const bytes = Buffer.from(text, "latin1");
        const whole = parseHead(bytes, 0);
        let known: unknown;
        for (let length = 1; length <= bytes.length && known === undefined; length++) known = parseHead(bytes.subarray(0, length), 0);
        expect(known).toEqual(whole);
      }),
      { numRuns: 2_000 },
    );
  });

  test("what is accepted is a head by the grammar, and the framing that its lines say", () => {
    const grammar =
      /^(?:\r\n)?([!#$%&'*+\-.^_`|~\w]{1,32}) ([\x21\x22\x24-\x7e]+) HTTP\/1\.\d\r\n((?:[!#$%&'*+\-.^_`|~\w]+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n$/;
    fc.assert(
      fc.property(anything, (text) => {
        const head = parse(text);
        if (head === undefined || "refusal" in head) return;
        const [, method, , lines = ""] = grammar.exec(text.slice(0, head.end)) ?? [];
        expect(method).toBe(head.method);
        const values = (name: string): string[] =>
          lines
            .split("\r\n")
            .filter((line) => line.toLowerCase().startsWith(`${name}:`))
            .map((line) => line.slice(name.length + 1).trim());
        const [codings, lengths] = [values("transfer-encoding"), values("content-length")];
        expect(codings.length + lengths.length).toBeLessThanOrEqual(1);
        expect(head.framing === "chunked").toBe(codings.length === 1);
        if (lengths.length === 1) expect(head.framing).toBe(Number(lengths[0]));
        expect(values("host").length).toBeLessThanOrEqual(1);
        expect(head.target).not.toMatch(/^[^?]*\/(?:\.|%2e){1,2}(?:[/?]|$)/i);
      }),
      { numRuns: 5_000 },
    );
  });
});
