import { describe, expect, test } from "bun:test";
import type { ReplyHead } from "./http-reply-head.ts";
import { interimHeaders, keptMs, replyHeaders, switchHeaders } from "./service-reply.ts";

const head = (status: number, ...headers: string[]): ReplyHead => ({ status, headers, framing: 0, isKept: true, end: 0 });

describe("a reply's headers", () => {
  test("are its own, without the connection's, urocket's, and the body's length", () => {
    const headers = [
      "connection",
      "x-hop",
      "x-hop",
      "1",
      "x-request-id",
      "2",
      "x-urocket-error",
      "3",
      "content-length",
      "4",
      "vary",
      "a",
      "vary",
      "b",
    ];
    expect(replyHeaders(head(200, ...headers))).toEqual(["vary", "a", "vary", "b"]);
    expect(interimHeaders(headers)).toEqual(["vary", "a", "vary", "b"]);
  });

  test("tell the length of what 304 does not send", () => {
    expect(replyHeaders(head(304, "content-length", "4"))).toEqual(["content-length", "4"]);
  });

  test("of 101 tell what is switched to", () => {
    expect(switchHeaders(["connection", "upgrade", "upgrade", "websocket", "sec-websocket-accept", "x"])).toEqual([
      "sec-websocket-accept",
      "x",
      "upgrade",
      "websocket",
    ]);
  });
});

test.each([
  ["nothing", [], Infinity],
  ["no timeout", ["keep-alive", "max=100"], Infinity],
  ["five seconds", ["keep-alive", "timeout=5"], 3_000],
  ["among others", ["keep-alive", "max=100, Timeout=30"], 28_000],
  ["less than what it takes", ["keep-alive", "timeout=1"], 0],
  ["nonsense", ["keep-alive", "xtimeout=5"], Infinity],
])("an idle connection is used for as long as the daemon keeps it, with a margin: %s", (_, headers, ms) => {
  expect(keptMs(headers)).toBe(ms);
});
