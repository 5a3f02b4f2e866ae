import { describe, expect, test } from "bun:test";
import { faults, operationOf, send, type Sent, nothingLocated, readQuery } from "./contract-of.ts";

const path = "/x";

async function query(schema: object, more: object = {}): Promise<(text: string) => unknown> {
  const operation = await operationOf("3.1.0", "get", { parameters: [{ name: "p", in: "query", schema, ...more }] });
  return (text) => {
    const read = send(operation, { query: text });
    return read.ok ? read.parameters["p"] : faults(read);
  };
}

describe("text is read as the schema wants it", () => {
  const table: readonly (readonly [schema: object, text: string, value: unknown])[] = [
    [{ type: "integer" }, "p=12", 12],
    [{ type: "integer" }, "p=1e3", 1000],
    [{ type: "integer" }, "p=12.0", 12],
    [{ type: "integer" }, "p=012", ['query p: must be an integer, got the string "012"']],
    [{ type: "integer" }, "p=", ['query p: must be an integer, got the string ""']],
    [{ type: "number" }, "p=-1.5", -1.5],
    [{ type: "boolean" }, "p=true", true],
    [{ type: "boolean" }, "p=1", ['query p: must be true or false, got the string "1"']],
    [{ type: ["integer", "null"] }, "p=null", null],
    [{ type: "string" }, "p=12", "12"],
    [{ type: "string" }, "p=a+b%20c%2B", "a b c+"],
    [{}, "p=12", "12"],
    [{ enum: [1, 2] }, "p=2", 2],
    [
      {
        oneOf: [
          { type: "integer", maximum: 5 },
          { type: "string", minLength: 2 },
        ],
      },
      "p=3",
      3,
    ],
    [
      {
        oneOf: [
          { type: "integer", maximum: 5 },
          { type: "string", minLength: 2 },
        ],
      },
      "p=77",
      "77",
    ],
    [{ type: "array", items: { type: "integer" } }, "p=1&p=2", [1, 2]],
    [{ type: "array", items: { type: "integer" } }, "p[]=1&p[]=2", [1, 2]],
    [{ type: "array", items: { type: "string" } }, "p=a%2Cb", ["a,b"]],
    [{ anyOf: [{ type: "integer" }, { type: "array", items: { type: "integer" } }] }, "p=4", [4]],
    [{ allOf: [{ type: "number" }, { maximum: 3 }] }, "p=4", ["query p: must be at most 3, got the number 4"]],
  ];
  for (const [schema, text, value] of table) {
    test(`${text} for ${JSON.stringify(schema)}`, async () => {
      expect((await query(schema))(text)).toEqual(value);
    });
  }
});

describe("numbers that a double cannot hold", () => {
  test("are judged exactly and handed on with every digit", async () => {
    const read = await query({ type: "integer", format: "int64", maximum: 9007199254740992 });
    expect(JSON.stringify(read("p=-9007199254740993"))).toBe("-9007199254740993");
    const any = await query({ type: "integer", format: "int64" });
    expect(JSON.stringify(any("p=9223372036854775807"))).toBe("9223372036854775807");
    expect(any("p=9223372036854775808")).toEqual(['query p: must have the format "int64", got the number 9223372036854776000']);
    expect((await query({ type: "integer", multipleOf: 2 }))("p=9007199254740993")).toEqual([
      "query p: must be a multiple of 2, got the number 9007199254740993",
    ]);
  });
  test("are judged exactly in JSON bodies", async () => {
    const schema = { type: "array", uniqueItems: true, items: { type: "integer", format: "int64" } };
    const operation = await operationOf("3.0.3", "post", { requestBody: { content: { "application/json": { schema } } } });
    const judge = (body: string) => faults(send(operation, { type: "application/json", body }));
    expect(judge("[9007199254740992,9007199254740993]")).toEqual([]);
    expect(judge("[9007199254740993,9007199254740993]")[0]).toContain("must not hold the same item twice");
    expect(judge("[9223372036854775807]")).toEqual([]);
    expect(judge("[9223372036854775808]").length).toBe(1);
    expect(judge("[1e400]").length).toBe(1);
  });
});

describe("styles", () => {
  const array = { type: "array", items: { type: "integer" } };
  const object = { type: "object", properties: { r: { type: "integer" }, g: { type: "string" } } };
  const table: readonly (readonly [
    where: "path" | "query" | "header" | "cookie",
    style: string,
    explode: boolean,
    schema: object,
    raw: string,
    value: unknown,
  ])[] = [
    ["path", "simple", false, array, "1,2", [1, 2]],
    ["path", "simple", false, object, "r,1,g,x", { r: 1, g: "x" }],
    ["path", "simple", true, object, "r=1,g=x", { r: 1, g: "x" }],
    ["path", "label", false, array, ".1,2", [1, 2]],
    ["path", "label", false, array, ".1.2", [1, 2]],
    ["path", "label", true, object, ".r=1.g=x", { r: 1, g: "x" }],
    ["path", "matrix", false, array, ";p=1,2", [1, 2]],
    ["path", "matrix", true, array, ";p=1;p=2", [1, 2]],
    ["path", "matrix", true, object, ";r=1;g=x", { r: 1, g: "x" }],
    ["path", "simple", false, { type: "string" }, "a%2Fb%20%C3%A9", "a/b é"],
    ["query", "form", false, array, "p=1,2", [1, 2]],
    ["query", "form", false, array, "p=1%2C2", [1, 2]],
    ["query", "form", true, object, "r=1&g=x&z=3", { r: 1, g: "x" }],
    ["query", "form", false, object, "p=r,1,g,x", { r: 1, g: "x" }],
    ["query", "spaceDelimited", false, array, "p=1%202", [1, 2]],
    ["query", "pipeDelimited", false, array, "p=1|2%7C3", [1, 2, 3]],
    ["query", "deepObject", true, object, "p[r]=1&p%5Bg%5D=x", { r: 1, g: "x" }],
    [
      "query",
      "deepObject",
      true,
      { type: "object", properties: { a: { type: "object", properties: { b: array } } } },
      "p[a][b]=1&p[a][b]=2",
      { a: { b: [1, 2] } },
    ],
    ["query", "form", true, { type: "object", additionalProperties: { type: "integer" } }, "a=1&b=2", { a: 1, b: 2 }],
  ];
  for (const [where, style, explode, schema, raw, value] of table) {
    test(`${where} ${style}${explode ? " exploded" : ""} ${raw}`, async () => {
      const parameter = { name: "p", in: where, required: true, style, explode, schema };
      const operation = await operationOf("3.0.3", "get", { parameters: [parameter] }, {}, where === "path" ? "/x/{p}" : path);
      const sent: Sent = where === "path" ? { path: { p: raw } } : { query: raw };
      const read = send(operation, sent);
      expect(read.ok ? read.parameters["p"] : faults(read)).toEqual(value);
    });
  }
  test("headers and cookies are judged, and stand apart from the others", async () => {
    const operation = await operationOf("3.0.3", "get", {
      parameters: [
        { name: "X-Ids", in: "header", required: true, schema: array },
        { name: "theme", in: "cookie", schema: { type: "string", enum: ["dark", "light"] } },
        { name: "Accept", in: "header", required: true, schema: { type: "string", enum: ["never"] } },
      ],
    });
    expect(send(operation, { headers: { "X-Ids": "1, 2", Cookie: "a=b; theme=dark" } })).toEqual({
      ok: true,
      parameters: {},
      located: { ...nothingLocated, header: { "x-ids": [1, 2] }, cookie: { theme: "dark" } },
      bodyForm: "none",
    });
    expect(faults(send(operation, { headers: { "X-Ids": "1,b", Cookie: "theme=blue" } }))).toEqual([
      'header X-Ids[1]: must be an integer, got the string "b"',
      'cookie theme: must be one of "dark", "light", got the string "blue"',
    ]);
    expect(faults(send(operation, {}))).toEqual(["header X-Ids: is required"]);
  });
  test("a parameter may be JSON", async () => {
    const content = { "application/json": { schema: { type: "object", required: ["a"], properties: { a: { type: "integer" } } } } };
    const operation = await operationOf("3.0.3", "get", { parameters: [{ name: "p", in: "query", content }] });
    expect(send(operation, { query: "p=%7B%22a%22%3A1%7D" })).toEqual(readQuery({ p: { a: 1 } }));
    expect(faults(send(operation, { query: 'p={"a":"x"}' }))).toEqual(['query p.a: must be an integer, got the string "x"']);
    expect(faults(send(operation, { query: "p={" }))[0]).toContain("query p: must be JSON");
  });
});

test("parameters stand where they came from, typed, with their defaults", async () => {
  const operation = await operationOf(
    "3.0.3",
    "get",
    {
      parameters: [
        { name: "id", in: "path", required: true, schema: { type: "integer" } },
        { name: "id", in: "query", schema: { type: "boolean" } },
        { name: "limit", in: "query", schema: { type: "integer", default: 10 } },
        { name: "X-Count", in: "header", schema: { type: "integer" } },
        { name: "X-Mode", in: "header", schema: { type: "string", default: "plain" } },
        { name: "seen", in: "cookie", schema: { type: "boolean" } },
      ],
    },
    {},
    "/x/{id}/{other}",
  );
  const sent = { path: { id: "7", other: "a%20b" }, query: "id=true", headers: { "x-count": "3", cookie: "seen=true" } };
  expect(send(operation, sent)).toMatchObject({
    parameters: { id: true, limit: 10, other: "a b" },
    located: {
      path: { id: 7, other: "a b" },
      query: { id: true, limit: 10 },
      header: { "x-count": 3, "x-mode": "plain" },
      cookie: { seen: true },
    },
  });
});

describe("what is given", () => {
  test("twice where one is wanted is refused", async () => {
    expect((await query({ type: "integer" }))("p=1&p=2")).toEqual(["query p: must be given once, is given 2 times"]);
  });
  test("empty is taken where allowEmptyValue says so", async () => {
    expect((await query({ type: "integer" }, { allowEmptyValue: true }))("p=")).toBe("");
  });
  test("with invalid percent-encoding is refused, never thrown over", async () => {
    expect((await query({ type: "string" }))("p=%zz")).toEqual(["query p: cannot be read: its percent-encoding is invalid"]);
    expect((await query({ type: "string" }))("%zz=1")).toEqual(['query : has a name with invalid percent-encoding: "%zz=1"']);
    const operation = await operationOf(
      "3.0.3",
      "get",
      { parameters: [{ name: "p", in: "path", required: true, schema: { type: "string" } }] },
      {},
      "/x/{p}",
    );
    expect(faults(send(operation, { path: { p: "%ff" } }))).toEqual(["path p: cannot be read: its percent-encoding is invalid"]);
  });
  test("beyond the contract is allowed and left out", async () => {
    expect((await query({ type: "integer" }))("utm=x&p=1")).toBe(1);
  });
  test("not at all is filled in from the default, unless it is required", async () => {
    expect((await query({ type: "integer", default: 20 }))("")).toBe(20);
    expect((await query({ type: "integer", default: 20 }, { required: true }))("")).toEqual(["query p: is required"]);
  });
  test("in more than 10 000 parts is refused", async () => {
    expect((await query({ type: "array", items: { type: "integer" } }))("p=1&".repeat(10_001))).toEqual([
      "query : has more than 10000 parts",
    ]);
  });
  test("under the names of every object's own properties changes none", async () => {
    const read = await query({ type: "object", additionalProperties: { type: "string" } }, { style: "deepObject" });
    const value = read("p[__proto__]=x&p[constructor][prototype][polluted]=y") as object;
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
    expect(value).toBeDefined();
  });
});

test("parameters of the path are the operation's unless it declares its own", async () => {
  const { contractOf } = await import("./contract-of.ts");
  const contract = await contractOf({
    "a.yaml": `openapi: 3.0.3
info: { title: t, version: "1" }
paths:
  /a:
    parameters: [{ name: n, in: query, required: true, schema: { type: integer } }, { name: m, in: query, schema: { type: integer } }]
    get:
      parameters: [{ name: n, in: query, schema: { type: boolean } }]
      responses: { "200": { description: ok } }
`,
  });
  const [operation] = contract.operations;
  expect(operation && send(operation, { query: "n=true&m=3" })).toEqual(readQuery({ m: 3, n: true }));
  expect(operation && send(operation, {})).toEqual(readQuery({}));
});

test("without validation only what cannot be read is refused", async () => {
  const operation = await operationOf("3.0.3", "get", {
    parameters: [{ name: "n", in: "query", required: true, schema: { type: "integer", maximum: 3 } }],
  });
  expect(send(operation, { query: "n=7", validate: false })).toEqual(readQuery({ n: 7 }));
  expect(send(operation, { query: "n=x", validate: false })).toEqual(readQuery({ n: "x" }));
  expect(send(operation, { validate: false }).ok).toBe(true);
  expect(send(operation, { query: "n=%f", validate: false }).ok).toBe(false);
});

describe("objects that a schema lists as values are equal to what is written", () => {
  const colour = { type: "object", properties: { r: { type: "integer" }, g: { type: "integer" } } };

  test("by enum, whatever the order of their names", async () => {
    const read = await query({ ...colour, enum: [{ r: 1, g: 2 }] }, { style: "deepObject", explode: true });
    expect(read("p[r]=1&p[g]=2")).toEqual({ r: 1, g: 2 });
    expect(read("p[g]=2&p[r]=1")).toEqual({ r: 1, g: 2 });
    expect(read("p[r]=1&p[g]=3")).toEqual(['query p: must be {"r":1,"g":2}, got an object']);
  });

  test("by const, within a list too", async () => {
    const read = await query({ ...colour, const: { r: 1 } }, { explode: false });
    expect(read("p=r,1")).toEqual({ r: 1 });
    expect(read("p=r,2")).toEqual(['query p: must be {"r":1}, got an object']);
    const list = await query({ type: "array", items: { type: "integer" }, enum: [[1, 2], [3]] });
    expect(list("p=1&p=2")).toEqual([1, 2]);
    expect(list("p=1")).toEqual(["query p: must be one of [1,2], [3], got an array"]);
  });
});

describe("a separator that is not encoded is the only one", () => {
  test("of a list with pipes", async () => {
    const read = await query({ type: "array", items: { type: "string" } }, { style: "pipeDelimited", explode: false });
    expect(read("p=a|b%7Cc")).toEqual(["a", "b|c"]);
    expect(read("p=a%7Cb")).toEqual(["a", "b"]);
  });

  test("of an object with pipes", async () => {
    const read = await query({ type: "object" }, { style: "pipeDelimited", explode: false });
    expect(read("p=r|a%7Cb|g|2")).toEqual({ r: "a|b", g: "2" });
    expect(read("p=r%7C1%7Cg%7C2")).toEqual({ r: "1", g: "2" });
  });
});

describe("an object of clients that encode every separator", () => {
  const schema = { type: "object", properties: { r: { type: "integer" }, g: { type: "string" } } };

  test("is read in a query, a path, a header and a cookie", async () => {
    expect((await query(schema, { explode: false }))("p=r%2C1%2Cg%2Cx")).toEqual({ r: 1, g: "x" });
    for (const [where, sent] of [
      ["path", { path: { p: "r%2C1%2Cg%2Cx" } }],
      ["header", { headers: { p: "r,1,g,x" } }],
      ["cookie", { headers: { Cookie: "p=r%2C1%2Cg%2Cx" } }],
    ] as const) {
      const parameters = [{ name: "p", in: where, required: true, explode: false, schema: { ...schema, required: ["r", "g"] } }];
      const operation = await operationOf("3.0.3", "get", { parameters }, {}, where === "path" ? "/x/{p}" : "/x");
      expect(faults(send(operation, sent))).toEqual([]);
    }
  });

  test("keeps encoded separators where there are plain ones", async () => {
    expect((await query(schema, { explode: false }))("p=g,a%2Cb")).toEqual({ g: "a,b" });
  });
});

test("an exploded object delimited by spaces or pipes is written as an exploded form", async () => {
  for (const style of ["spaceDelimited", "pipeDelimited"]) {
    const read = await query({ type: "object", properties: { r: { type: "integer" }, g: { type: "string" } } }, { style, explode: true });
    expect(read("r=1&g=x")).toEqual({ r: 1, g: "x" });
  }
});

describe("text that is no list of names and values", () => {
  const properties = { a: { type: "string" } };

  test("is not an object", async () => {
    for (const more of [{ explode: false }, { style: "deepObject", explode: true }]) {
      const read = await query({ type: "object", additionalProperties: { type: "string" } }, more);
      expect(read("p=abc")).toEqual(['query p: must be an object, got the string "abc"']);
    }
    expect((await query({ type: "object", properties }, { style: "deepObject", explode: true }))("p=a,1")).toEqual([
      'query p: must be an object, got the string "a,1"',
    ]);
  });

  test("is text where the schema takes text too", async () => {
    const schema = {
      anyOf: [
        { type: "object", additionalProperties: { type: "string" } },
        { type: "string", enum: [""] },
      ],
    };
    const read = await query(schema, { style: "deepObject", explode: true });
    expect(read("p=")).toBe("");
    expect(read("p[a]=1")).toEqual({ a: "1" });
    expect(read("p=abc")).toBeArray();
  });
});

test("an exploded object does not take what is written with another parameter's brackets", async () => {
  const parameters = [
    { name: "page", in: "query", schema: { type: "object", properties: { number: { type: "integer" } }, additionalProperties: false } },
    { name: "search", in: "query", style: "deepObject", schema: { type: "object" } },
  ];
  const operation = await operationOf("3.1.0", "get", { parameters });
  expect(send(operation, { query: "number=2&search[name]=x&search%5Bslug%5D=y" })).toMatchObject({
    ok: true,
    parameters: { page: { number: 2 }, search: { name: "x", slug: "y" } },
  });
});

test("a header whose name no header can have is not looked for, in requests and replies", async () => {
  for (const name of ["", "a b", "é"]) {
    const operation = await operationOf("3.0.3", "get", {
      parameters: [{ name, in: "header", required: true, schema: { type: "string" } }],
      responses: { 200: { description: "ok", headers: { [name]: { required: true, schema: { type: "string" } } } } },
    });
    expect(send(operation, {})).toMatchObject({ ok: true });
    expect(operation.checkReply({ status: 200, headers: new Headers(), body: new Uint8Array() })).toEqual([]);
  }
});
