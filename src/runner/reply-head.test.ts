import { describe, expect, test } from "bun:test";
import { parseHead } from "./http-request.ts";
import { readReply } from "./reply-head.ts";

function reply(target: string, headers: string) {
  const part = parseHead(`POST ${target} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
  if (part.kind !== "head") throw new Error(part.reason);
  return readReply(part.head);
}

describe("the status", () => {
  test.each([
    ["/uri/x", "", 200],
    ["/uri/x?status=201", "", 201],
    ["/uri/x?a=b&status=404", "", 404],
    ["/uri/x", "Status: 201\r\n", 201],
    ["/uri/x", "Status: 201 Created\r\n", 201],
    ["/uri/x?status=202", "Status: 201\r\n", 202],
    ["/uri/x?status=599", "", 599],
  ])("of %s with %j is %d", (target, headers, status) => {
    expect(reply(target, headers)).toMatchObject({ ok: true, head: { status } });
  });

  test.each(["999", "99", "100", "101", "199", "600", "abc", "", "20", "2000", "-200", "200.5", "0x1"])(
    "%j is refused by name",
    (status) => {
      expect(reply(`/uri/x?status=${status}`, "")).toEqual({
        ok: false,
        reason: `status ${JSON.stringify(status)} is not a number from 200 to 599`,
      });
    },
  );
});

describe("the headers", () => {
  const kept = (headers: string) => {
    const read = reply("/uri/x", headers);
    return read.ok ? read.head.headers : read.reason;
  };

  test("end-to-end ones are passed on, repeated ones too", () => {
    expect(kept('Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Type: text/plain\r\nETag: "x"\r\n')).toEqual([
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
      ["content-type", "text/plain"],
      ["etag", '"x"'],
    ]);
  });

  test("curl's own default type means the operation's declared one", () => {
    expect(kept("Content-Type: application/x-www-form-urlencoded\r\n")).toEqual([]);
    expect(kept("Content-Type: Application/X-WWW-form-urlencoded; charset=utf-8\r\n")).toEqual([]);
  });

  test("hop-by-hop ones, those that Connection names, and what clients send by themselves are not", () => {
    expect(kept("Connection: X-Hop, close\r\nX-Hop: 1\r\nTE: trailers\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nX-Kept: 1\r\n")).toEqual([
      ["x-kept", "1"],
    ]);
    expect(
      kept("User-Agent: curl/8\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nExpect: 100-continue\r\nContent-Length: 0\r\nStatus: 200\r\n"),
    ).toEqual([]);
    expect(kept("X-Urocket-Error: forged\r\n")).toEqual([]);
  });
});
