import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { splitCommand } from "./command-words.ts";

const words = (command: string): readonly string[] | string => {
  const split = splitCommand(command);
  return split.ok ? split.words.map((word) => word.text) : split.message;
};

describe("a command", () => {
  test.each([
    ["php list.php", ["php", "list.php"]],
    ["  a\t b\n c ", ["a", "b", "c"]],
    [`echo 'a b' "c d"`, ["echo", "a b", "c d"]],
    [`a"b"'c'd`, ["abcd"]],
    [`'' ""`, ["", ""]],
    [String.raw`a\ b`, ["a b"]],
    [String.raw`"a\"b\\c\n\$"`, [String.raw`a"b\c\n$`]],
    [String.raw`'a\b'`, [String.raw`a\b`]],
    [String.raw`'a\\'"b"`, [String.raw`a\\b`]],
    ["a\\\nb", ["ab"]],
    ['"a\\\nb"', ["ab"]],
    [`{"a":1}`, ["{a:1}"]],
    ["$HOME ~ * a#b", ["$HOME", "~", "*", "a#b"]],
    ["", []],
  ])("%p has the words %p", (command, expected) => {
    expect(words(command)).toEqual(expected);
  });

  test.each([
    ["php 'x", "the quote ' at character 5 is not closed"],
    ['php "x', 'the quote " at character 5 is not closed'],
    ['"a\\"', 'the quote " at character 1 is not closed'],
    ["php \\", "it ends in a backslash that escapes nothing"],
  ])("%p cannot be split", (command, message) => {
    expect(words(command)).toBe(message);
  });

  test("tells bare words from quoted ones", () => {
    const split = splitCommand(`| '|' \\|`);
    expect(split.ok && split.words.map((word) => word.bare)).toEqual([true, false, false]);
  });

  test("is split as sh splits it", () => {
    const piece = fc.constantFrom("a", "b", " ", "  ", "'", '"', "\\", "é", "'x y'", '"x y"', "\\\\", "\t");
    const commands = fc.sample(fc.array(piece, { maxLength: 14 }), { numRuns: 300, seed: 7 }).map((pieces) => pieces.join(""));
    const splittable = commands.filter((command) => splitCommand(command).ok);
    expect(splittable.length).toBeGreaterThan(50);
    const script = splittable.map((command) => `set -- ${command}\nprintf '%s\\0' $# "$@"\n`).join("");
    const { stdout } = Bun.spawnSync({ cmd: ["/bin/sh", "-c", script], stdout: "pipe" });
    const fields = stdout.toString().split("\0");
    for (const command of splittable) {
      const count = Number(fields.shift());
      expect([command, words(command)]).toEqual([command, fields.splice(0, count)]);
    }
  });

  test("comes back when its words are quoted", () => {
    const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
    fc.assert(fc.property(fc.array(fc.string()), (list) => expect(words(list.map(quote).join(" "))).toEqual(list)));
  });
});
