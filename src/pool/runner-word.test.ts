import { expect, test } from "bun:test";
import type { Frame, FrameType } from "../link/frames.ts";
import { faultOf, receiptOf, replyOf, sampleOf, windowOf } from "./runner-word.ts";

const frame = (type: FrameType, head: string): Frame => ({ type, exchange: 1, end: true, head, body: new Uint8Array(0) });
/** Becomes neither a number nor a text. */
const trap = `{"valueOf":1,"toString":1}`;

test("a reply's times and notes are what their types say, or nothing", () => {
  const head = `{"status":200,"headers":[["a","b"]],"waitMs":${trap},"runMs":"1","span":{"attributes":5,"events":{"toJSON":1}}}`;
  expect(replyOf(frame("reply", head))).toEqual({ status: 200, headers: [["a", "b"]], waitMs: 0, spawnMs: 0, runMs: 0, span: {} });
  expect(replyOf(frame("reply", `{"status":200,"headers":[],"runMs":1.5,"span":{"attributes":{"a":1}}}`))).toMatchObject({
    runMs: 1.5,
    span: { attributes: { a: 1 } },
  });
});

test.each([
  "{}",
  `{"status":"200","headers":[]}`,
  `{"status":${trap},"headers":[]}`,
  `{"status":200,"headers":{"a":"b"}}`,
  `{"status":200,"headers":["ab"]}`,
  `{"status":200,"headers":[["a",["b"]]]}`,
  `{"status":200,"headers":[["a",${trap}]]}`,
  "null",
])("a reply whose head is %s is refused", (head) => {
  expect(() => replyOf(frame("reply", head))).toThrow();
});

test("a receipt's figures are numbers, whatever came", () => {
  expect(receiptOf(frame("receipt", `{"totalMs":${trap},"cpuUserMs":3,"exitCode":"1","signal":9,"endedBy":${trap}}`))).toEqual({
    waitMs: 0,
    spawnMs: 0,
    runMs: 0,
    replyMs: 0,
    totalMs: 0,
    cpuUserMs: 3,
    cpuSystemMs: 0,
    endedBy: "itself",
    outputBytesDropped: 0,
  });
});

test.each([`{}`, `{"bytes":"1"}`, `{"bytes":-1}`, `{"bytes":1e300}`, `{"bytes":0.5}`, `{"bytes":${trap}}`])(
  "a window of %s is refused",
  (head) => {
    expect(() => windowOf(frame("window", head))).toThrow("a window frame without a number of bytes came");
  },
);

test("of a sample only programs with all their figures are kept", () => {
  const whole = { id: "a", operation: "GET /", pid: 1, ageMs: 1, residentBytes: 1, cpuMs: 1, cpuNow: 1, processes: 1 };
  const head = JSON.stringify({ programs: [whole, { ...whole, pid: "1" }, null, 5] });
  expect(sampleOf(frame("sample", head))).toEqual({ programs: [whole] });
  expect(sampleOf(frame("sample", `{"programs":5}`))).toEqual({ programs: [] });
});

test("a reset's words are texts, and no longer than they may be", () => {
  expect(faultOf(frame("reset", `{"reason":${trap},"detail":${trap},"advice":5}`))).toEqual({
    reason: "bad-reply",
    detail: "The instance could not do its work",
  });
  const { detail } = faultOf(frame("reset", JSON.stringify({ reason: "function-failed", detail: "x".repeat(3000) })));
  expect(detail).toHaveLength(2000);
});
