import { expect, test } from "bun:test";
import type * as HttpErrorModule from "./http-error.ts";
import { HttpError, isHttpError, toProblemReply } from "./http-error.ts";

const document = (error: HttpError): unknown => JSON.parse(toProblemReply(error).body);

test("a status and a sentence are a problem document", () => {
  const reply = toProblemReply(new HttpError(404, "There is no pet 7"));
  expect(reply.status).toBe(404);
  expect(reply.headers).toEqual([["content-type", "application/problem+json"]]);
  expect(JSON.parse(reply.body)).toEqual({ type: "about:blank", title: "Not Found", status: 404, detail: "There is no pet 7" });
});

test("a status alone is one too", () => {
  expect(document(new HttpError(503))).toEqual({ type: "about:blank", title: "Service Unavailable", status: 503 });
});

test("members, extensions and headers of the author's own are sent", () => {
  const error = new HttpError(429, {
    type: "https://example.com/slow-down",
    title: "Slow down",
    instance: "/orders/1",
    balance: 30,
    headers: { "Retry-After": 3, "content-type": "text/plain" },
  });
  expect(toProblemReply(error).headers).toEqual([
    ["content-type", "application/problem+json"],
    ["retry-after", "3"],
  ]);
  expect(document(error)).toEqual({
    type: "https://example.com/slow-down",
    title: "Slow down",
    status: 429,
    instance: "/orders/1",
    balance: 30,
  });
});

test("it is an Error with a message, a stack and a cause", () => {
  const cause = new Error("disk");
  const error = new HttpError(500, "Cannot save the pet", { cause });
  expect(error).toBeInstanceOf(Error);
  expect(String(error)).toBe("HttpError: Cannot save the pet");
  expect(new HttpError(404).message).toBe("Not Found");
  expect(error.cause).toBe(cause);
  expect(error.stack).toContain("http-error.test.ts");
});

test.each([200, 302, 399, 600, 404.5, Number.NaN])("status %p is no error", (status) => {
  expect(() => new HttpError(status)).toThrow(RangeError);
});

test("it is known though it is of another copy of the module", async () => {
  const copy = (await import(["./http-error.ts", "copy"].join("?"))) as typeof HttpErrorModule;
  expect(copy.HttpError).not.toBe(HttpError);
  const error = new copy.HttpError(404, "elsewhere");
  expect(error).not.toBeInstanceOf(HttpError);
  expect(isHttpError(error)).toBe(true);
  expect(document(error)).toMatchObject({ status: 404, detail: "elsewhere" });
});

test.each([
  ["an Error", new Error("x")],
  ["an Error with a status", Object.assign(new Error("x"), { status: 404 })],
  ["an object with a status", { status: 404 }],
  ["null", null],
  ["a text", "HttpError"],
])("%s is none", (_, value) => {
  expect(isHttpError(value)).toBe(false);
});

test("a subclass is one", () => {
  class NoSuchPet extends HttpError {
    constructor(id: number) {
      super(404, `There is no pet ${id}`);
    }
  }
  expect(isHttpError(new NoSuchPet(7))).toBe(true);
});
