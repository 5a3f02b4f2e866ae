/** In this process the constructor takes the place of the global one, as in an instance's. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { madeOf, noteResponses, takeBytes } from "./made-response.ts";

const bunsOwn = globalThis.Response;
beforeAll(noteResponses);
afterAll(() => {
  globalThis.Response = bunsOwn;
});

const octets = "application/octet-stream";

test.each<readonly [string, () => unknown, object | undefined]>([
  ["text", () => "a", { whole: true, otherwise: "text/plain" }],
  ["a number", () => 1, { whole: true, otherwise: "text/plain" }],
  ["bytes", () => new Uint8Array(1), { whole: true, otherwise: octets }],
  ["a buffer", () => new ArrayBuffer(1), { whole: true, otherwise: octets }],
  ["parameters", () => new URLSearchParams("a=1"), { whole: true, mediaType: "application/x-www-form-urlencoded;charset=UTF-8" }],
  ["a typed Blob", () => new Blob(["a"], { type: "image/png" }), { whole: false, mediaType: "image/png" }],
  ["a Blob", () => new Blob([new Uint8Array(1)]), { whole: false, otherwise: octets }],
  ["a file", () => Bun.file("/etc/hostname.html"), { whole: false, mediaType: "text/html;charset=utf-8" }],
  ["nothing", () => undefined, undefined],
  ["null", () => null, undefined],
  ["a stream", () => new ReadableStream(), undefined],
])("one that is made of %s is known as such", (_, body, known) => {
  const made = madeOf(new Response(body() as string));
  if (known === undefined) expect(made).toBeUndefined();
  else expect(made).toMatchObject(known);
});

test("one that is made of a form tells the boundary that is in it", async () => {
  const form = new FormData();
  form.set("a", "1");
  const response = new Response(form);
  const boundary = madeOf(response)?.mediaType?.split("boundary=")[1] ?? "none";
  const sent = await response.text();
  expect(sent.startsWith(`--${boundary}\r\n`)).toBe(true);
  expect(sent).toContain('name="a"');
});

test("the statics make them too", async () => {
  expect(madeOf(Response.json({ a: 1 }, { status: 201 }))).toMatchObject({ whole: true });
  expect(Response.json({}, { status: 201 }).status).toBe(201);
  expect(Response.redirect("/a", 303).headers.get("location")).toBe("/a");
  expect(Response.redirect("/a").status).toBe(302);
  expect(Response.error().type).toBe("error");
  expect(await Response.json([1]).json()).toEqual([1]);
});

test("bytes are taken once, as they were when it was made", () => {
  const bytes = new Uint8Array([1, 2]);
  const response = new Response(bytes);
  bytes[0] = 9;
  expect(takeBytes(response)).toEqual(new Uint8Array([1, 2]));
  expect(response.bodyUsed).toBe(true);
});

test("a clone is known as what it is a clone of", async () => {
  const response = new Response("a");
  const clone = response.clone() as Response;
  expect(madeOf(clone)).toBe(madeOf(response));
  expect(await clone.text()).toBe("a");
  expect(Buffer.from(takeBytes(response)).toString()).toBe("a");
});

test("each is a Response, whoever made it", async () => {
  class Own extends Response {
    readonly own = true;
  }
  const own = new Own("text", { status: 201 });
  expect(own).toBeInstanceOf(Own);
  expect([own.status, own.own, await own.text()]).toEqual([201, true, "text"]);
  for (const response of [
    new Response(),
    new bunsOwn(),
    own,
    await fetch("data:text/plain,a"),
    Response.json(1),
    new Response("").clone(),
  ]) {
    expect(response).toBeInstanceOf(Response);
    expect(response).toBeInstanceOf(bunsOwn);
  }
  expect(new Response("").constructor).toBe(Response);
  expect(Response.prototype).toBe(bunsOwn.prototype);
  expect([Response.name, Response.length]).toEqual(["Response", 0]);
});

test("the note is not to be seen", () => {
  const response = new Response("a");
  expect([...Object.getOwnPropertyNames(response), ...Object.getOwnPropertySymbols(response)]).toEqual([]);
});

test("it is called with new", () => {
  expect(() => (Response as unknown as () => void)()).toThrow(TypeError);
});
