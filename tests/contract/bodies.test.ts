import { describe, expect, test } from "bun:test";
import { faults, operationOf, send, type Sent, nothingLocated } from "./contract-of.ts";

async function taking(content: object, openapi = "3.0.3", more: object = {}, components: object = {}) {
  const operation = await operationOf(openapi, "post", { requestBody: { content, ...more } }, components);
  return (type: string | undefined, body: string | Uint8Array | undefined) =>
    send(operation, { ...(type === undefined ? {} : { type }), ...(body === undefined ? {} : { body }) });
}

const json = (schema: unknown) => ({ "application/json": { schema } });
const anything = json({});

describe("the media type", () => {
  test("that is not in the contract is refused as such", async () => {
    const post = await taking(anything);
    expect(post("text/csv", "a")).toEqual({
      ok: false,
      kind: "unsupported-media-type",
      errors: [{ in: "header", path: "Content-Type", message: 'must be application/json, got "text/csv"' }],
    });
    expect(post(undefined, "{}")).toEqual({
      ok: false,
      kind: "unsupported-media-type",
      errors: [{ in: "header", path: "Content-Type", message: "is missing: the body must be application/json" }],
    });
  });
  test("finds its most specific entry", async () => {
    const number = { schema: { type: "number" } };
    const post = await taking({ "*/*": {}, "application/*": { schema: { type: "boolean" } }, "application/json": number });
    expect(faults(post("Application/JSON; charset=UTF-8", "true")).length).toBe(1);
    expect(faults(post("application/problem+json", "true"))).toEqual([]);
    expect(post("image/png", new Uint8Array([1, 2]))).toEqual({ ok: true, parameters: {}, located: nothingLocated, bodyForm: "opaque" });
  });
  test("may be anything where no body is declared", async () => {
    const operation = await operationOf("3.0.3", "post", {});
    expect(send(operation, { type: "application/json", body: "{" })).toEqual({
      ok: true,
      parameters: {},
      located: nothingLocated,
      bodyForm: "opaque",
    });
    expect(operation.takesMediaType("a/b")).toBe(true);
  });
});

describe("a body", () => {
  test("that is required must be there", async () => {
    const post = await taking(anything, "3.0.3", { required: true });
    expect(faults(post(undefined, undefined))).toEqual(["body $: is required"]);
    expect(faults(post("application/json", ""))).toEqual(["body $: is required"]);
  });
  test("that is not required may be missing", async () => {
    expect((await taking(anything))(undefined, undefined)).toEqual({ ok: true, parameters: {}, located: nothingLocated, bodyForm: "none" });
  });
});

describe("JSON", () => {
  test("that is none is refused with the place", async () => {
    const post = await taking(anything);
    expect(faults(post("application/json", '{"a": 1,\n "b": }'))).toEqual([
      'body $: is not valid JSON: expected a value, got "}" at line 2, column 7',
    ]);
    expect(faults(post("application/json", "[1,2"))).toEqual([
      'body $: is not valid JSON: expected "," or "]", got the end at line 1, column 5',
    ]);
    expect(faults(post("application/json", "{} x"))).toEqual(['body $: is not valid JSON: expected the end, got "x" at line 1, column 4']);
    expect(faults(post("application/json", "'a'"))).toEqual([
      "body $: is not valid JSON: expected a value, got \"'a'\" at line 1, column 1",
    ]);
  });
  test("may begin with a byte order mark, and must be UTF-8", async () => {
    const post = await taking(anything);
    expect(post("application/json", "\uFEFF[1]")).toEqual({
      ok: true,
      parameters: {},
      located: nothingLocated,
      body: [1],
      bodyForm: "json",
    });
    expect(faults(post("application/json; charset=utf-16", "[1]"))).toEqual(['body $: has the charset "utf-16": JSON is UTF-8']);
    expect(faults(post("application/json", new Uint8Array([0x22, 0xff, 0x22])))).toEqual(["body $: is not valid UTF-8"]);
  });
  test("nested over 1000 levels deep is refused; brackets in strings are none", async () => {
    const post = await taking(anything);
    for (const levels of [1001, 10_000, 1_000_000])
      expect(faults(post("application/json", "[".repeat(levels) + "]".repeat(levels)))[0]).toContain("is nested too deeply");
    expect(post("application/json", "[".repeat(1000) + "]".repeat(1000)).ok).toBe(true);
    expect(post("application/json", JSON.stringify(`${'["'.repeat(3000)}\\`)).ok).toBe(true);
  });
  test("has all its violations told, by JSON path", async () => {
    const post = await taking(
      json({
        type: "object",
        required: ["name", "tags"],
        additionalProperties: false,
        properties: {
          name: { type: "string" },
          tags: { type: "array", items: { type: "object", required: ["id"], properties: { id: { type: "integer" } } } },
          "odd key": { type: "boolean" },
          size: { type: "string", maxLength: 3 },
        },
      }),
    );
    expect(faults(post("application/json", '{"tags":[{},{"id":"x"}],"odd key":1,"size":"ßßßß","more":null}'))).toEqual([
      "body $.name: is required",
      "body $.more: is not allowed: the contract has no such property",
      "body $.tags[0].id: is required",
      'body $.tags[1].id: must be an integer, got the string "x"',
      'body $["odd key"]: must be true or false, got the number 1',
      "body $.size: must have at most 3 characters, has 4",
    ]);
  });
  test("has at most 100 violations told, and of a large body the first", async () => {
    const post = await taking(json({ type: "array", items: { type: "integer" } }));
    expect(faults(post("application/json", JSON.stringify(Array(500).fill("x")))).length).toBe(100);
    expect(faults(post("application/json", JSON.stringify(Array(500_000).fill("x")))).length).toBe(1);
  });
  test("shows no more of a value than helps", async () => {
    const post = await taking(json({ type: "integer" }));
    expect(faults(post("application/json", JSON.stringify("x".repeat(5000))))[0]?.length).toBeLessThan(150);
    expect(faults(post("application/json", "[[1]]"))).toEqual(["body $: must be an integer, got an array"]);
  });
  test("may use the names of what every object inherits", async () => {
    const schema = {
      type: "object",
      required: ["constructor"],
      properties: { toString: { type: "string" }, constructor: { type: "integer" }, __proto__x: {} },
    };
    const post = await taking(json(schema));
    expect(faults(post("application/json", '{"constructor":1}'))).toEqual([]);
    expect(faults(post("application/json", '{"toString":1}'))).toEqual([
      "body $.constructor: is required",
      "body $.toString: must be a string, got the number 1",
    ]);
    expect(post("application/json", '{"constructor":1,"__proto__":{"polluted":true}}').ok).toBe(true);
    expect("polluted" in {}).toBe(false);
  });
});

describe("alternatives", () => {
  const cat = { type: "object", required: ["kind", "lives"], properties: { kind: { const: "cat" }, lives: { type: "integer" } } };
  const dog = { type: "object", required: ["kind", "breed"], properties: { kind: { const: "dog" }, breed: { type: "string" } } };
  test("tell the faults of the one that was meant", async () => {
    const post = await taking(json({ oneOf: [cat, dog] }), "3.1.0");
    expect(faults(post("application/json", '{"kind":"dog","breed":3}'))).toEqual(["body $.breed: must be a string, got the number 3"]);
  });
  test("of other types are told as one", async () => {
    const post = await taking(json({ anyOf: [{ type: "string" }, { type: "array", items: {} }] }), "3.1.0");
    expect(faults(post("application/json", "3"))).toEqual(["body $: must be a string or an array, got the number 3"]);
  });
  test("are told apart by a discriminator where several match", async () => {
    const loose = (name: string) => ({
      type: "object",
      required: ["kind"],
      properties: { kind: { type: "string" }, [name]: { type: "integer" } },
    });
    const components = { schemas: { Cat: loose("lives"), Dog: loose("age") } };
    const schema = { oneOf: [{ $ref: "#/components/schemas/Cat" }, { $ref: "#/components/schemas/Dog" }] };
    const plain = await taking(json(schema), "3.0.3", {}, components);
    const told = await taking(
      json({ ...schema, discriminator: { propertyName: "kind", mapping: { miau: "#/components/schemas/Cat" } } }),
      "3.0.3",
      {},
      components,
    );
    expect(faults(plain("application/json", '{"kind":"miau"}'))[0]).toContain("matches several");
    expect(faults(told("application/json", '{"kind":"miau"}'))).toEqual([]);
    expect(faults(told("application/json", '{"kind":"Dog","age":"x","lives":"y"}'))).toEqual([
      'body $.age: must be an integer, got the string "x"',
    ]);
  });
});

describe("schemas of 3.0", () => {
  test("may be nullable, also where only composed", async () => {
    const components = { schemas: { Name: { type: "string" } } };
    const post = await taking(
      json({
        type: "object",
        properties: { a: { type: "integer", nullable: true }, b: { nullable: true, allOf: [{ $ref: "#/components/schemas/Name" }] } },
      }),
      "3.0.3",
      {},
      components,
    );
    expect(faults(post("application/json", '{"a":null,"b":null}'))).toEqual([]);
    expect(faults(post("application/json", '{"b":1}'))).toEqual(["body $.b: must be a string, got the number 1"]);
  });
  test("need what is read-only in replies only", async () => {
    const base = { properties: { id: { type: "integer", readOnly: true } } };
    const schema = {
      allOf: [
        base,
        { type: "object", required: ["id", "name"], properties: { name: { type: "string" }, secret: { type: "string", writeOnly: true } } },
      ],
    };
    const operation = await operationOf("3.0.3", "post", {
      requestBody: { content: json(schema) },
      responses: { 200: { description: "ok", content: json(schema) } },
    });
    expect(faults(send(operation, { type: "application/json", body: '{"name":"x"}' }))).toEqual([]);
    const reply = operation.checkReply({
      status: 200,
      contentType: "application/json",
      headers: new Headers(),
      body: new TextEncoder().encode('{"name":"x"}'),
    });
    expect(reply).toEqual([{ in: "body", path: "$.id", message: "is required" }]);
  });
  test("with malformed keywords are used without them", async () => {
    const post = await taking(
      json({
        type: "object",
        required: true,
        enum: [],
        properties: { a: { type: "strng", minLength: "x", maximum: null, pattern: "(", format: "no-such" } },
      }),
    );
    expect(faults(post("application/json", '{"a":1}'))).toEqual([]);
  });
});

describe("schemas of 3.1", () => {
  test("extend one another by $dynamicRef", async () => {
    const components = {
      schemas: {
        Tree: {
          $id: "https://example.com/tree",
          $dynamicAnchor: "node",
          type: "object",
          properties: { value: {}, children: { type: "array", items: { $dynamicRef: "#node" } } },
        },
        Strict: { $id: "https://example.com/strict", $dynamicAnchor: "node", $ref: "tree", unevaluatedProperties: false },
      },
    };
    const post = await taking(json({ $ref: "https://example.com/strict" }), "3.1.0", {}, components);
    expect(faults(post("application/json", '{"children":[{"value":1}]}'))).toEqual([]);
    expect(faults(post("application/json", '{"children":[{"vlaue":1}]}'))).toEqual([
      "body $.children[0].vlaue: is not allowed: the contract has no such property",
    ]);
  });
  test("of hundreds that refer to one another are compiled bit by bit", async () => {
    const schemas = Object.fromEntries(
      Array.from({ length: 400 }, (_, index) => [
        `S${index}`,
        {
          type: "object",
          required: ["v"],
          properties: { v: { type: "integer" }, next: { $ref: `#/components/schemas/S${(index + 1) % 400}` } },
        },
      ]),
    );
    const post = await taking(json({ $ref: "#/components/schemas/S0" }), "3.1.0", {}, { schemas });
    const chain = (length: number, last: string): string => `${'{"v":1,"next":'.repeat(length)}${last}${"}".repeat(length)}`;
    expect(faults(post("application/json", chain(390, '{"v":1}')))).toEqual([]);
    expect(faults(post("application/json", chain(390, '{"v":"x"}')))[0]).toContain('must be an integer, got the string "x"');
  });
});

describe("forms", () => {
  const schema = {
    type: "object",
    required: ["name"],
    additionalProperties: false,
    properties: {
      name: { type: "string" },
      age: { type: "integer" },
      tags: { type: "array", items: { type: "string" } },
      where: { type: "object", properties: { x: { type: "number" } } },
    },
  };
  test("are read by their encoding", async () => {
    const post = await taking({ "application/x-www-form-urlencoded": { schema } });
    expect(post("application/x-www-form-urlencoded", "name=J%C3%B6+x&age=3&tags=a&tags=b&where=%7B%22x%22%3A1%7D")).toEqual({
      ok: true,
      parameters: {},
      located: nothingLocated,
      body: { name: "Jö x", age: 3, tags: ["a", "b"], where: { x: 1 } },
      bodyForm: "form",
    });
    const read = post("application/x-www-form-urlencoded", "name=x&where[x]=2&tags[]=a");
    expect(read.ok && read.body).toEqual({ name: "x", tags: ["a"], where: { x: 2 } });
  });
  test("are judged", async () => {
    const post = await taking({ "application/x-www-form-urlencoded": { schema } });
    expect(faults(post("application/x-www-form-urlencoded", "age=x&more=1"))).toEqual([
      "body $.name: is required",
      "body $.more: is not allowed: the contract has no such property",
      'body $.age: must be an integer, got the string "x"',
    ]);
    expect(faults(post("application/x-www-form-urlencoded", "name=%f"))[0]).toContain("percent-encoding is invalid");
  });
});

describe("multipart", () => {
  const schema = {
    type: "object",
    required: ["name", "file"],
    properties: {
      name: { type: "string" },
      count: { type: "integer" },
      file: { type: "string", format: "binary", maxLength: 8 },
      files: { type: "array", items: { type: "string", format: "binary" } },
      meta: { type: "object", properties: { a: { type: "integer" } } },
    },
  };
  const type = "multipart/form-data; boundary=B";
  const part = (head: string, body: string) => `--B\r\nContent-Disposition: form-data; ${head}\r\n\r\n${body}\r\n`;
  test("holds fields, JSON and files", async () => {
    const post = await taking({ "multipart/form-data": { schema } });
    const body = `${part('name="name"', "x")}${part('name="count"', "3")}${part('name="file"; filename="a.bin"\r\nContent-Type: application/octet-stream', "\r\n\x01--B")}${part('name="files"; filename="1"', "a")}${part('name="files"; filename="2"', "b")}${part('name="meta"\r\nContent-Type: application/json', '{"a":1}')}--B--\r\n`;
    expect(post(type, body)).toEqual({
      ok: true,
      parameters: {},
      located: nothingLocated,
      body: { name: "x", count: 3, file: btoa("\r\n\x01--B"), files: [btoa("a"), btoa("b")], meta: { a: 1 } },
      bodyForm: "multipart",
    });
  });
  test("is the one that the platform writes", async () => {
    const post = await taking({ "multipart/form-data": { schema } });
    const form = new FormData();
    form.set("name", "ünï");
    form.set("file", new Blob([new Uint8Array([0, 255, 10])]), "a b.bin");
    const written = new Response(form);
    const read = post(written.headers.get("content-type") ?? "", new Uint8Array(await written.arrayBuffer()));
    expect(read.ok && read.body).toEqual({ name: "ünï", file: "AP8K" });
  });
  test("is judged, files by their bytes", async () => {
    const post = await taking({ "multipart/form-data": { schema, encoding: { file: { contentType: "image/png, image/*" } } } });
    expect(
      faults(post(type, `${part('name="count"', "x")}${part('name="file"; filename="a"\r\nContent-Type: image/gif', "123456789")}--B--`)),
    ).toEqual([
      "body $.name: is required",
      'body $.count: must be an integer, got the string "x"',
      "body $.file: must have at most 8 characters, has 9",
    ]);
    expect(faults(post(type, `${part('name="file"; filename="a"\r\nContent-Type: text/html', "x")}--B--`))).toEqual([
      "body $.file: must be image/png, image/*, got text/html",
    ]);
  });
  test("that is broken is refused", async () => {
    const post = await taking({ "multipart/form-data": { schema } });
    expect(faults(post("multipart/form-data", "x"))[0]).toContain("no valid boundary");
    expect(faults(post(type, "x"))[0]).toContain("its boundary does not occur");
    expect(faults(post(type, part('name="name"', "x")))[0]).toContain("is cut short");
    expect(faults(post(type, `${part("x", "x")}--B--`))[0]).toContain("a part without a name");
    expect(faults(post(type, `${part('name="n"', "x").repeat(1001)}--B--`))[0]).toContain("more than 1000 parts");
  });
});

describe("XML", () => {
  const schema = {
    type: "object",
    required: ["id"],
    xml: { name: "pet" },
    properties: {
      id: { type: "integer", xml: { attribute: true } },
      name: { type: "string", xml: { name: "title", prefix: "p", namespace: "urn:p" } },
      tags: {
        type: "array",
        xml: { wrapped: true, name: "tagList" },
        items: { type: "object", xml: { name: "tag" }, properties: { n: { type: "number" } } },
      },
      photos: { type: "array", items: { type: "string", xml: { name: "photo" } } },
      sold: { type: "boolean" },
    },
  };
  test("is read by the schema's xml objects", async () => {
    const post = await taking({ "application/xml": { schema } });
    const read = post(
      "application/xml",
      '<?xml version="1.0"?><!-- c --><pet id="7" xmlns:p="urn:p"><p:title>A &amp; &#66;</p:title><tagList><tag><n>1.5</n></tag></tagList><photo>a</photo><photo><![CDATA[<b>]]></photo><sold>true</sold></pet>',
    );
    expect(read).toEqual({
      ok: true,
      parameters: {},
      located: nothingLocated,
      body: { id: 7, name: "A & B", tags: [{ n: 1.5 }], photos: ["a", "<b>"], sold: true },
      bodyForm: "xml",
    });
  });
  test("is judged", async () => {
    const post = await taking({ "application/xml": { schema } });
    expect(faults(post("text/xml", "<pet/>"))[0]).toContain("must be application/xml");
    expect(faults(post("application/xml", "<pet><sold>maybe</sold></pet>"))).toEqual([
      "body $.id: is required",
      'body $.sold: must be true or false, got the string "maybe"',
    ]);
    expect(faults(post("application/xml", "<cat id='1'/>"))).toEqual(["body $: must be the XML element <pet>, got <cat>"]);
  });
  test("that is broken, or has entities or depth to it, is refused", async () => {
    const post = await taking({ "application/xml": { schema } });
    expect(faults(post("application/xml", "<pet><id></pet>"))[0]).toContain("is not valid XML");
    expect(faults(post("application/xml", "plain"))[0]).toContain("is not valid XML");
    expect(
      faults(post("application/xml", '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><pet id="1"><title>&b;</title></pet>')),
    ).toEqual(["body $: has a document type declaration, which is refused"]);
    expect(faults(post("application/xml", `<pet id="1">${"<a>".repeat(5000)}${"</a>".repeat(5000)}</pet>`))[0]).toContain(
      "is not valid XML",
    );
    expect(faults(post("application/xml", '<pet id="1"><__proto__>1</__proto__></pet>'))[0]).toContain("is not valid XML");
  });
});

test("text is judged as a string by its charset", async () => {
  const post = await taking({ "text/*": { schema: { type: "string", maxLength: 3 } } });
  expect(post("text/plain", "abc")).toEqual({ ok: true, parameters: {}, located: nothingLocated, bodyForm: "opaque" });
  expect(faults(post("text/plain; charset=iso-8859-1", new Uint8Array([0xe9, 0xe9, 0xe9, 0xe9])))).toEqual([
    "body $: must have at most 3 characters, has 4",
  ]);
  expect(faults(post("text/plain; charset=klingon", "a"))[0]).toContain("unknown charset");
});

describe("a required body of an operation of 3.0", () => {
  const requestBody = { required: true, content: { "application/json": { schema: { type: "object" } } } };

  test("need not be sent with GET and HEAD, whose bodies OpenAPI 3.0 ignores", async () => {
    for (const method of ["get", "head"]) expect(faults(send(await operationOf("3.0.3", method, { requestBody }), {}))).toEqual([]);
  });

  test("must be sent with other methods, and with GET where 3.1 declares it", async () => {
    for (const [version, method] of [
      ["3.0.3", "post"],
      ["3.0.3", "delete"],
      ["3.1.0", "get"],
    ] as const)
      expect(faults(send(await operationOf(version, method, { requestBody }), {}))).toEqual(["body $: is required"]);
  });
});

describe("an object property of a form", () => {
  const schema = {
    type: "object",
    properties: { id: { type: "string" }, more: { type: "object", properties: { kind: { enum: ["a", "b"] } } } },
  };
  const type = "application/x-www-form-urlencoded";

  test("takes no names of its own unless its encoding has a style", async () => {
    const plain = await operationOf("3.0.3", "post", { requestBody: { content: { [type]: { schema } } } });
    expect(send(plain, { type, body: "id=1&kind=zzz" })).toMatchObject({ ok: true, body: { id: "1", kind: "zzz" } });
    expect(send(plain, { type, body: "more[kind]=a" })).toMatchObject({ ok: true, body: { more: { kind: "a" } } });
    expect(send(plain, { type, body: 'more={"kind":"b"}' })).toMatchObject({ ok: true, body: { more: { kind: "b" } } });
  });

  test("is exploded where its encoding says so", async () => {
    for (const more of [{ style: "form" }, { explode: true }]) {
      const styled = await operationOf("3.0.3", "post", { requestBody: { content: { [type]: { schema, encoding: { more } } } } });
      expect(send(styled, { type, body: "id=1&kind=a" })).toMatchObject({ ok: true, body: { id: "1", more: { kind: "a" } } });
      expect(faults(send(styled, { type, body: "kind=zzz" }))).toHaveLength(1);
    }
  });
});

test("a multipart field that is JSON by its encoding and text by its schema is text", async () => {
  const operation = await operationOf("3.0.3", "post", {
    requestBody: {
      content: {
        "multipart/form-data": {
          schema: { type: "object", properties: { options: { type: "string" }, size: { type: "integer" } } },
          encoding: { options: { contentType: "application/json" }, size: { contentType: "application/json" } },
        },
      },
    },
  });
  const part = (name: string, text: string): Sent => ({
    type: "multipart/form-data; boundary=b",
    body: `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${text}\r\n--b--\r\n`,
  });
  expect(send(operation, part("options", '{"size":3}'))).toMatchObject({ ok: true, body: { options: '{"size":3}' } });
  expect(send(operation, part("options", "9"))).toMatchObject({ ok: true, body: { options: "9" } });
  expect(send(operation, part("options", "plain"))).toMatchObject({ ok: true, body: { options: "plain" } });
  expect(send(operation, part("options", '"quoted"'))).toMatchObject({ ok: true, body: { options: "quoted" } });
  expect(faults(send(operation, part("size", "plain")))).toEqual(["body $.size: must be JSON: it cannot be parsed"]);
});
