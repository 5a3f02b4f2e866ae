/** What a daemon may send, and what it must not: each reply is cut out of the bytes the same, however they came apart. */
import { describe, expect, test } from "bun:test";
import { damaged, damages } from "../../tests/damaged-text.ts";
import fc from "fast-check";
import type { HeaderList } from "./front.ts";
import { interimRepliesMax, replyHeadBytesMax } from "./http-limits.ts";
import type { ReplyHead } from "./http-reply-head.ts";
import { ResponseReader, type ResponseSink } from "./http-response-reader.ts";

/** Keeps what it is told. */
class Told implements ResponseSink {
  readonly interims: number[] = [];
  status = 0;
  headers: HeaderList = [];
  body = "";
  rest: string | undefined;
  trailers: HeaderList | undefined;
  outcome: "open" | "whole" | "switched" | "broken" = "open";
  detail = "";
  wasReusable = false;
  readonly reader: ResponseReader;

  constructor(reader: ResponseReader) {
    this.reader = reader;
  }

  interim(status: number): void {
    this.#mustBeOpen();
    this.interims.push(status);
  }

  head({ status, headers }: ReplyHead, body: Uint8Array, last: boolean, trailers: HeaderList | undefined): void {
    expect(this.status).toBe(0);
    this.status = status;
    this.headers = headers;
    this.data(body, last, trailers);
  }

  data(chunk: Uint8Array, last: boolean, trailers: HeaderList | undefined): void {
    this.#mustBeOpen();
    this.body += Buffer.from(chunk).toString("latin1");
    if (!last) return;
    this.outcome = "whole";
    this.trailers = trailers;
    this.wasReusable = this.reader.isReusable;
  }

  switched({ status, headers }: ReplyHead, rest: Uint8Array): void {
    this.#mustBeOpen();
    this.status = status;
    this.headers = headers;
    this.rest = Buffer.from(rest).toString("latin1");
    this.outcome = "switched";
  }

  broken(detail: string): void {
    this.#mustBeOpen();
    this.outcome = "broken";
    this.detail = detail;
  }

  #mustBeOpen(): void {
    if (this.outcome !== "open") throw new Error(`told on after it was ${this.outcome}`);
  }
}

interface Asked {
  readonly method?: string;
  readonly upgrades?: boolean;
  /** The daemon closes behind it. */
  readonly ends?: boolean;
}

function read(parts: readonly string[], { method = "GET", upgrades = false, ends = false }: Asked = {}): Told {
  const reader = new ResponseReader();
  const told = new Told(reader);
  reader.begin(method, upgrades, told);
  for (const part of parts) reader.received(Buffer.from(part, "latin1"));
  if (ends) reader.ended();
  return told;
}

/** The same whole and byte by byte. @returns what was told of it. */
function readBoth(text: string, asked: Asked = {}): Told {
  const whole = read([text], asked);
  const apart = read(Array.from(text), asked);
  const keys = ["outcome", "detail", "interims"] as const;
  // Of a body that turns out to be none, what came before is told when it comes before.
  const more = whole.outcome === "broken" ? [] : (["status", "body", "headers", "trailers"] as const);
  for (const key of [...keys, ...more]) expect(apart[key]).toEqual(whole[key]);
  return whole;
}

const ok = "HTTP/1.1 200 OK\r\n";

describe("a reply", () => {
  test.each([
    ["of a length", `${ok}Content-Length: 5\r\n\r\nhello`, "hello"],
    ["of no length", `${ok}Content-Length: 0\r\n\r\n`, ""],
    ["in chunks", `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n`, "hello"],
    ["in no chunks", `${ok}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, ""],
    ["204", "HTTP/1.1 204 No Content\r\n\r\n", ""],
    ["304", "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", ""],
  ])("%s is whole without the connection's end, which can be used again", (_, text, body) => {
    expect(readBoth(text)).toMatchObject({ outcome: "whole", body, wasReusable: true });
  });

  test.each([
    ["304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"],
    ["304, in chunks", "GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["HEAD", "HEAD", `${ok}Content-Length: 5\r\n\r\n`],
    ["HEAD, in chunks", "HEAD", `${ok}Transfer-Encoding: chunked\r\n\r\n`],
  ])("that announces a body which never follows is whole, and nothing is sent behind it: %s", (_, method, text) => {
    expect(readBoth(text, { method })).toMatchObject({ outcome: "whole", body: "", wasReusable: false });
  });

  test("to HEAD that announces no body leaves the connection as it is", () => {
    expect(readBoth(`${ok}Content-Length: 0\r\n\r\n`, { method: "HEAD" })).toMatchObject({ outcome: "whole", wasReusable: true });
  });

  test("is told by one call where all of it came at once", () => {
    const calls: string[] = [];
    const reader = new ResponseReader();
    const sink = new Told(reader);
    reader.begin("GET", false, {
      interim: () => void calls.push("interim"),
      head: (...told) => (calls.push("head"), sink.head(...told)),
      data: () => void calls.push("data"),
      switched: () => void calls.push("switched"),
      broken: () => void calls.push("broken"),
    });
    reader.received(Buffer.from(`${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n`));
    expect(calls).toEqual(["head"]);
    expect(sink).toMatchObject({ body: "hello", trailers: ["x-sum", "1"] });
  });

  test.each([
    ["of a length", `${ok}Content-Length: 5\r\n\r\n`],
    ["in chunks", `${ok}Transfer-Encoding: chunked\r\n\r\n`],
    ["that would end with the connection", `${ok}\r\n`],
  ])("to HEAD has no body: %s", (_, text) => {
    expect(readBoth(text, { method: "HEAD" })).toMatchObject({ outcome: "whole", body: "", status: 200 });
  });

  test("without framing ends with the connection", () => {
    expect(readBoth(`${ok}\r\nhello`)).toMatchObject({ outcome: "open", body: "hello" });
    expect(readBoth(`${ok}\r\nhello`, { ends: true })).toMatchObject({ outcome: "whole", body: "hello", wasReusable: false });
  });

  test.each([
    ["closes", `${ok}Connection: close\r\nContent-Length: 2\r\n\r\nhi`],
    ["is HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"],
    ["closes behind chunks", `${ok}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`],
  ])("that %s leaves a connection of no use", (_, text) => {
    expect(readBoth(text)).toMatchObject({ outcome: "whole", body: "hi", wasReusable: false });
  });

  test("keeps its trailers, but those that would change what was made of it", () => {
    const trailers = "X-Sum:  abc \r\nContent-Length: 3\r\nSet-Cookie: a=b\r\nTransfer-Encoding: x\r\nX-Urocket-Error: x\r\nx-sum: d\r\n";
    expect(readBoth(`${ok}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n${trailers}\r\n`).trailers).toEqual([
      "x-sum",
      "abc",
      "x-sum",
      "d",
    ]);
    expect(readBoth(`${ok}Transfer-Encoding: chunked\r\n\r\n0\r\nHost: a\r\n\r\n`).trailers).toBeUndefined();
  });

  test("may come after interim ones", () => {
    const text = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok}Content-Length: 2\r\n\r\nhi`;
    expect(readBoth(text)).toMatchObject({ interims: [100, 103], outcome: "whole", body: "hi", wasReusable: true });
  });

  test("may switch protocols where that was asked for, and what comes behind is the tunnel's", () => {
    const text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00";
    expect(read([text], { upgrades: true })).toMatchObject({ outcome: "switched", status: 101, rest: "\x81\x00" });
    expect(read([text])).toMatchObject({ outcome: "broken", detail: "The reply switches protocols, which nobody asked for" });
    expect(readBoth(`${ok}Content-Length: 2\r\n\r\nno`, { upgrades: true })).toMatchObject({ outcome: "whole", body: "no" });
  });

  test("whose head came apart everywhere is read", () => {
    const text = `${ok}A: b\r\nContent-Length: 5\r\n\r\nhello`;
    for (let at = 1; at < text.length; at++)
      expect(read([text.slice(0, at), text.slice(at)])).toMatchObject({ outcome: "whole", body: "hello" });
  });
});

describe("a connection", () => {
  test("carries one reply after the other, and heads that are the same are the same object", () => {
    const reader = new ResponseReader();
    const heads: ReplyHead[] = [];
    const ask = (text: string): Told => {
      const told = new Told(reader);
      reader.begin("GET", false, {
        interim: () => undefined,
        head: (head, ...rest) => (heads.push(head), told.head(head, ...rest)),
        data: (...rest) => told.data(...rest),
        switched: () => undefined,
        broken: (detail) => told.broken(detail),
      });
      for (const part of text.split("|")) reader.received(Buffer.from(part));
      return told;
    };
    const first = `${ok}Content-Length: 2\r\nDate: 1\r\n\r\n`;
    expect(ask(`${first}hi`).body).toBe("hi");
    expect(ask(`${first}ho`).body).toBe("ho");
    expect(ask(`${first}h|a`).body).toBe("ha");
    expect(ask(`${ok}Content-Length: 2\r\nDate: 2\r\n\r\nhu`).headers).toEqual(["content-length", "2", "date", "2"]);
    expect(ask(`${ok}Content-Length: 3\r\nDate: 2\r\n\r\nhui`).body).toBe("hui");
    expect(heads[1] === heads[0] && heads[2] === heads[0]).toBeTrue();
    expect(new Set(heads).size).toBe(3);
    expect(reader.isReusable).toBeTrue();
  });

  test("may be used again by whoever is told that the reply is whole", () => {
    const reader = new ResponseReader();
    const second = new Told(reader);
    const first = new Told(reader);
    reader.begin("GET", false, {
      interim: () => undefined,
      head: (...told) => {
        first.head(...told);
        reader.begin("HEAD", false, second);
      },
      data: () => undefined,
      switched: () => undefined,
      broken: () => undefined,
    });
    reader.received(Buffer.from(`${ok}Content-Length: 2\r\n\r\nhi`));
    reader.received(Buffer.from(`${ok}Content-Length: 7\r\n\r\n`));
    expect([first.outcome, first.wasReusable, second.outcome, second.body]).toEqual(["whole", true, "whole", ""]);
  });

  test("tells nothing any more when nobody wants the reply", () => {
    const reader = new ResponseReader();
    const told = new Told(reader);
    reader.begin("GET", false, told);
    reader.received(Buffer.from(`${ok}Content-Length: 5\r\n\r\nhe`));
    reader.abandon();
    reader.received(Buffer.from("llo"));
    reader.ended();
    expect([told.body, told.outcome, reader.isReusable]).toEqual(["he", "open", false]);
  });

  test("may be abandoned while an interim reply is told", () => {
    const reader = new ResponseReader();
    const told = new Told(reader);
    reader.begin("GET", false, {
      interim: () => reader.abandon(),
      head: () => told.broken("told"),
      data: () => told.broken("told"),
      switched: () => told.broken("told"),
      broken: () => told.broken("told"),
    });
    reader.received(Buffer.from(`HTTP/1.1 103 Early Hints\r\n\r\n${ok}Content-Length: 0\r\n\r\n`));
    expect(told.outcome).toBe("open");
  });
});

describe("what is not a reply", () => {
  const smuggled = `${ok}Content-Length: 8\r\n\r\nsmuggled`;

  test.each([
    ["of a length", `${ok}Content-Length: 2\r\n\r\nhi`],
    ["in chunks", `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`],
    ["of a length that is too small for what the daemon sends", `${ok}Content-Length: 2\r\n\r\nhi there`],
    ["204 with a body", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi"],
    ["304 with a body", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"],
  ])("that follows one %s is dropped, and spoils the connection", (_, text) => {
    const told = read([text + smuggled]);
    expect([told.outcome, told.wasReusable, told.body.includes("smuggled")]).toEqual(["whole", false, false]);
    const reader = new ResponseReader();
    const first = new Told(reader);
    reader.begin("GET", false, first);
    for (const part of [text, smuggled]) reader.received(Buffer.from(part));
    expect([first.outcome, reader.isReusable]).toEqual(["whole", false]);
  });

  test("that follows one to HEAD spoils the connection", () => {
    expect(read([`${ok}Content-Length: 2\r\n\r\nhi`], { method: "HEAD" })).toMatchObject({
      outcome: "whole",
      body: "",
      wasReusable: false,
    });
  });

  test("that comes unasked spoils the connection", () => {
    const reader = new ResponseReader();
    expect(reader.isReusable).toBeTrue();
    reader.received(Buffer.from(smuggled));
    expect(reader.isReusable).toBeFalse();
  });

  test.each([
    ["both a length and chunks", `${ok}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`],
    ["an obfuscated coding", `${ok}Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n\r\n0\r\n\r\n`],
    ["a coding behind white space", `${ok}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
    ["a folded coding", `${ok}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`],
    ["two lengths", `${ok}Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc`],
    ["a split header", `${ok}Location: /\r\nContent-Length: 0\r\n\n${ok}\r\n`],
    ["a bare carriage return", `${ok}A: b\rContent-Length: 0\r\n\r\n`],
    ["a chunk size that is none", `${ok}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`],
    ["a chunk size with a sign", `${ok}Transfer-Encoding: chunked\r\n\r\n-1\r\n`],
    ["a chunk size that would wrap", `${ok}Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\nhi\r\n0\r\n\r\n`],
    ["a chunk that is longer than its size", `${ok}Transfer-Encoding: chunked\r\n\r\n1\r\nhi\r\n0\r\n\r\n`],
    ["bare line feeds in chunks", `${ok}Transfer-Encoding: chunked\r\n\r\n2\nhi\n0\n\n`],
    ["trailers that are no headers", `${ok}Transfer-Encoding: chunked\r\n\r\n0\r\n${ok}\r\n`],
    ["another protocol", "220 mail.example ESMTP\r\n"],
  ])("is broken: %s", (_, text) => {
    expect(readBoth(text).outcome).toBe("broken");
  });

  test("is broken where it ends too early, and tells what was missing", () => {
    const ends = (text: string): string => readBoth(text, { ends: true }).detail;
    expect(read([], { ends: true }).detail).toBe("The connection was closed without a reply");
    for (const text of [
      "HTTP/1.1 2",
      `${ok}Content-Length: 5\r\n`,
      `${ok}Content-Length: 5\r\n\r\nhell`,
      `${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
      `${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n`,
      "HTTP/1.1 100 Continue\r\n\r\n",
    ]) {
      expect(ends(text)).toBe("The connection was closed before the reply was whole");
    }
  });

  test("is a flood of interim replies", () => {
    const flood = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(interimRepliesMax + 1);
    expect(readBoth(flood)).toMatchObject({ outcome: "broken", detail: "The reply is preceded by more than 16 interim ones" });
    expect(readBoth(flood).interims).toHaveLength(interimRepliesMax);
  });

  test("is a head without an end, however it comes", () => {
    const detail = `The reply's head is longer than ${replyHeadBytesMax} bytes`;
    const head = `${ok}A: ${"x".repeat(replyHeadBytesMax)}`;
    expect(read([head])).toMatchObject({ outcome: "broken", detail });
    expect(read(head.match(/.{1,1000}/gs) ?? [])).toMatchObject({ outcome: "broken", detail });
  });
});

/** Chunks that are not worth their extension are an attack. */
function extension(chunk: string): string {
  return chunk.length > 2 ? ";x=y" : "";
}

describe("replies that were made up", () => {
  interface Made {
    readonly text: string;
    readonly body: string;
  }

  // What could be taken for the end of something, or for the start of a reply.
  const body = fc
    .array(fc.constantFrom("a", "\r\n", "0\r\n\r\n", `${ok}Content-Length: 0\r\n\r\n`, "\0\xff", "x".repeat(3_000)), { maxLength: 5 })
    .map((parts) => parts.join(""));
  const interims = fc.constantFrom("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n".repeat(3));
  const ofLength = body.map((text): Made => ({ text: `${ok}X: y\r\nContent-Length: ${text.length}\r\n\r\n${text}`, body: text }));
  const inChunks = fc.tuple(body, fc.integer({ min: 1, max: 50 })).map(([text, size]): Made => {
    let chunks = "";
    for (let at = 0; at < text.length; at += size) {
      const chunk = text.slice(at, at + size);
      chunks += `${chunk.length.toString(16)}${extension(chunk)}\r\n${chunk}\r\n`;
    }
    return { text: `${ok}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\nX-T: z\r\n\r\n`, body: text };
  });
  const made = fc.tuple(interims, fc.oneof(ofLength, inChunks)).map(([before, one]) => ({ ...one, text: before + one.text }));
  const steps = fc.array(fc.integer({ min: 1, max: 4_000 }), { minLength: 1, maxLength: 6 });

  test("are read one after the other, however they come apart", () => {
    fc.assert(
      fc.property(fc.array(made, { minLength: 1, maxLength: 4 }), steps, (replies, lengths) => {
        const reader = new ResponseReader();
        for (const { text, body: expected } of replies) {
          const told = new Told(reader);
          reader.begin("GET", false, told);
          for (let at = 0, turn = 0; at < text.length; turn++) {
            const length = lengths[turn % lengths.length] ?? 1;
            reader.received(Buffer.from(text.slice(at, at + length), "latin1"));
            at += length;
          }
          expect([told.outcome, told.body === expected, reader.isReusable]).toEqual(["whole", true, true]);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("and damaged never crash it, never tell on after the end, and are judged the same byte by byte", () => {
    fc.assert(
      fc.property(made, damages, fc.boolean(), (one, damage, ends) => {
        const text = damaged(one.text, damage);
        const whole = read([text], { ends });
        const apart = read(Array.from(text), { ends });
        // A head that came apart is not looked at in the midst of a line.
        if (whole.outcome === "broken") return expect(["broken", "open"]).toContain(apart.outcome);
        expect([apart.outcome, apart.body === whole.body, apart.status]).toEqual([whole.outcome, true, whole.status]);
      }),
      { numRuns: 2_000 },
    );
  });
});
