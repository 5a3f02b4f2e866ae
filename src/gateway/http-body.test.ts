import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { cutterOf } from "./http-body.ts";
import type { Framing } from "./http-framing.ts";

interface Cut {
  readonly body: string;
  readonly state: string;
  /** What is not of the body. */
  readonly rest: string;
}

function cut(framing: Framing, parts: readonly string[]): Cut {
  const cutter = cutterOf(framing);
  let body = "";
  let rest = "";
  for (const part of parts) {
    const bytes = Buffer.from(part, "latin1");
    let at = 0;
    while (cutter.state === "open" && at < bytes.length) {
      body += cutter.next(bytes, at)?.toString("latin1") ?? "";
      at = cutter.at;
    }
    rest += bytes.toString("latin1", at);
  }
  return { body, state: cutter.state, rest };
}

const inBytes = (text: string): readonly string[] => Array.from(text);

describe("a body of a known length", () => {
  test("ends after so many bytes, however they come", () => {
    for (const parts of [["helloGET"], ["he", "llo", "GET"], inBytes("helloGET")]) {
      expect(cut(5, parts)).toEqual({ body: "hello", state: "whole", rest: "GET" });
    }
  });

  test("of no bytes is whole at once", () => {
    expect(cutterOf(0).state).toBe("whole");
  });

  test("tells what is missing", () => {
    const cutter = cutterOf(5);
    cutter.next(Buffer.from("he"), 0);
    expect([cutter.state, cutter.announcedBytes]).toEqual(["open", 3]);
  });
});

describe("a chunked body", () => {
  test.each([
    ["5\r\nhello\r\n0\r\n\r\nGET", "hello", "GET"],
    ["0\r\n\r\n", "", ""],
    ["005\r\nhello\r\n000\r\n\r\n", "hello", ""],
    ["A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", ""],
    ['5;a=b;c="d \xe9"\r\nhello\r\n0;x\r\n\r\n', "hello", ""],
    ["5\r\n\r\n\r\n0\r\n0\r\n\r\nGET", undefined, undefined],
    ["2\r\n\r\n\r\n0\r\n\r\nGET", "\r\n", "GET"],
    ["1\r\nx\r\n0\r\nTrailer: y\r\nOther:\r\n\r\nGET", "x", "GET"],
  ])("%p is cut the same whole and byte by byte", (text, body, rest) => {
    const whole = cut("chunked", [text]);
    expect(cut("chunked", inBytes(text))).toEqual(whole);
    if (body !== undefined) expect(whole).toEqual({ body, state: "whole", rest: rest ?? "" });
  });

  test.each([
    ["a size that is none", "x\r\n"],
    ["no size", "\r\n"],
    ["a sign", "+5\r\nhello\r\n"],
    ["a prefix", "0x5\r\nhello\r\n"],
    ["a space before the size", " 5\r\nhello\r\n"],
    ["a space after the size", "5 \r\nhello\r\n"],
    ["an underscore", "5_0\r\n"],
    ["a bare line feed after the size", "5\nhello\r\n0\r\n\r\n"],
    ["a bare carriage return after the size", "5\rhello"],
    ["a bare line feed in an extension", "5;a\nhello\r\n0\r\n\r\n"],
    ["a NUL in an extension", "5;a\0\r\n"],
    ["a chunk longer than its size", "4\r\nhello\r\n0\r\n\r\n"],
    ["a chunk shorter than its size", "6\r\nhello\r\n0\r\n\r\n"],
    ["a bare line feed after the data", "5\r\nhello\n0\r\n\r\n"],
    ["seventeen digits", "00000000000000005\r\n"],
    ["a size beyond what is exact", "20000000000000\r\n"],
    ["a size that would wrap at 64 bits", "10000000000000005\r\nhello"],
    ["an extension that is too long", `5;${"x".repeat(300)}\r\n`],
    ["a bare line feed for the last line", "0\r\n\n"],
    ["a trailer without a name", "0\r\n: x\r\n\r\n"],
    ["a trailer without a colon", "0\r\nGET / HTTP/1.1\r\n\r\n"],
    ["a folded trailer", "0\r\nX: a\r\n b\r\n\r\n"],
    ["a bare line feed in a trailer", "0\r\nX: a\nY: b\r\n\r\n"],
    ["a NUL in a trailer", "0\r\nX: \0\r\n\r\n"],
    ["trailers that are too long", `0\r\n${"X: yyyyyyyyyyyy\r\n".repeat(1024)}\r\n`],
    ["tiny chunks with extensions", `1;${"x".repeat(200)}\r\na\r\n`.repeat(100)],
  ])("with %s is malformed, whole and byte by byte", (_, text) => {
    expect(cut("chunked", [text]).state).toBe("malformed");
    expect(cut("chunked", inBytes(text)).state).toBe("malformed");
  });

  test("of many tiny chunks that came together is one piece", () => {
    const bytes = Buffer.from(`${"1\r\na\r\n".repeat(1000)}0\r\n\r\nGET`);
    const cutter = cutterOf("chunked");
    expect(cutter.next(bytes, 0)?.toString()).toBe("a".repeat(1000));
    expect([cutter.state, bytes.toString("latin1", cutter.at)]).toEqual(["whole", "GET"]);
  });

  test("of many tiny chunks is fine", () => {
    expect(cut("chunked", [`${"1\r\na\r\n".repeat(100_000)}0\r\n\r\n`]).state).toBe("whole");
  });

  test("is what it was made of, however it was cut and however it came", () => {
    const pieces = fc.array(
      fc.string({ minLength: 1, maxLength: 40, unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) }),
    );
    fc.assert(
      fc.property(pieces, fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (chunks, steps) => {
        const text = `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("")}0\r\n\r\nNEXT`;
        const parts: string[] = [];
        for (let at = 0, step = 0; at < text.length; step++) {
          const length = steps[step % steps.length] ?? 1;
          parts.push(text.slice(at, at + length));
          at += length;
        }
        expect(cut("chunked", parts)).toEqual({ body: chunks.join(""), state: "whole", rest: "NEXT" });
      }),
    );
  });

  test("that was damaged never crashes the reader, and is judged the same byte by byte", () => {
    const damage = fc.array(fc.tuple(fc.nat(200), fc.constantFrom("\r", "\n", "0", "f", ";", ":", "\0", " ")), { maxLength: 4 });
    fc.assert(
      fc.property(damage, (edits) => {
        let text = "5;a=b\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX-Trailer: y\r\n\r\nGET / HTTP/1.1\r\n";
        for (const [at, adds] of edits) text = text.slice(0, at % text.length) + adds + text.slice((at % text.length) + 1);
        expect(cut("chunked", inBytes(text))).toEqual(cut("chunked", [text]));
      }),
      { numRuns: 2_000 },
    );
  });
});
