import { expect, test } from "bun:test";
import fc from "fast-check";
import { lineBytesMax, OutputLines } from "./output-lines.ts";

function cut(pieces: readonly (string | Uint8Array)[], take = true) {
  const lines: { text: string; cut: boolean }[] = [];
  const output = new OutputLines((line, wasCut) => {
    if (take) lines.push({ text: Buffer.from(line).toString("latin1"), cut: wasCut });
    return take;
  });
  for (const piece of pieces) {
    const bytes = Buffer.from(piece);
    output.push(bytes);
    // The pipe's buffer is used again for the next read.
    bytes.fill(0);
  }
  output.end();
  return { lines, dropped: output.bytesDropped };
}

test("lines come out however they are cut, the last without a line end too", () => {
  expect(cut(["a\nb", "c", "\r\n\nd"]).lines).toEqual([
    { text: "a", cut: false },
    { text: "bc", cut: false },
    { text: "d", cut: false },
  ]);
});

test("a line over the maximum is cut, its rest dropped and counted, and the next line is whole", () => {
  const long = "x".repeat(lineBytesMax + 100);
  for (const pieces of [[`${long}\nnext\n`], [long.slice(0, 5000), long.slice(5000), "\nnext\n"], [...long.split(""), "\n", "next"]]) {
    const { lines, dropped } = cut(pieces);
    expect(lines).toEqual([
      { text: long.slice(0, lineBytesMax), cut: true },
      { text: "next", cut: false },
    ]);
    expect(dropped).toBe(100);
  }
});

test("a line of exactly the maximum is not cut", () => {
  expect(cut([`${"x".repeat(lineBytesMax)}\n`])).toEqual({ lines: [{ text: "x".repeat(lineBytesMax), cut: false }], dropped: 0 });
});

test("lines that nobody takes are counted", () => {
  expect(cut(["four\nfive!\n"], false).dropped).toBe(9);
});

test("bytes that are not UTF-8 are kept as they are", () => {
  expect(cut([Uint8Array.of(0xff, 0xfe, 10)]).lines).toEqual([{ text: "\xff\xfe", cut: false }]);
});

test("no byte is lost: what is not in a line was dropped and counted", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.constantFrom("a", "b", "\n"), { maxLength: 40 }), { maxLength: 10 }), (pieces) => {
      const texts = pieces.map((piece) => piece.join(""));
      const { lines, dropped } = cut(texts);
      expect(lines.map((line) => line.text).join("")).toBe(texts.join("").replaceAll("\n", ""));
      expect(dropped).toBe(0);
    }),
  );
});
