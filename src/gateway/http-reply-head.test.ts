import { describe, expect, test } from "bun:test";
import { replyHeadBytesMax, replyHeaderLinesMax } from "./http-limits.ts";
import { type BadReply, parseReplyHead, type ReplyHead } from "./http-reply-head.ts";

function parse(text: string): ReplyHead | BadReply | undefined {
  return parseReplyHead(Buffer.from(text, "latin1"), 0);
}

function accepted(text: string): ReplyHead {
  const head = parse(text);
  if (head === undefined || "bad" in head) throw new Error(`refused: ${JSON.stringify(head)}`);
  return head;
}

const reply = (...lines: string[]): string => `HTTP/1.1 200 OK\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;

describe("a reply's head", () => {
  test("is read with its names in lower case, its values trimmed, in the order in which they came", () => {
    const text = "HTTP/1.1 201 All is\twell \xe9\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\nset-cookie:\t c \t\r\nX-Empty:\r\n\r\nhello";
    expect(accepted(text)).toEqual({
      status: 201,
      headers: ["content-length", "5", "set-cookie", "a=b", "set-cookie", "c", "x-empty", ""],
      framing: 5,
      isKept: true,
      end: text.length - 5,
    });
  });

  test.each([
    ["HTTP/1.1 200\r\n\r\n", 200],
    ["HTTP/1.1 599 \r\n\r\n", 599],
    ["HTTP/1.9 404 Not Found\r\n\r\n", 404],
    ["HTTP/1.0 302 Found\r\n\r\n", 302],
    ["HTTP/1.1 100 Continue\r\n\r\n", 100],
  ])("may begin with %j", (text, status) => {
    expect(accepted(text).status).toBe(status);
  });

  test.each([
    ["nothing that is HTTP", "SSH-2.0-OpenSSH_9\r\n\r\n"],
    ["HTTP/2", "HTTP/2 200\r\n\r\n"],
    ["HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n"],
    ["a version in lower case", "http/1.1 200 OK\r\n\r\n"],
    ["an empty line", "\r\nHTTP/1.1 200 OK\r\n\r\n"],
    ["two spaces", "HTTP/1.1  200 OK\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
    ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
    ["a status that is no number", "HTTP/1.1 2x0 OK\r\n\r\n"],
    ["status 099", "HTTP/1.1 099 OK\r\n\r\n"],
    ["status 600", "HTTP/1.1 600 OK\r\n\r\n"],
    ["a NUL in the phrase", "HTTP/1.1 200 O\0K\r\n\r\n"],
    ["a bare line feed behind the status line", "HTTP/1.1 200 OK\n\r\n"],
    ["a bare carriage return behind the status line", "HTTP/1.1 200 OK\rA: b\r\n\r\n"],
    ["a bare line feed behind a header", reply("A: b\nC: d")],
    ["a bare carriage return in a header", reply("A: b\rC: d")],
    ["a bare line feed at the end", "HTTP/1.1 200 OK\r\nA: b\r\n\n"],
    ["a NUL in a value", reply("A: \0")],
    ["a folded line", reply("A: b", " c")],
    ["a folded first line", reply(" A: b")],
    ["white space before the colon", reply("Content-Length : 5")],
    ["no colon", reply("A")],
    ["no name", reply(": a")],
    ["a name that is no token", reply("A(b): c")],
    ["both a length and chunks", reply("Content-Length: 5", "Transfer-Encoding: chunked")],
    ["both, the other way round", reply("Transfer-Encoding: chunked", "Content-Length: 5")],
    ["two lengths", reply("Content-Length: 5", "Content-Length: 6")],
    ["the same length twice", reply("Content-Length: 5", "Content-Length: 5")],
    ["a list of lengths", reply("Content-Length: 5, 5")],
    ["an empty length", reply("Content-Length:")],
    ["a signed length", reply("Content-Length: +5")],
    ["a length in hexadecimal", reply("Content-Length: 0x5")],
    ["a length beyond what is exact", reply("Content-Length: 9007199254740992")],
    ["an unknown coding", reply("Transfer-Encoding: xchunked")],
    ["chunked and something else", reply("Transfer-Encoding: chunked, identity")],
    ["chunked twice", reply("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")],
    ["a vertical tab before chunked", reply("Transfer-Encoding: \x0bchunked")],
    ["a no-break space behind chunked", reply("Transfer-Encoding: chunked\xa0")],
    ["a quoted coding", reply('Transfer-Encoding: "chunked"')],
    ["an empty coding", reply("Transfer-Encoding:")],
    ["a coding that is not understood", reply("Transfer-Encoding: gzip, chunked")],
    ["chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["both, even where it has no body", "HTTP/1.1 304 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"],
  ])("with %s is refused with the reason", (_, text) => {
    const head = parse(text);
    expect(head).toHaveProperty("bad");
    expect((head as BadReply).bad).toMatch(/^(The reply|A header|A line of the reply|The transfer coding)/);
  });

  test.each([
    [reply("Content-Length: 0"), 0],
    [reply("Transfer-Encoding: CHUNKED"), "chunked"],
    [reply(), "until-close"],
    ["HTTP/1.1 204 No Content\r\n\r\n", "none"],
    ["HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", "none"],
    ["HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "none"],
    ["HTTP/1.1 103 Early Hints\r\n\r\n", "none"],
  ] as const)("%j has the framing %p", (text, framing) => {
    expect(accepted(text).framing).toBe(framing);
  });

  test.each([
    [reply("Content-Length: 0"), true],
    [reply("Content-Length: 0", "Connection: keep-alive"), true],
    [reply("Content-Length: 0", "Connection: close"), false],
    [reply("Content-Length: 0", "Connection: x, Close"), false],
    [reply(), false],
    ["HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false],
    ["HTTP/1.1 204 No Content\r\n\r\n", true],
    ["HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", true],
    ["HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", false],
    ["HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", false],
    ["HTTP/1.1 304 Not Modified\r\n\r\n", true],
    ["HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", false],
    ["HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n", true],
  ])("%j keeps its connection: %p", (text, kept) => {
    expect(accepted(text).isKept).toBe(kept);
  });

  test("needs more bytes until its empty line has come", () => {
    const text = reply("Content-Length: 5", "A: b");
    for (let length = 0; length < text.length; length++) expect(parse(text.slice(0, length))).toBeUndefined();
    expect(parse(text)).toHaveProperty("status", 200);
  });

  test("may be as long as a head may be, and not longer", () => {
    const empty = reply("A: ").length;
    expect(accepted(reply(`A: ${"x".repeat(replyHeadBytesMax - empty)}`)).end).toBe(replyHeadBytesMax);
    expect(parse(reply(`A: ${"x".repeat(replyHeadBytesMax - empty + 1)}`))).toEqual({
      bad: "The reply's head is longer than 131072 bytes",
    });
    expect(parse(`HTTP/1.1 200 ${"x".repeat(replyHeadBytesMax)}`)).toHaveProperty("bad");
  });

  test("may have so many headers, and no more", () => {
    const lines = Array.from({ length: replyHeaderLinesMax }, (_, index) => `A${index}: b`);
    expect(accepted(reply(...lines)).headers).toHaveLength(2 * replyHeaderLinesMax);
    expect(parse(reply(...lines, "One: more"))).toEqual({ bad: "The reply has more than 512 headers" });
  });
});
