import { describe, expect, test } from "bun:test";
import { countLines, LineCutter } from "./line-cutter.ts";

/** What a cutter with a limit of 8 bytes makes of chunks, and of their end. */
function cut(...chunks: readonly string[]): { readonly lines: string[]; readonly count: number; readonly tooLong: boolean } {
  const cutter = new LineCutter(8);
  let text = "";
  let count = 0;
  for (const chunk of chunks) {
    if (cutter.tooLong) break;
    text += cutter.push(Buffer.from(chunk))?.toString() ?? "";
    count += cutter.lines;
  }
  if (!cutter.tooLong) {
    text += cutter.end()?.toString() ?? "";
    count += cutter.lines;
  }
  return { lines: text.split("\n").slice(0, -1), count, tooLong: cutter.tooLong };
}

describe("LineCutter", () => {
  test("hands lines on wherever the stream is split", () => {
    const stream = "1\n\n22\r\n333\n\r\n4444\n55555555\nend";
    const lines = ["1", "", "22\r", "333", "\r", "4444", "55555555", "end"];
    for (let first = 0; first <= stream.length; first++) {
      for (let second = first; second <= stream.length; second++) {
        const chunks = [stream.slice(0, first), stream.slice(first, second), stream.slice(second)];
        expect(cut(...chunks)).toEqual({ lines, count: lines.length, tooLong: false });
      }
    }
    expect(cut(...stream.split(""))).toEqual({ lines, count: lines.length, tooLong: false });
  });

  test("does not copy lines that came whole", () => {
    const chunk = Buffer.from("1\n2\n");
    expect(new LineCutter(8).push(chunk)).toBe(chunk);
  });

  test("does not keep a large chunk alive for the small piece that is left of it", () => {
    const cutter = new LineCutter(8);
    const chunk = Buffer.from("1\n23");
    cutter.push(chunk);
    chunk.fill(120);
    expect(cutter.push(Buffer.from("\n"))?.toString()).toBe("23\n");
  });

  test.each([
    ["12345678\n", false],
    ["12345678\r\n", false],
    ["123456789\n", true],
    ["123456789\r\n", true],
    ["12345678", false],
    ["123456789", true],
  ])("takes a line of as many bytes as may be, without its end: %j", (line, tooLong) => {
    expect(cut(line).tooLong).toBe(tooLong);
    expect(cut(...line.split("")).tooLong).toBe(tooLong);
  });

  test("returns the lines before one that is too long, and nothing behind it", () => {
    expect(cut("1\n2\n123456789\n3\n")).toEqual({ lines: ["1", "2"], count: 2, tooLong: true });
    expect(cut("1\n2\n1234", "56789", "\n3\n")).toEqual({ lines: ["1", "2"], count: 2, tooLong: true });
    expect(cut("1\n123456789")).toEqual({ lines: ["1"], count: 1, tooLong: true });
    expect(cut("123456789\n1\n")).toEqual({ lines: [], count: 0, tooLong: true });
  });

  test("knows whether a line has begun", () => {
    const cutter = new LineCutter(8);
    expect(cutter.isWithinLine).toBe(false);
    cutter.push(Buffer.from("1\n2"));
    expect(cutter.isWithinLine).toBe(true);
    cutter.push(Buffer.from("\n"));
    expect(cutter.isWithinLine).toBe(false);
  });
});

test("countLines counts ends of lines", () => {
  expect(countLines(Buffer.from("a\n\nb\nc"))).toBe(3);
  expect(countLines(Buffer.alloc(0))).toBe(0);
});
