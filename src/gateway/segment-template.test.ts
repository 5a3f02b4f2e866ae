import { describe, expect, test } from "bun:test";
import { SegmentTemplate } from "./segment-template.ts";

/** What the template means, by the regular expression that must not be used. */
function byExpression(source: string, segment: string): string[] | undefined {
  const texts = source.split("{}").map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${texts.join("(.+)")}$`, "s").exec(segment)?.slice(1);
}

/** All texts of these letters, up to a length. */
function texts(letters: readonly string[], lengthMax: number): string[] {
  let longest = [""];
  const all = [""];
  for (let length = 1; length <= lengthMax; length++) {
    longest = longest.flatMap((text) => letters.map((letter) => text + letter));
    all.push(...longest);
  }
  return all;
}

describe("a template of a segment", () => {
  const sources = ["{}", "{}{}", "a{}", "{}a", "a{}a", "{}a{}", "{}ab{}", "{}a{}b{}", "a{}b{}a", "{}{}a{}", "{}.{}", "{}aa{}a"];

  for (const source of sources) {
    test(`${source} matches what it means`, () => {
      const template = new SegmentTemplate(source);
      const all = texts(["a", "b", "."], 7);
      expect(all.map((text) => template.match(text))).toEqual(all.map((text) => byExpression(source, text)));
    });
  }

  test("looks at a segment once, however many ways there are to cut it", () => {
    // An expression would need about 16 000⁴ / 24 steps to see that it does not match.
    expect(new SegmentTemplate("{}-{}-{}-{}.json").match("-".repeat(16_000))).toBeUndefined();
  });
});
