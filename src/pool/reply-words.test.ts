import { expect, test } from "bun:test";
import { headText } from "../link/frames.ts";
import type { ReplyHead } from "../link/messages.ts";
import { knownReply, rememberReply } from "./reply-words.ts";

const reply = (status: number, type: string, runMs: number): ReplyHead => ({
  status,
  headers: [["content-type", type]],
  waitMs: 0,
  spawnMs: 0,
  runMs,
});

function remember(head: ReplyHead): void {
  rememberReply(headText(head), head);
}

test.each([0, 7, 0.5, 0.25, 12.345, 100_000, 99_999.125])("a head like one before it is known, with its own time: %d ms", (runMs) => {
  remember(reply(201, "text/plain", 3.001));
  const like = reply(201, "text/plain", runMs);
  expect(knownReply(headText(like))).toEqual(like);
});

test("another header, another status or a note on a span is not known", () => {
  remember(reply(202, "text/plain", 1));
  expect(knownReply(headText(reply(202, "text/html", 1)))).toBeUndefined();
  expect(knownReply(headText(reply(203, "text/plain", 1)))).toBeUndefined();
  expect(knownReply(headText({ ...reply(202, "text/plain", 1), span: {} }))).toBeUndefined();
});

test.each(["1e3", "-1", "1.", ".5", "1.2345", "", '"1"', "1,", "null"])(
  "a time written as %j is left to whoever reads the whole",
  (time) => {
    remember(reply(204, "text/plain", 1));
    expect(knownReply(headText(reply(204, "text/plain", 0)).replace(/0}$/, `${time}}`))).toBeUndefined();
  },
);

test("of each status the last head is known, and heads with several headers are not kept", () => {
  remember(reply(205, "text/plain", 1));
  remember(reply(205, "text/html", 1));
  expect(knownReply(headText(reply(205, "text/plain", 1)))).toBeUndefined();
  expect(knownReply(headText(reply(205, "text/html", 1)))).toBeDefined();
  const several = { ...reply(206, "text/plain", 1), headers: [["a", "1"] as const, ["b", "2"] as const] };
  remember(several);
  expect(knownReply(headText(several))).toBeUndefined();
});

test.each(["", "{}", '{"status":9999,', '{"status":20', '{"headers":[],"runMs":1}'])("%j is not known, and nothing breaks", (head) => {
  rememberReply(head, reply(200, "text/plain", 1));
  expect(knownReply(head)).toBeUndefined();
});
