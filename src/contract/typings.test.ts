import { describe, expect, test } from "bun:test";
import { appOf } from "../../tests/app-folder.ts";
import { loadContract } from "./load.ts";
import { writeTypings } from "./typings.ts";

async function typingsOf(document: object, files: Readonly<Record<string, string>> = {}): Promise<string> {
  using app = appOf({ "openapi.json": JSON.stringify(document), ...files });
  const loaded = await loadContract(app.path("openapi.json"));
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join("; "));
  const text = writeTypings(loaded.contract, "openapi.json");
  expect(writeTypings(loaded.contract, "openapi.json")).toBe(text);
  return text;
}

const info = { title: "t", version: "1" };
const ok = { "200": { description: "ok" } };

/** The type that a schema is written as, on one line. */
async function typeOf(schema: unknown, more: Readonly<Record<string, unknown>> = {}, openapi = "3.1.0"): Promise<string> {
  const text = await typingsOf({ openapi, info, paths: {}, components: { schemas: { It: schema, ...more } } });
  return oneLine(declarationIn(text, "It"));
}

const declarationIn = (text: string, name: string): string => new RegExp(`export type ${name} =(.*?);\n\n`, "s").exec(text)?.[1] ?? "none";
const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim();

/** The members of an operation's type, on one line. */
async function operationOf(operation: object, openapi = "3.1.0", pathItem: object = {}, verb = "put"): Promise<string> {
  const text = await typingsOf({ openapi, info, paths: { "/a/{id}": { [verb]: { operationId: "it", ...operation }, ...pathItem } } });
  return oneLine(/ {2}it: (.*?);\n\}\n/s.exec(text)?.[1] ?? "none");
}

describe("schemas", () => {
  test.each([
    [true, "unknown"],
    [{}, "unknown"],
    [false, "never"],
    [{ type: "string", format: "date" }, "string"],
    [{ type: "integer" }, "number"],
    [{ type: ["string", "null"] }, "string | null"],
    [{ type: "array" }, "unknown[]"],
    [{ type: "array", items: { type: ["string", "number"] } }, "(string | number)[]"],
    [{ items: { type: "array", items: { type: "boolean" } } }, "boolean[][]"],
    [{ type: "array", prefixItems: [{ type: "string" }, { type: "number" }], items: false, minItems: 1 }, "[string, number?]"],
    [{ type: "array", prefixItems: [{ type: "string" }], minItems: 1 }, "[string, ...unknown[]]"],
    [{ type: "array", items: false }, "[]"],
    [{ const: 7 }, "7"],
    [{ const: { a: [1, "x", null] } }, '{ a: [1, "x", null]; }'],
    [{ enum: ["a", 'b"', 1, true, null] }, '"a" | "b\\"" | 1 | true | null'],
    [{ type: "string", enum: [] }, "never"],
    [{ type: "object" }, "{ [name: string]: unknown; }"],
    [{ type: "object", additionalProperties: false }, "Record<string, never>"],
    [{ type: "object", additionalProperties: { type: "number" } }, "{ [name: string]: number; }"],
    [{ type: "object", patternProperties: { "^x-": { type: "string" } }, additionalProperties: false }, "{ [name: string]: string; }"],
    [{ properties: { a: {}, "b-c": { type: "string" } }, required: ["a"] }, '{ a: unknown; "b-c"?: string; }'],
    [{ properties: { a: {} }, required: ["z"] }, "{ a?: unknown; z: unknown; }"],
    [
      { properties: { a: { type: "string" } }, additionalProperties: { type: "number" } },
      "{ a?: string; [name: string]: number | string | undefined; }",
    ],
    [{ type: ["object", "string"], properties: { a: { type: "null" } } }, "{ a?: null; } | string"],
    [{ not: { type: "string" } }, "unknown"],
  ])("%j is %s", async (schema, type) => {
    expect(await typeOf(schema)).toBe(type);
  });

  test("of 3.0 say by nullable that they may be null; those of 3.1 do not", async () => {
    expect(await typeOf({ type: "string", nullable: true }, {}, "3.0.3")).toBe("string | null");
    expect(await typeOf({ enum: ["a"], nullable: true, type: "string" }, {}, "3.0.3")).toBe('"a" | null');
    expect(await typeOf({ type: "string", nullable: true })).toBe("string");
    expect(await typeOf({ allOf: [{ $ref: "#/components/schemas/A" }], nullable: true }, { A: { type: "object" } }, "3.0.3")).toBe(
      "A | null",
    );
  });

  test("of long enumerations have a line for each value", async () => {
    const values = ["first", "second", "third", "fourth"].map((name) => `${name}-${"x".repeat(30)}`);
    const text = await typingsOf({ openapi: "3.1.0", info, paths: {}, components: { schemas: { It: { enum: values } } } });
    expect(text).toContain(`export type It =\n  | "${values[0]}"\n  | "${values[1]}"\n`);
  });

  test("are commented with what the contract says of them", async () => {
    const text = await typingsOf({
      openapi: "3.1.0",
      info,
      paths: {},
      components: {
        schemas: {
          It: {
            description: "Ends */ here\nand goes on",
            type: "object",
            properties: { at: { type: "string", format: "date-time", default: "now", deprecated: true } },
          },
        },
      },
    });
    expect(text).toContain("/**\n * Ends *\\/ here\n * and goes on\n */\nexport type It = {\n");
    expect(text).toContain('  /**\n   * Format: date-time\n   * @default "now"\n   * @deprecated\n   */\n  at?: string;\n');
  });
});

describe("compositions", () => {
  const A = { type: "object", properties: { a: { type: "string" } } };
  const B = { type: "object", properties: { b: { type: "number" } }, required: ["b"] };
  const [a, b] = [{ $ref: "#/components/schemas/A" }, { $ref: "#/components/schemas/B" }];
  test.each([
    [{ allOf: [a, b] }, "A & B"],
    [{ oneOf: [a, b] }, "A | B"],
    [{ anyOf: [a, { type: "null" }] }, "A | null"],
    [{ type: "array", items: { oneOf: [a, b] } }, "(A | B)[]"],
    [{ allOf: [a, { oneOf: [b, { type: "string" }] }] }, "A & (B | string)"],
    [{ type: "object", allOf: [a] }, "A"],
    [{ allOf: [a, { properties: { c: {} } }] }, "A & { c?: unknown; }"],
    [{ allOf: [a, { required: ["a"] }] }, 'A & Required<Pick<A, "a">>'],
    [{ ...a, required: ["a"] }, 'A & Required<Pick<A, "a">>'],
    [{ ...a, description: "just said" }, "A"],
    [{ required: ["c"], allOf: [{ properties: { c: { type: "string" } } }] }, "{ c: string; }"],
    [{ properties: { c: { type: "string" } }, anyOf: [{ required: ["c"] }, { required: ["d"] }] }, "{ c?: string; }"],
    [{ oneOf: [a, {}] }, "unknown"],
    [{ allOf: [b, { type: "object", required: ["b"] }] }, "B"],
  ])("%j is %s", async (schema, type) => {
    expect(await typeOf(schema, { A, B })).toBe(type);
  });

  test("of schemas that are their own part or alternative end", async () => {
    expect(
      await typeOf({ anyOf: [{ $ref: "#/components/schemas/Other" }, { type: "string" }] }, { Other: { $ref: "#/components/schemas/It" } }),
    ).toBe("unknown");
    const json = { oneOf: [{ type: "string" }, { type: "array", items: { $ref: "#/components/schemas/It" } }] };
    expect(await typeOf(json)).toBe("string | It[]");
  });
});

describe("names", () => {
  test("of schemas that are none in TypeScript are made such, each its own", async () => {
    const schemas = { string: true, Record: true, "pet-tag": true, pet_tag: true, "7up": true, operations: true };
    const text = await typingsOf({ openapi: "3.1.0", info, paths: {}, components: { schemas } });
    const named = [...text.matchAll(/export type (\S+)/g)].map(([, name]) => name);
    expect(named).toEqual(["_string", "_Record", "pet_tag", "pet_tag_2", "_7up", "_operations"]);
    expect(text).toContain('  schemas: {\n    string: _string;\n    Record: _Record;\n    "pet-tag": pet_tag;\n    pet_tag: pet_tag_2;\n');
  });

  test("are given to what other files hold, and to what is no component", async () => {
    const text = await typingsOf(
      {
        openapi: "3.1.0",
        info,
        paths: {
          "/a": {
            get: { responses: { "200": { description: "ok", content: { "application/json": { schema: { $ref: "other.yaml#/Deep" } } } } } },
          },
        },
      },
      { "other.yaml": "Deep: { type: object, properties: { more: { $ref: '#/Deep' } } }\n" },
    );
    expect(text).toContain('"application/json": Deep;');
    expect(oneLine(declarationIn(text, "Deep"))).toBe("{ more?: Deep; }");
  });
});

test("read-only and write-only properties make a type for requests", async () => {
  const User = {
    type: "object",
    required: ["id", "password", "name"],
    properties: {
      id: { type: "integer", readOnly: true },
      password: { type: "string", writeOnly: true },
      name: { type: "string" },
      friends: { type: "array", items: { $ref: "#/components/schemas/User" } },
    },
  };
  const schemas = { User, Team: { properties: { lead: { $ref: "#/components/schemas/User" } } }, Other: { properties: { a: {} } } };
  const content = { "application/json": { schema: { $ref: "#/components/schemas/Team" } } };
  const operation = { operationId: "it", requestBody: { content }, responses: { "200": { description: "ok", content } } };
  const text = await typingsOf({ openapi: "3.1.0", info, paths: { "/a": { put: operation } }, components: { schemas } });
  expect(oneLine(declarationIn(text, "User"))).toBe("{ id: number; password?: string; name: string; friends?: User[]; }");
  expect(oneLine(declarationIn(text, "UserRequest"))).toBe("{ id?: number; password: string; name: string; friends?: UserRequest[]; }");
  expect(oneLine(declarationIn(text, "TeamRequest"))).toBe("{ lead?: UserRequest; }");
  expect(text).not.toContain("OtherRequest");
  expect(oneLine(text)).toContain(
    'requestBody?: { content: { "application/json": TeamRequest; }; }; responses: { /** ok */ 200: { content: { "application/json": Team; }; }; };',
  );
});

describe("operations", () => {
  test("have the parameters that a function gets", async () => {
    const parameters = [
      { name: "limit", in: "query", schema: { type: "integer", default: 20 } },
      { name: "tag", in: "query", schema: { type: "string" } },
      { name: "empty", in: "query", required: true, allowEmptyValue: true, schema: { type: "integer" } },
      { name: "filter", in: "query", content: { "application/json": { schema: { type: "object", properties: { a: {} } } } } },
      { name: "X-Key", in: "header", required: true, schema: { type: "string" } },
      { name: "Accept", in: "header", schema: { type: "string" } },
      { name: "sid", in: "cookie", schema: { type: "string" } },
    ];
    expect(await operationOf({ parameters, responses: ok })).toBe(
      '{ parameters: { path: { id: string; }; query: { /** @default 20 */ limit: number; tag?: string; empty: number | ""; filter?: { a?: unknown; }; }; ' +
        'header: { "x-key": string; }; }; responses: { /** ok */ 200: Record<never, never>; }; }',
    );
  });

  test("have their path's parameters, unless they declare these themselves", async () => {
    const of = (type: string): object => ({ parameters: [{ name: "id", in: "path", required: true, schema: { type } }] });
    expect(await operationOf({ responses: ok }, "3.1.0", of("integer"))).toContain("path: { id: number; }");
    expect(await operationOf({ ...of("boolean"), responses: ok }, "3.1.0", of("integer"))).toContain("path: { id: boolean; }");
  });

  test("have bodies by their media types: parsed ones as values, others as bytes", async () => {
    const schema = { type: "object", properties: { a: { type: "string" } } };
    const content = Object.fromEntries(
      ["application/json", "application/xml", "multipart/form-data", "text/plain", "image/*"].map((mediaType) => [mediaType, { schema }]),
    );
    const written = await operationOf({ requestBody: { required: true, content }, responses: { "200": { description: "ok", content } } });
    expect(written).toContain(
      'requestBody: { content: { "application/json": { a?: string; }; "application/xml": { a?: string; }; "multipart/form-data": { a?: string; }; ' +
        '"text/plain": Uint8Array; "image/*": Uint8Array; }; };',
    );
    expect(written).toContain(
      '200: { content: { "application/json": { a?: string; }; "application/xml": string; "multipart/form-data": Uint8Array; ' +
        '"text/plain": string; "image/*": Uint8Array; }; };',
    );
  });

  test("have a body that may be missing where it is not required, or where 3.0 gives it no meaning", async () => {
    const requestBody = { required: true, content: { "application/json": {} } };
    expect(await operationOf({ requestBody: { content: {} }, responses: ok })).toContain("requestBody?: Record<string, never>;");
    expect(await operationOf({ requestBody, responses: ok }, "3.0.3", {}, "get")).toContain("requestBody?: {");
    expect(await operationOf({ requestBody, responses: ok }, "3.1.0", {}, "get")).toContain("requestBody: {");
  });

  test("have responses by status, range and default, with their headers", async () => {
    const responses = {
      "201": {
        description: "made",
        headers: {
          Location: { required: true, schema: { type: "string" } },
          "x-left": { schema: { type: "integer" } },
          "Content-Type": { schema: {} },
        },
      },
      "4xx": { description: "no" },
      default: { description: "else" },
    };
    expect(await operationOf({ responses })).toContain(
      'responses: { /** made */ 201: { headers: { Location: string; "x-left"?: number; }; }; /** no */ "4XX": Record<never, never>; ' +
        "/** else */ default: Record<never, never>; };",
    );
  });

  test("without an id, or with one that is taken, go by their method and path", async () => {
    const text = await typingsOf({
      openapi: "3.1.0",
      info,
      paths: { "/a": { get: { operationId: "x", responses: ok }, put: { operationId: "x", responses: ok }, post: { responses: ok } } },
    });
    expect([...text.matchAll(/^ {2}(\S.*): \{$/gm)].map(([, key]) => key)).toEqual(["x", '"PUT /a"', '"POST /a"']);
  });

  test("say nothing of what the contract does not", async () => {
    const text = await typingsOf({ openapi: "3.1.0", info, paths: { "/a": { get: {} } } });
    expect(text).toContain('"GET /a": Record<never, never>;');
  });
});
