import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { editDistance, nearest } from "./suggest.ts";

describe("the nearest word", () => {
  const known = ["openapi", "timeout", "validate-in", "validate-out", "logstdout", "env", "cmd"];

  test.each([
    ["opanapi", "openapi"],
    ["OpenAPI", "openapi"],
    ["tiemout", "timeout"],
    ["validate_in", "validate-in"],
    ["validateIn", "validate-in"],
    ["log-stdout", "logstdout"],
    ["evn", "env"],
    ["command", undefined],
    ["zzz", undefined],
    ["", undefined],
    ["ab", undefined],
  ])("to %p is %p", (word, expected) => {
    expect(nearest(word, known)).toBe(expected);
  });

  test("is not looked for when the word is very long", () => {
    expect(nearest("a".repeat(65), ["a".repeat(65)])).toBeUndefined();
  });

  test("is itself when it is known", () => {
    fc.assert(fc.property(fc.stringMatching(/^[a-z]{1,30}$/), (word) => expect(nearest(word, ["other", word])).toBe(word)));
  });
});

describe("the edit distance", () => {
  test("counts a swap of neighbours as one", () => {
    expect(editDistance("abcd", "abdc")).toBe(1);
    expect(editDistance("kitten", "sitting")).toBe(3);
    expect(editDistance("", "abc")).toBe(3);
  });

  test("is symmetric, and zero for equal words only", () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b) === 0).toBe(a === b);
      }),
    );
  });
});
