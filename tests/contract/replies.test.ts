import { describe, expect, test } from "bun:test";
import type { ContractOperation } from "../../src/contract/contract.ts";
import { operationOf } from "./contract-of.ts";

const schema = { type: "object", required: ["id"], properties: { id: { type: "integer" } } };
const responses = {
  200: {
    description: "ok",
    headers: { "X-Left": { required: true, schema: { type: "integer" } } },
    content: { "application/json": { schema }, "text/plain": { schema: { type: "string" } } },
  },
  "2XX": { description: "other" },
  404: { $ref: "#/components/responses/Missing" },
};
const components = {
  responses: { Missing: { description: "none", content: { "application/problem+json": { schema: { type: "object" } } } } },
};

function check(
  operation: ContractOperation,
  status: number,
  type: string | undefined,
  body: string,
  headers: Record<string, string> = { "x-left": "3" },
): string[] {
  const found = operation.checkReply({
    status,
    ...(type === undefined ? {} : { contentType: type }),
    headers: new Headers(headers),
    body: new TextEncoder().encode(body),
  });
  return found.map((one) => `${one.in} ${one.path}: ${one.message}`);
}

describe("a reply", () => {
  test("that keeps the contract has no violations", async () => {
    const operation = await operationOf("3.0.3", "get", { responses }, components);
    expect(check(operation, 200, "application/json; charset=utf-8", '{"id":1}')).toEqual([]);
    expect(check(operation, 200, "text/plain", "hello")).toEqual([]);
    expect(check(operation, 204, undefined, "")).toEqual([]);
    expect(check(operation, 404, "application/problem+json", "{}")).toEqual([]);
  });
  test("is judged by status, headers, media type and body", async () => {
    const operation = await operationOf("3.0.3", "get", { responses }, components);
    expect(check(operation, 500, "text/plain", "x")).toEqual(["status 500: is not in the contract, which has 200, 404, 2XX"]);
    expect(check(operation, 200, "application/json", '{"id":"x"}', {})).toEqual([
      "header X-Left: is required",
      'body $.id: must be an integer, got the string "x"',
    ]);
    expect(check(operation, 200, "application/json", '{"id":1}', { "x-left": "few" })).toEqual([
      'header X-Left: must be an integer, got the string "few"',
    ]);
    expect(check(operation, 200, "text/html", "x")).toEqual(['header Content-Type: must be application/json, text/plain, got "text/html"']);
    expect(check(operation, 200, "application/json", "{")).toEqual([
      'body $: is not valid JSON: expected a property name or "}", got the end at line 1, column 2',
    ]);
    expect(check(operation, 404, "application/problem+json", "")).toEqual([
      "body $: is missing: the contract has application/problem+json",
    ]);
  });
  test("to HEAD has no body to judge", async () => {
    const operation = await operationOf("3.0.3", "head", { responses }, components);
    expect(check(operation, 200, "application/json", "")).toEqual([]);
  });
  test("of an operation with a default may have any status", async () => {
    const operation = await operationOf("3.0.3", "get", { responses: { default: { description: "any" } } });
    expect(check(operation, 599, undefined, "")).toEqual([]);
  });
});

test("the media type of a status is the first that the contract declares for it", async () => {
  const operation = await operationOf("3.0.3", "get", { responses }, components);
  expect([200, 201, 404, 500].map((status) => operation.replyMediaType(status))).toEqual([
    "application/json",
    undefined,
    "application/problem+json",
    undefined,
  ]);
});

test("media types of all statuses are told as the contract writes them", async () => {
  const declared = (...types: readonly string[]) => ({ description: "d", content: Object.fromEntries(types.map((type) => [type, {}])) });
  const operation = await operationOf(
    "3.0.3",
    "get",
    {
      responses: {
        200: declared("*/*", "text/csv", "application/json"),
        201: { description: "none" },
        "4xx": declared("application/problem+json"),
        404: { $ref: "#/components/responses/Gone" },
        default: declared("text/plain"),
        "x-other": declared("a/b"),
      },
    },
    { responses: { Gone: declared("text/html") } },
  );
  expect(operation.replyMediaTypes()).toEqual({
    200: "text/csv",
    "4XX": "application/problem+json",
    404: "text/html",
    default: "text/plain",
  });
});

test("Accept is satisfied by what a success may be", async () => {
  const operation = await operationOf("3.0.3", "get", { responses }, components);
  const table: readonly (readonly [string, boolean])[] = [
    ["*/*", true],
    ["", true],
    ["application/json", true],
    ["application/*;q=0.5", true],
    ["text/html", false],
    ["text/html, */*;q=0.1", true],
    ["application/json;q=0", false],
    ["application/json;q=0, */*", true],
    ["*/*;q=0", false],
    ["application/problem+json", false],
    ["APPLICATION/JSON", true],
  ];
  for (const [accept, expected] of table) expect([accept, operation.canProduce(accept)]).toEqual([accept, expected]);
  const silent = await operationOf("3.0.3", "get", {});
  expect(silent.canProduce("text/html")).toBe(true);
});

test("a reply is judged by its own media type, whichever came before", async () => {
  const schema = { type: "number" };
  const content = { "application/json": { schema }, "text/plain": {} };
  const operation = await operationOf("3.0.3", "get", { responses: { 200: { description: "d", content } } });
  for (let round = 0; round < 2; round++) {
    expect(check(operation, 200, "application/json", '"x"')).toHaveLength(1);
    expect(check(operation, 200, "text/plain", '"x"')).toEqual([]);
    expect(check(operation, 200, "image/png", '"x"')).toHaveLength(1);
    expect(check(operation, 200, "application/json", "1")).toEqual([]);
  }
});

test("a request's body is opaque where it is not parsed", async () => {
  const content = { "application/json": {}, "image/*": {}, "text/plain": {}, "application/xml": {}, "multipart/form-data": {} };
  const operation = await operationOf("3.0.3", "post", { requestBody: { content } });
  const types = ["image/png", "application/json", "text/plain", "application/xml", "multipart/form-data; boundary=x", "video/mp4", null];
  expect(types.map((type) => operation.isOpaque(type))).toEqual([true, false, false, false, false, false, false]);
  const silent = await operationOf("3.0.3", "post", {});
  expect([silent.isOpaque("application/json"), silent.isOpaque(null)]).toEqual([true, true]);
});

test("a request's media type is taken when the contract has it", async () => {
  const operation = await operationOf("3.0.3", "post", { requestBody: { content: { "application/json": {}, "image/*": {} } } });
  expect(["application/json; charset=utf-8", "image/png", "text/plain", "nonsense"].map((type) => operation.takesMediaType(type))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
