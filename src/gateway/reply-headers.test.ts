import { describe, expect, test } from "bun:test";
import { replyHeaders } from "./reply-headers.ts";

/** A flat list as pairs. */
const pairs = (list: readonly string[]): [string, string][] =>
  list.flatMap((name, at) => (at % 2 === 0 ? [[name, list[at + 1] ?? ""]] : []));
const times = { waitMs: 0, spawnMs: 0, runMs: 0 };

function headersOf(headers: [string, string][], status = 200, hasBody = true): Record<string, string> | string {
  const made = replyHeaders({ status, headers, ...times }, "application/json", hasBody);
  return made.ok ? Object.fromEntries(pairs(made.headers)) : made.detail;
}

describe("a reply's headers", () => {
  test("pass, but for those of the connection, the framing and urocket's own", () => {
    expect(
      headersOf([
        ["Location", "/pets/1"],
        ["Connection", "close"],
        ["Transfer-Encoding", "chunked"],
        ["Content-Length", "5"],
        ["X-Request-Id", "forged"],
        ["X-Urocket-Error", "forged"],
        ["Content-Type", "text/plain"],
      ]),
    ).toEqual({ location: "/pets/1", "content-type": "text/plain" });
  });

  test("get the operation's media type when they name none and there is a body", () => {
    expect(headersOf([])).toEqual({ "content-type": "application/json" });
    expect(headersOf([], 200, false)).toEqual({});
    expect(headersOf([], 204)).toEqual({});
  });

  test("keep several cookies apart", () => {
    const made = replyHeaders(
      {
        status: 200,
        headers: [
          ["set-cookie", "a=1"],
          ["set-cookie", "b=2"],
        ],
        ...times,
      },
      "text/plain",
      true,
    );
    expect(made.ok && made.headers).toEqual(["set-cookie", "a=1", "set-cookie", "b=2", "content-type", "text/plain"]);
  });

  test.each([
    [[["bad name", "x"]], 200, 'a header "bad name"'],
    [[["x", "a\r\nb: c"]], 200, 'a header "x"'],
    [[], 999, "status 999"],
    [[], 101, "status 101"],
    [[], 200.5, "status 200.5"],
  ] as [[string, string][], number, string][])("are refused: %j with status %d", (headers, status, words) => {
    expect(headersOf(headers, status)).toContain(words);
  });
});
