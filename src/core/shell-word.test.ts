import { expect, test } from "bun:test";
import { shellWord } from "./shell-word.ts";

test.each(["plain", "/a/b-c.sh", "it's here", "two words", "", "$HOME", "a\nb", "~x", "{{jsonpayload}}"])(
  "%j is one word of a shell again",
  (word) => {
    expect(Bun.spawnSync(["sh", "-c", `printf %s ${shellWord(word)}`]).stdout.toString()).toBe(word);
  },
);

test("is quoted only where that is needed", () => {
  expect([shellWord("/a/b-c.sh"), shellWord("a b"), shellWord("it's")]).toEqual(["/a/b-c.sh", "'a b'", `'it'\\''s'`]);
});
