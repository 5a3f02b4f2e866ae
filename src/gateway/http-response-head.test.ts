import { describe, expect, test } from "bun:test";
import { responseHead } from "./http-response-head.ts";

const date = "Sat, 21 Nov 2026 04:00:00 GMT";

describe("an answer's head", () => {
  test("has the caller's headers as they are, and ours", () => {
    expect(responseHead({ status: 201, headers: ["x-a", "1", "x-a", "\xe9", "X-B", ""] }, 5, "", date)).toBe(
      `HTTP/1.1 201 Created\r\nx-a: 1\r\nx-a: \xe9\r\nX-B: \r\ndate: ${date}\r\ncontent-length: 5\r\n\r\n`,
    );
  });

  test.each([
    ["chunked", "transfer-encoding: chunked\r\n"],
    [0, "content-length: 0\r\n"],
    ["until-close", ""],
    ["none", ""],
  ] as const)("says how its body ends: %s", (framing, line) => {
    expect(responseHead({ status: 200, headers: ["date", "then"] }, framing, "close", date)).toBe(
      `HTTP/1.1 200 OK\r\ndate: then\r\n${line}connection: close\r\n\r\n`,
    );
  });

  test("leaves out what is the front's to say", () => {
    const headers = ["content-length", "7", "Transfer-Encoding", "chunked", "connection", "x", "Keep-Alive", "timeout=1"];
    expect(responseHead({ status: 200, headers }, 1, "", date)).toBe(`HTTP/1.1 200 OK\r\ndate: ${date}\r\ncontent-length: 1\r\n\r\n`);
  });

  test("of a status without a registered phrase has none", () => {
    expect(responseHead({ status: 599, headers: ["date", "x"] }, "none", "", date)).toBe("HTTP/1.1 599 \r\ndate: x\r\n\r\n");
  });

  test.each([[["x", "a\r\nb: c"]], [["x", "a\nb"]], [["x", "a\0"]], [["x", "\u0100"]], [["x y", "a"]], [["x\r\ny", "a"]], [["", "a"]]])(
    "never breaks in two: %j is a defect",
    (headers) => {
      expect(() => responseHead({ status: 200, headers }, 0, "", date)).toThrow(TypeError);
    },
  );

  test.each([100, 101, 199, 1000, 200.5, Number.NaN])("has a status of an answer: %d is a defect", (status) => {
    expect(() => responseHead({ status, headers: [] }, 0, "", date)).toThrow(RangeError);
  });
});
