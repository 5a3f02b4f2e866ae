import { expect, test } from "bun:test";
import fc from "fast-check";
import { jsonNumber, jsonText } from "./escape.ts";
import { JsonLine } from "./json-line.ts";

const line = new JsonLine();

function written(write: () => void): string {
  line.clear();
  line.raw("<");
  write();
  line.raw(">");
  return line.bytes.toString("utf8", 0, line.length);
}

test("a string is what it is as text, with what is unsafe escaped", () => {
  for (const text of ["", "/pets/1", 'a"b', "a\\b", "\u001b[2J", "é", "€", "\u202e", "😀", "\ud800", "x".repeat(10_000), "é".repeat(9_000)])
    expect(written(() => line.string(text))).toBe(`<${jsonText(text)}>`);
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => expect(written(() => line.string(text))).toBe(`<${jsonText(text)}>`)));
});

test("numbers are as JSON writes them", () => {
  for (const count of [0, 1, 10, 100, 120, 999, 1000, 1001, 12_340, 2 ** 31 - 1, 2 ** 31, -5, 1e21])
    expect(written(() => line.thousandths(count))).toBe(`<${jsonNumber(count)}>`);
  for (const value of [0, 9, 10, 99, 100, 2 ** 31 - 1, 2 ** 31, 2 ** 53, -1, 0.5])
    expect(written(() => line.number(value))).toBe(`<${JSON.stringify(value)}>`);
  fc.assert(fc.property(fc.nat(), (count) => expect(written(() => line.thousandths(count))).toBe(`<${jsonNumber(count)}>`)));
});
