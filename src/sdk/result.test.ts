import { describe, expect, test } from "bun:test";
import { readHeaders } from "./reply.ts";
import { mediaTypesByStatus, toReply } from "./result.ts";

const json = mediaTypesByStatus({ "200": "application/json", default: "application/problem+json" });
const none = mediaTypesByStatus(undefined);
const only =
  (mediaType: string): ((status: number) => string) =>
  () =>
    mediaType;
const contentType = (result: unknown, mediaTypeOf = json): string | undefined =>
  toReply(result, mediaTypeOf).headers.find(([name]) => name === "content-type")?.[1];

describe("a bare value", () => {
  test("is the body of a 200", () => {
    expect(toReply({ id: 1 }, json)).toEqual({ status: 200, headers: [["content-type", "application/json"]], body: '{"id":1}' });
  });
  test("that is undefined is a 204", () => {
    expect(toReply(undefined, json)).toEqual({ status: 204, headers: [], body: undefined });
  });
  test.each([
    [null, "null"],
    [0, "0"],
    [false, "false"],
    [[1, 2], "[1,2]"],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [{}, "{}"],
  ])("%p is JSON", (value, text) => {
    expect(toReply(value, none)).toEqual({ status: 200, headers: [["content-type", "application/json"]], body: text });
  });
  test.each([
    [{ status: 200, total: 3 }, '{"status":200,"total":3}'],
    [{ status: "sold" }, '{"status":"sold"}'],
    [{ status: 1.5 }, '{"status":1.5}'],
    [{ body: "x" }, '{"body":"x"}'],
  ])("%p is not taken for a status and a body", (value, text) => {
    expect(toReply(value, json)).toMatchObject({ status: 200, body: text });
  });
});

describe("a status with a body", () => {
  test("is sent with its headers, names in lower case", () => {
    expect(
      toReply(
        { status: 201, headers: { Location: "/pets/1", "X-Left": 3, "set-cookie": ["a=1", "b=2"], gone: undefined }, body: [] },
        none,
      ),
    ).toEqual({
      status: 201,
      headers: [
        ["content-type", "application/json"],
        ["location", "/pets/1"],
        ["x-left", "3"],
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
      ],
      body: "[]",
    });
  });
  test("takes a Headers object too", () => {
    expect(toReply({ status: 204, headers: new Headers({ ETag: '"1"' }) }, none)).toEqual({
      status: 204,
      headers: [["etag", '"1"']],
      body: undefined,
    });
  });
  test("without a body has none, and no Content-Type", () => {
    expect(toReply({ status: 202 }, json)).toEqual({ status: 202, headers: [], body: undefined });
  });
  test.each([204, 205, 304])("%p takes null for no body, and refuses any other", (status) => {
    expect(toReply({ status, body: null }, json).body).toBeUndefined();
    expect(() => toReply({ status, body: "x" }, json)).toThrow(`A response with status ${status} has no body, and this one has "x"`);
  });
  test.each([0, 100, 199, 600, -1])("%p cannot be sent, and the message says how a value with a status is returned", (status) => {
    expect(() => toReply({ status }, json)).toThrow(`status ${status} cannot be sent, 200 to 599 can; a body that has a "status" itself`);
  });
});

describe("the media type", () => {
  test("is the contract's for the status, by its number, its range or the default", () => {
    const types = mediaTypesByStatus({ "200": "application/hal+json", "4XX": "application/vnd.no+json", default: "application/x+json" });
    expect([200, 404, 500].map((status) => contentType({ status, body: {} }, types))).toEqual([
      "application/hal+json",
      "application/vnd.no+json",
      "application/x+json",
    ]);
  });
  test("of a text is the declared one, and decides how it is written", () => {
    expect(toReply("a", only("application/json"))).toMatchObject({ body: '"a"', headers: [["content-type", "application/json"]] });
    expect(toReply("<a/>", only("application/xml"))).toMatchObject({ body: "<a/>", headers: [["content-type", "application/xml"]] });
    expect(toReply("a", only("text/html"))).toMatchObject({ body: "a", headers: [["content-type", "text/html; charset=utf-8"]] });
    expect(toReply("a", none)).toMatchObject({ body: "a", headers: [["content-type", "text/plain; charset=utf-8"]] });
  });
  test("that the author names is kept, and the text for it is not written again", () => {
    const reply = toReply({ status: 200, headers: { "Content-Type": "application/json" }, body: '{"a":1}' }, json);
    expect(reply).toEqual({ status: 200, headers: [["content-type", "application/json"]], body: '{"a":1}' });
  });
  test("of an object is JSON, whatever the contract names first", () => {
    expect(contentType({ a: 1 }, only("application/xml"))).toBe("application/json");
    expect(contentType({ a: 1 }, only("application/json; charset=utf-8"))).toBe("application/json; charset=utf-8");
  });
  test("is never a range", () => {
    expect(contentType("a", only("text/*"))).toBe("text/plain; charset=utf-8");
    expect(contentType({}, only("application/*+json"))).toBe("application/json");
    expect(contentType(new Uint8Array(1), only("image/*"))).toBe("application/octet-stream");
  });
});

describe("bytes", () => {
  const bytes = new Uint8Array([0, 255]);
  test.each([
    ["Uint8Array", bytes],
    ["ArrayBuffer", bytes.buffer],
    ["DataView", new DataView(bytes.buffer)],
  ])("of a %s go out as they are", (_, body) => {
    expect(toReply(body, only("image/png"))).toEqual({ status: 200, headers: [["content-type", "image/png"]], body: bytes });
  });
  test("of a Blob have its type", async () => {
    const reply = toReply(new Blob(["ab"], { type: "image/gif" }), only("image/png"));
    expect(reply.headers).toEqual([["content-type", "image/gif"]]);
    expect(await new Response(reply.body ?? null).text()).toBe("ab");
  });
  test("of a stream are passed on unread", () => {
    const body = new ReadableStream<Uint8Array>();
    expect(toReply({ status: 200, body }, none)).toEqual({ status: 200, headers: [["content-type", "application/octet-stream"]], body });
  });
  test("of a stream that is read already are refused", () => {
    const body = new ReadableStream<Uint8Array>();
    body.getReader();
    expect(() => toReply(body, none)).toThrow("a stream that somebody reads already");
  });
});

describe("a Response", () => {
  test("is sent with its status, headers and body", async () => {
    const reply = toReply(
      new Response("hi", {
        status: 418,
        headers: [
          ["set-cookie", "a=1"],
          ["set-cookie", "b=2"],
          ["content-type", "x/y"],
        ],
      }),
      json,
    );
    expect(reply.status).toBe(418);
    expect(reply.headers).toEqual([
      ["content-type", "x/y"],
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
    ]);
    expect(await new Response(reply.body ?? null).text()).toBe("hi");
  });
  test("without a body has none", () => {
    expect(toReply(new Response(null, { status: 204 }), json)).toEqual({ status: 204, headers: [], body: undefined });
  });
  test("that names no media type has the contract's, or is text", () => {
    expect(contentType(new Response("hi"), none)).toBe("text/plain; charset=utf-8");
    expect(contentType(new Response("hi"), only("text/html"))).toBe("text/html; charset=utf-8");
  });
  test("whose body was read is refused", async () => {
    const response = new Response("hi");
    await response.text();
    expect(() => toReply(response, json)).toThrow("was read already");
  });
  test("of a failed fetch is refused", () => {
    expect(() => toReply(Response.error(), json)).toThrow("A Response with status 0 cannot be sent");
  });
});

describe("what cannot be sent is refused with what to do", () => {
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  test.each([
    ["a promise", Promise.resolve(1), "await it"],
    ["an async iterable", (async function* () {})(), "ReadableStream.from"],
    ["a Map", new Map([[1, 2]]), "return a list or a plain object"],
    ["an Error", new Error("x"), "throw it"],
    ["a function", () => 1, "it is a function"],
    ["a bigint", 1n, "cannot be written as JSON"],
    ["a circle", circle, "cannot be written as JSON"],
  ])("%s", (_, body, message) => {
    expect(() => toReply({ status: 200, body }, json)).toThrow(message);
  });
  test.each([
    [{ "a b": "1" }, '"a b" is not a header\'s name'],
    [{ a: "1\r\nb: 2" }, "The header a has characters that HTTP cannot carry"],
    [{ a: "日" }, "encodeURIComponent"],
    [{ a: {} }, "The header a must be text or a number, not an object"],
    [["a"], "headers must be an object, not a list"],
  ])("headers %p", (headers, message) => {
    expect(() => readHeaders(headers)).toThrow(message);
  });
});

test("replies without headers of their own share their list", () => {
  expect(toReply(1, json).headers).toBe(toReply(2, json).headers);
});
