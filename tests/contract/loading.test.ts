import { describe, expect, test } from "bun:test";
import type { Diagnostic } from "../../src/core/diagnostic.ts";
import { contractOf, faults, loadFiles, operationOf, send, readQuery } from "./contract-of.ts";

const head = "openapi: 3.0.3\ninfo: { title: t, version: '1' }\n";
const ok = "responses: { '200': { description: ok } }";

function told(problems: readonly Diagnostic[]): string[] {
  return problems.map((one) => `${one.place ? `${one.place.line}:${one.place.column} ` : ""}${one.severity}: ${one.message}`);
}

async function problemsOf(files: Record<string, string>): Promise<string[]> {
  const loaded = await loadFiles(files);
  return loaded.ok ? [] : told(loaded.problems);
}

describe("a document of another kind is refused by name", () => {
  test("Swagger 2.0", async () => {
    const [problem] = await problemsOf({ "a.yaml": "# first\nswagger: '2.0'\n" });
    expect(problem).toBe("2:1 error: Swagger 2.0 is not supported, OpenAPI 3.0 and 3.1 are");
  });
  test("OpenAPI 3.2", async () => {
    expect((await problemsOf({ "a.yaml": "openapi: 3.2.0\n" }))[0]).toContain("OpenAPI 3.2.0 is not supported");
  });
  test("OpenAPI 4", async () => {
    expect((await problemsOf({ "a.yaml": "openapi: 4.0.0\n" }))[0]).toContain("OpenAPI 4.0.0 is not supported");
  });
  test("something else", async () => {
    expect((await problemsOf({ "a.yaml": "asyncapi: 3.0.0\n" }))[0]).toContain('lacks the key "openapi"');
    expect((await problemsOf({ "a.yaml": "- 1\n" }))[0]).toContain("it must be an object");
    expect((await problemsOf({ "a.yaml": "" }))[0]).toContain("it must be an object");
  });
});

describe("syntax errors have their place", () => {
  test("in YAML", async () => {
    expect((await problemsOf({ "a.yaml": "openapi: 3.0.3\ninfo: {\npaths: {}\n" }))[0]).toMatch(/^\d+:\d+ error: Cannot parse/);
  });
  test("in JSON", async () => {
    expect((await problemsOf({ "a.json": '{\n  "openapi": "3.0.3",\n  "info": tru e "x"\n}' }))[0]).toBe(
      '3:11 error: Cannot parse: expected a value, got "tru"',
    );
  });
  test("where a key is given twice", async () => {
    expect((await problemsOf({ "a.yaml": `${head}paths:\n  /a: {}\n  /a: {}\n` }))[0]).toMatch(/^5:3 error: .*unique/);
  });
  test("where a second document begins", async () => {
    expect((await problemsOf({ "a.yaml": `${head}paths: {}\n---\na: 1\n` }))[0]).toContain("second YAML document");
  });
  test("and a file that is not there is named", async () => {
    const loaded = await loadFiles({ "other.yaml": "a: 1" }).then(async () =>
      (await import("../../src/contract/load.ts")).loadContract("/nowhere/openapi.yaml"),
    );
    expect(loaded.ok ? [] : told(loaded.problems)).toEqual(['error: Cannot read "/nowhere/openapi.yaml": there is no such file']);
  });
});

describe("structure", () => {
  test("that routing needs must be right", async () => {
    const problems = await problemsOf({
      "a.yaml": `${head}paths:\n  pets:\n    get: { ${ok} }\n  /b:\n    get:\n      parameters: [{ name: x, in: body }]\n      ${ok}\n`,
    });
    expect(problems).toContain('4:3 error: Path "pets" does not begin with "/"');
    expect(problems.some((one) => one.startsWith("8:") || one.startsWith("7:"))).toBe(true);
  });
  test("that only describes may slip, with a warning", async () => {
    const loaded = await loadFiles({
      "a.yaml": `openapi: 3.0.3\npaths:\n  /a:\n    get:\n      colour: red\n      responses: { '200': {} }\n`,
    });
    expect(loaded.ok).toBe(true);
    const warnings = loaded.ok ? told(loaded.warnings) : [];
    expect(warnings).toContain('5:7 warning: paths["/a"].get has the unknown key "colour"');
    expect(warnings.some((one) => one.includes('lacks "info"'))).toBe(true);
  });
  test("a version that YAML reads as a number is understood", async () => {
    expect((await contractOf({ "a.yaml": "openapi: 3.1\ninfo: { title: t, version: '1' }\npaths: {}\n" })).openapi).toBe("3.1");
  });
  test("a pattern that is none is warned of and not applied", async () => {
    const files = {
      "a.yaml": `${head}paths:\n  /a:\n    get:\n      parameters: [{ name: q, in: query, schema: { type: string, pattern: '[a-' } }]\n      ${ok}\n`,
    };
    const loaded = await loadFiles(files);
    expect(loaded.ok ? told(loaded.warnings)[0] : "").toContain('6:66 warning: Pattern "[a-" is not a regular expression');
    const [operation] = (await contractOf(files)).operations;
    expect(operation && faults(send(operation, { query: "q=anything" }))).toEqual([]);
  });
  test("names of a template and of its parameters are compared", async () => {
    const loaded = await loadFiles({
      "a.yaml": `${head}paths:\n  /a/{id}:\n    get:\n      parameters: [{ name: other, in: path, required: true, schema: { type: string } }]\n      ${ok}\n`,
    });
    expect(loaded.ok ? told(loaded.warnings) : []).toEqual([
      '5:5 warning: Path parameter "id" of "/a/{id}" is not declared',
      '5:5 warning: Path parameter "other" is not in the path "/a/{id}"',
    ]);
  });
  test("an operationId that is used twice, and a path that is another's twin, are warned of", async () => {
    const loaded = await loadFiles({
      "a.yaml": `${head}paths:\n  /a/{x}:\n    parameters: [{ name: x, in: path, required: true, schema: {} }]\n    get: { operationId: one, ${ok} }\n    put: { operationId: one, ${ok} }\n  /a/{y}:\n    parameters: [{ name: y, in: path, required: true, schema: {} }]\n    get: { ${ok} }\n`,
    });
    const warnings = loaded.ok ? told(loaded.warnings).join("\n") : "";
    expect(warnings).toContain('operationId "one" is used twice');
    expect(warnings).toContain('GET /a/{y} is never reached: it is the same path as "/a/{x}"');
  });
});

describe("references", () => {
  const post = (schema: string): string =>
    `${head}paths:\n  /a:\n    post:\n      requestBody: { content: { application/json: { schema: ${schema} } } }\n      ${ok}\n`;
  const body = (text: string) => ({ type: "application/json", body: text });

  test("lead through files, with fragments and back", async () => {
    const contract = await contractOf({
      "openapi.yaml": `${head}paths:\n  /a: { $ref: "paths/a.yaml" }\ncomponents:\n  schemas:\n    Name: { type: string, minLength: 2 }\n`,
      "paths/a.yaml": `post:\n  requestBody: { content: { application/json: { schema: { $ref: "../schemas/pet.json#/Pet" } } } }\n  ${ok}\n`,
      "schemas/pet.json":
        '{"Pet": {"type": "object", "required": ["name"], "properties": {"name": {"$ref": "../openapi.yaml#/components/schemas/Name"}, "friend": {"$ref": "#/Pet"}}}}',
    });
    const [operation] = contract.operations;
    expect(contract.files.length).toBe(3);
    expect(operation && faults(send(operation, body('{"name":"ok","friend":{"name":"x"}}')))).toEqual([
      "body $.friend.name: must have at least 2 characters, has 1",
    ]);
  });
  test("to nothing are told with their place", async () => {
    expect(await problemsOf({ "a.yaml": post('{ $ref: "#/components/schemas/Nope" }') })).toEqual([
      '6:63 error: Cannot follow "#/components/schemas/Nope": there is nothing there',
    ]);
    expect((await problemsOf({ "a.yaml": post('{ $ref: "nope.yaml" }') }))[0]).toContain("there is no such file");
  });
  test("to the network are refused: nothing is fetched", async () => {
    expect((await problemsOf({ "a.yaml": post('{ $ref: "https://example.com/pet.json" }') }))[0]).toContain(
      "only files are read, nothing is fetched",
    );
  });
  test("that lead back to themselves are refused", async () => {
    const text = `${post('{ $ref: "#/components/schemas/A" }')}components: { schemas: { A: { $ref: "#/components/schemas/B" }, B: { $ref: "#/components/schemas/A" } } }\n`;
    expect((await problemsOf({ "a.yaml": text }))[0]).toContain("leads back to itself");
  });
  test("in examples are data", async () => {
    const contract = await contractOf({
      "a.yaml": post('{ type: object, example: { $ref: "nowhere.yaml" }, properties: { example: { type: integer } } }'),
    });
    const [operation] = contract.operations;
    expect(operation && faults(send(operation, body('{"example":"x"}')))).toEqual([
      'body $.example: must be an integer, got the string "x"',
    ]);
  });
  test("by $id and $anchor are followed in 3.1", async () => {
    const contract = await contractOf({
      "a.yaml": `openapi: 3.1.0\ninfo: { title: t, version: '1' }\npaths:\n  /a:\n    post:\n      requestBody: { content: { application/json: { schema: { $ref: "https://example.com/tree" } } } }\ncomponents:\n  schemas:\n    Tree: { $id: "https://example.com/tree", $defs: { leaf: { $anchor: leaf, type: integer } }, type: array, items: { $ref: "#leaf" } }\n`,
    });
    const [operation] = contract.operations;
    expect(operation && faults(send(operation, body('[1,"x"]')))).toEqual(['body $[1]: must be an integer, got the string "x"']);
  });
  test("have their siblings ignored in 3.0 and applied in 3.1", async () => {
    const text = `${post('{ $ref: "#/components/schemas/A", minLength: 3 }')}components: { schemas: { A: { type: string } } }\n`;
    const [old] = (await contractOf({ "a.yaml": text })).operations;
    const [now] = (await contractOf({ "a.yaml": text.replace("3.0.3", "3.1.0") })).operations;
    expect(old && faults(send(old, body('"x"')))).toEqual([]);
    expect(now && faults(send(now, body('"x"')))).toEqual(["body $: must have at least 3 characters, has 1"]);
  });
});

test("YAML stays YAML 1.2: dates, on, and numeric keys are what they look like", async () => {
  const contract = await contractOf({
    "a.yaml": `${head}paths:\n  /a:\n    get:\n      parameters:\n        - { name: s, in: query, schema: { type: string, enum: [on, no, 2020-01-02] } }\n      responses:\n        200: { description: ok, content: { text/plain: {} } }\n        default: { description: other }\n`,
  });
  const [operation] = contract.operations;
  expect(operation?.replyMediaType(200)).toBe("text/plain");
  for (const value of ["on", "no", "2020-01-02"])
    expect(operation && send(operation, { query: `s=${value}` })).toEqual(readQuery({ s: value }));
});

test("10 000 operations load at once, and the last is as good as the first", async () => {
  const paths = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, index) => [
      `/things/${index}/{id}`,
      {
        post: {
          operationId: `thing${index}`,
          parameters: [{ name: "id", in: "path", required: true, schema: { type: "integer" } }],
          requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/Thing" } } } },
          responses: { 200: { description: "ok" } },
        },
      },
    ]),
  );
  const schemas = { Thing: { type: "object", properties: { name: { type: "string" }, inner: { $ref: "#/components/schemas/Thing" } } } };
  const contract = await contractOf({
    "a.json": JSON.stringify({ openapi: "3.0.3", info: { title: "t", version: "1" }, paths, components: { schemas } }),
  });
  expect(contract.operations.length).toBe(10_000);
  const last = contract.operations.at(-1);
  expect(last && faults(send(last, { path: { id: "x" }, type: "application/json", body: '{"inner":{"name":1}}' }))).toEqual([
    'path id: must be an integer, got the string "x"',
    "body $.inner.name: must be a string, got the number 1",
  ]);
});

describe("what can never have an effect is warned of", () => {
  async function warningsOf(text: string): Promise<string[]> {
    const loaded = await loadFiles({ "a.yaml": text });
    return loaded.ok ? told(loaded.warnings) : ["refused"];
  }

  test("a path with a query or a fragment in it", async () => {
    const warnings = await warningsOf(`${head}paths:\n  /jobs?op=list: { get: { ${ok} } }\n  "/#Action=List": { get: { ${ok} } }\n`);
    expect(warnings).toEqual([
      '4:3 warning: Path "/jobs?op=list" is never reached: it has a "?"',
      '5:3 warning: Path "/#Action=List" is never reached: it has a "#"',
    ]);
  });

  test("a header whose name no header can have", async () => {
    const parameter = "parameters: [{ name: a b, in: header, schema: { type: string } }]";
    const warnings = await warningsOf(`${head}paths:\n  /a:\n    get:\n      ${parameter}\n      ${ok}\n`);
    expect(warnings).toEqual(['5:5 warning: Header parameter "a b" of GET /a has a name that no header can have']);
  });

  test("a key of content that is not a media type", async () => {
    const body = "requestBody: { content: { json: { schema: { type: object } }, application/json: {} } }";
    const warnings = await warningsOf(`${head}paths:\n  /a:\n    post:\n      ${body}\n      ${ok}\n`);
    expect(warnings).toEqual(['6:33 warning: "json" of POST /a is not a media type']);
  });
});

test("schemas of many properties are compiled part by part, and judge alike", async () => {
  const wide = (next: string): object => ({
    type: "object",
    properties: {
      ...Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`p${index}`, { type: "integer" }])),
      next: { $ref: `#/components/schemas/${next}` },
    },
  });
  const schemas = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`S${index}`, wide(`S${(index + 1) % 12}`)]));
  const content = { "application/json": { schema: { $ref: "#/components/schemas/S0" } } };
  const operation = await operationOf("3.1.0", "post", { requestBody: { content } }, { schemas });
  const nested = (value: unknown): unknown => Array.from({ length: 14 }).reduce<unknown>((next) => ({ p1: 1, next }), { p149: value });
  expect(faults(send(operation, { type: "application/json", body: JSON.stringify(nested(1)) }))).toEqual([]);
  expect(faults(send(operation, { type: "application/json", body: JSON.stringify(nested("x")) }))).toEqual([
    `body $${".next".repeat(14)}.p149: must be an integer, got the string "x"`,
  ]);
});
