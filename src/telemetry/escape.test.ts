import { expect, test } from "bun:test";
import fc from "fast-check";
import { escapeForTerminal, jsonNumber, jsonText, toJsonLine } from "./escape.ts";

/** Everything that could end a line, steer a terminal or reorder what it shows. */
const dangerous = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;

test("ordinary text, accents and emoji included, is left as it is", () => {
  expect(escapeForTerminal("GET /naïve/日本/😀?")).toBe("GET /naïve/日本/😀?");
  expect(toJsonLine({ a: "naïve 日本 😀" })).toBe('{"a":"naïve 日本 😀"}');
});

test("line ends, escape sequences and direction overrides are shown instead of obeyed", () => {
  expect(escapeForTerminal("a\nb\r\tc\x1b[31mred\x9b0m\x7f\u202egnp.exe")).toBe("a\\nb\\r\\tc\\u001b[31mred\\u009b0m\\u007f\\u202egnp.exe");
  expect(toJsonLine({ a: '"\n\x1b[2J\x9b\u2028\u202e' })).toBe('{"a":"\\"\\n\\u001b[2J\\u009b\\u2028\\u202e"}');
});

test("no text whatsoever gets a dangerous character into a line", () => {
  const anyText = fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[\u0000-\u009f\u200b-\u202e]*$/));
  fc.assert(
    fc.property(anyText, anyText, (key, value) => {
      expect(escapeForTerminal(value)).not.toMatch(dangerous);
      expect(toJsonLine({ [key]: value })).not.toMatch(dangerous);
      expect(jsonText(value)).not.toMatch(dangerous);
      expect(jsonText(value)).toBe(toJsonLine([value]).slice(1, -1));
    }),
  );
});

test("a line of JSON reads back as the value it was made of", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })), (value) => {
      expect(JSON.parse(toJsonLine(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("a number of thousandths is the number that JSON would have", () => {
  for (const count of [0, 1, 10, 100, 999, 1000, 1001, 12_346, 2 ** 31 - 1, 2 ** 31, 1e15, -1, -1500]) {
    expect(jsonNumber(count)).toBe(JSON.stringify(count / 1000));
  }
  fc.assert(fc.property(fc.nat(), (count) => expect(jsonNumber(count)).toBe(JSON.stringify(count / 1000))));
});
