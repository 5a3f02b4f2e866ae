import { describe, expect, test } from "bun:test";
import { parseDocument } from "yaml";
import { yamlFaults } from "./yaml-fault.ts";

/** Each fault in short: "line:column message | hint". */
function told(text: string): readonly string[] {
  const { errors } = parseDocument(text, { prettyErrors: false, uniqueKeys: false });
  return yamlFaults(text, errors).map(({ offset, message, hint }) => {
    const before = text.slice(0, offset).split("\n");
    return `${before.length}:${(before.at(-1) ?? "").length + 1} ${message}${hint === undefined ? "" : ` | ${hint}`}`;
  });
}

describe("is told where it opens:", () => {
  test.each([
    ["a: 1\ninject: { cmd: sh\noutput: x\n", '2:9 This "{" is never closed | Put "}" at its end, before line 3'],
    ["a: { b: 1 }\ngarbage: [\n", '2:10 This "[" is never closed | Put "]" at its end'],
    ["env: [A=1, B=2\nname: x\n", '1:6 This "[" is never closed | Put "]" at its end, before line 2'],
    ["a: {\n  b: 1,\n  c: 2\nd: 3\n", '1:4 This "{" is never closed | Put "}" at its end, before line 4'],
    ['a: "}" # }\nb: {c: "]"\n', '2:4 This "{" is never closed | Put "}" at its end'],
    ["a: [1, 2}\n", '1:9 "}" stands where "]" should close the "[" of line 1 | Put "]" before it, or in its place'],
    ['{"a": 1,\n "b": [1\n}\n', '3:1 "}" stands where "]" should close the "[" of line 2 | Put "]" before it, or in its place'],
    ["a: [1]]\nb: {}}\n", '1:7 This "]" closes nothing | Take it out, or put quotes around a text that holds it'],
    ["a: }\n", '1:4 This "}" closes nothing | Take it out, or put quotes around a text that holds it'],
    ["name: 'x\nopenapi: y\n", "1:7 This ' is never closed | Put another ' at the text's end; within the text write ''"],
    ['a:\n  b: "x\n  c: y\n', `2:6 This " is never closed | Put another " at the text's end; within the text write \\"`],
    ["a: {b: '\n", "1:8 This ' is never closed | Put another ' at the text's end; within the text write ''"],
  ])("%j", (text, fault) => {
    const [first, ...others] = told(text);
    expect([first, others]).toEqual([fault, []]);
  });
});

describe("is told in plain words:", () => {
  test.each([
    ["paths:\n\t/: x\n", "2:1 Tabs are not allowed as indentation | Indent with spaces"],
    ["paths:\n  /a:\n\t  get: x\n", "3:1 Tabs are not allowed as indentation | Indent with spaces"],
    ["a: { cmd: sh -p {{port}} }\n", '1:17 "{" cannot stand in a text without quotes here | Put quotes around the whole text'],
    ["name: x\nopenapi y\n", '2:1 "openapi y" has no ":" | Write `openapi: y`'],
    ["cmd sh\nwd: x\n", '1:1 "cmd sh" has no ":" | Write `cmd: sh`'],
    ["paths:\n  /a\n    get: x\n", '2:3 "/a" has no ":" | Write a key, ":", a space, and its value'],
    ["name:x\nopenapi: y\n", '1:1 There is no space after the ":" of "name:x" | Write `name: x`'],
    ["a:\n  b: 1\n c: 2\n", "3:2 This line is indented unlike those before it | Start it in the column of the line that it belongs beside"],
    ["a: x\n  b: y\n", "2:3 This line is indented more than the one above, which has its value already | Start both in the same column"],
    ["a: b: c\n", '1:4 The value holds ": ", as if it were a key | Put quotes around a text that holds ": "'],
    [
      "a: { b: 1 c: 2 }\n",
      '1:9 A comma is missing here, or ": " is one too many | Put a comma between the entries, or quotes around a text that holds ": "',
    ],
    ['a: "\\d"\n', "1:5 Invalid escape sequence \\d | Write \\\\ for a backslash, or put the text in single quotes"],
    ["a: @x\n", "1:4 Plain value cannot start with reserved character @ | Put quotes around this text"],
    ['a: "x" y\n', "1:8 There is more text after the value's end | Put quotes around all of it, or # before a comment"],
    ["- a\nb: c\n", "2:1 This line does not fit those above it | Check its indentation, and theirs"],
    ["a: b\n- c\n", "2:1 A list item stands where a key is wanted | A mapping is made of `key: value`; indent the list below a key"],
  ])("%j", (text, fault) => {
    expect(told(text)).toEqual([fault]);
  });
});

test("what is wrong before a quote that is never closed is told too", () => {
  expect(told("a: 'it''s fine'\nb: 'it's not'\nc: 'x\n")).toEqual([
    "2:8 There is more text after the value's end | Within single quotes write '' for an apostrophe",
    expect.stringContaining("3:4 This ' is never closed"),
  ]);
});

test("faults of several lines are all told", () => {
  expect(told("a: @x\nb: c: d\n")).toHaveLength(2);
});

test("a text of nothing but faults is no work without end", () => {
  const text = Array.from({ length: 20_000 }, (_, line) => `k${line}: c: d\n`).join("");
  const { errors } = parseDocument(text, { prettyErrors: false });
  expect(yamlFaults(text, errors).length).toBeGreaterThan(1_000);
});
