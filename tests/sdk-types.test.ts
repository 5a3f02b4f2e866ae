/**
 * What authors' compilers say, under the strictest options: of the types that are written of contracts, of handlers that agree and
 * disagree with them, and of what docs/functions.md shows.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { loadContract } from "../src/contract/load.ts";
import { writeTypings } from "../src/contract/typings.ts";
import { type AppFolder, appOf } from "./app-folder.ts";
import { ownEnvironment, root } from "./urocket-command.ts";

const examples = join(root, "node_modules/@readme/oas-examples");
const documents = [...new Bun.Glob("{3.0,3.1}/**/*.{json,yaml}").scanSync(examples)].sort();

const strict = {
  target: "ESNext",
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  noImplicitOverride: true,
  noImplicitReturns: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  isolatedModules: true,
  allowImportingTsExtensions: true,
  noEmit: true,
};

let app: AppFolder;
beforeAll(() => {
  app = appOf({});
  app.write("node_modules/.keep", "");
  symlinkSync(root, app.path("node_modules/urocket"));
  for (const name of ["bun-types", "@types"]) symlinkSync(join(root, "node_modules", name), app.path(`node_modules/${name}`));
});
afterAll(() => app[Symbol.dispose]());

/** What the compiler says of a folder of the app; "" is nothing. */
function complaints(folder: string, options: object): string {
  app.write(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions: { ...strict, ...options }, include: ["**/*.ts"] }));
  const argv = [join(root, "node_modules/.bin/tsc"), "--pretty", "false", "-p", app.path(folder)];
  const { stdout, stderr } = Bun.spawnSync(argv, { cwd: app.folder, env: ownEnvironment(), stdin: "ignore" });
  return stdout.toString() + stderr.toString();
}

const typingsOf = async (file: string): Promise<string> => {
  const loaded = await loadContract(file);
  if (!loaded.ok) throw new Error(`${file}: ${loaded.problems[0]?.message}`);
  return writeTypings(loaded.contract, "openapi.yaml");
};

test("types of every document type-check, with nothing but the language's own library", async () => {
  expect(documents.length).toBeGreaterThan(100);
  for (const [at, name] of documents.entries()) app.write(`documents/${at}.ts`, await typingsOf(join(examples, name)));
  expect(complaints("documents", { module: "NodeNext", lib: ["ESNext"], types: [] })).toBe("");
}, 30_000);

const handlers = `
import { type FetchHandler, type Handler, HttpError, type LineHandler } from "urocket";
import { callHandler } from "urocket/testing";
import type { operations } from "./openapi.ts";

// What agrees with the contract.
export const valid: Handler<operations["make"]>[] = [
  ({ body, params, query, headers, request }) => {
    const checked: [string, number, number, string | undefined, number | undefined] = [body.name, params.id, query.limit, query.tag, headers["x-depth"]];
    const other: string | number | undefined = headers["user-agent"];
    return { status: 201, headers: { Location: request.url, "x-more": 1 }, body: { id: params.id, name: String(checked.concat(other)) } };
  },
  async () => ({ id: 1, name: "bare" }),
  () => ({ status: 200, body: { id: 1, name: "whole" } }),
  () => new Response("anything"),
  () => ({ status: 404, body: { title: "Gone", status: 404 } }),
  () => ({ status: 503, headers: { "retry-after": 3 }, body: { title: "Later", status: 503 } }),
  () => {
    throw new HttpError(418, { title: "Teapot", extension: [1] });
  },
];
export const nothing: Handler<operations["remove"]>[] = [() => undefined, async () => {}, () => ({ status: 204 }), () => ({ status: 204, body: null })];
export const streams: Handler<operations["copy"]>[] = [
  ({ body }) => ({ status: 200, body: body ?? new Uint8Array() }),
  async ({ body }) => (body === undefined ? "text" : await new Response(body).text()),
];
export const anything: Handler[] = [() => 1, ({ body }) => body, ({ params: { id } }) => id?.length, () => ({ status: 599 })];
export const lines: LineHandler[] = [(line) => line, async (line, ctx) => line + ctx.client];
export const fetched = { fetch: async (request, ctx) => new Response(request.url + ctx.requestId) } satisfies FetchHandler;

export const called = [
  callHandler(valid[0] as Handler<operations["make"]>, { body: { name: "a" }, params: { id: 1 }, query: { limit: 1 } }),
  callHandler(({ request }) => request.url),
  callHandler(fetched, { path: "/a" }),
  callHandler(streams[0] as Handler<operations["copy"]>, { body: new Uint8Array(1), params: { id: 1 } }),
];

// What does not.
export const invalid: Handler<operations["make"]>[] = [
  // @ts-expect-error: the body lacks the name
  () => ({ status: 201, headers: { Location: "/" }, body: { id: 1 } }),
  // @ts-expect-error: the header is required
  () => ({ status: 201, body: { id: 1, name: "a" } }),
  // @ts-expect-error: the body is of another type
  async () => ({ status: 200, body: [{ id: 1, name: "a" }] }),
  // @ts-expect-error: an error has another body
  () => ({ status: 404, body: { id: 1, name: "a" } }),
  // @ts-expect-error: no status of HTTP
  () => ({ status: 99, body: { title: "", status: 1 } }),
  // @ts-expect-error: a bare value is the body of a 200
  async () => ({ id: "1", name: "a" }),
  // @ts-expect-error: nothing is a 204, which the contract does not have
  () => undefined,
  // @ts-expect-error: a function is no result
  () => () => 1,
  // @ts-expect-error: no such parameter
  ({ params }) => ({ id: params.ident, name: "a" }),
  // @ts-expect-error: the tag may be missing
  ({ query }) => ({ id: 1, name: query.tag.trim() }),
];
// @ts-expect-error: a 204 has no body
export const full: Handler<operations["remove"]> = () => ({ status: 204, body: "x" });
// @ts-expect-error: a line is answered with text
export const counts: LineHandler = (line) => line.length;
// @ts-expect-error: the id is required
export const lacking = callHandler(valid[0] as Handler<operations["make"]>, { body: { name: "a" }, query: { limit: 1 } });
// @ts-expect-error: the status is the first argument
export const twice = new HttpError(404, { status: 404 });
`;

const contract = `openapi: 3.1.0
info: { title: t, version: "1" }
paths:
  /things/{id}:
    parameters: [{ name: id, in: path, required: true, schema: { type: integer } }]
    put:
      operationId: make
      parameters:
        - { name: limit, in: query, schema: { type: integer, default: 20 } }
        - { name: tag, in: query, schema: { type: string } }
        - { name: X-Depth, in: header, schema: { type: integer } }
      requestBody: { required: true, content: { application/json: { schema: { type: object, required: [name], properties: { name: { type: string } } } } } }
      responses:
        "200": { description: ok, content: { application/json: { schema: { $ref: "#/components/schemas/Thing" } } } }
        "201":
          description: made
          headers: { Location: { required: true, schema: { type: string } } }
          content: { application/json: { schema: { $ref: "#/components/schemas/Thing" } } }
        default: { description: wrong, content: { application/problem+json: { schema: { type: object, required: [title, status], properties: { title: { type: string }, status: { type: integer } } } } } }
    delete: { operationId: remove, responses: { "204": { description: gone } } }
    post:
      operationId: copy
      requestBody: { content: { application/octet-stream: {} } }
      responses: { "200": { description: ok, content: { text/plain: {} } } }
components:
  schemas:
    Thing: { type: object, required: [id, name], properties: { id: { type: integer }, name: { type: string } } }
`;

test.each([
  ["NodeNext, with the types of Bun", { module: "NodeNext", lib: ["ESNext"], types: ["bun-types"], skipLibCheck: true }],
  [
    "Preserve, with the types of the web, declarations checked too",
    { module: "Preserve", lib: ["ESNext", "DOM", "DOM.AsyncIterable"], types: [] },
  ],
])("handlers that disagree with their contract do not compile (%s)", async (_, options) => {
  app.write("contract/openapi.yaml", contract);
  app.write("handlers/package.json", '{"type":"module"}');
  app.write("handlers/openapi.ts", await typingsOf(app.path("contract/openapi.yaml")));
  app.write("handlers/functions.ts", handlers);
  expect(complaints("handlers", options)).toBe("");
});

test("the types that openapi-typescript writes fit too", () => {
  // Its output for the same contract, of which only `operations` matters here.
  app.write("others/package.json", '{"type":"module"}');
  app.write(
    "others/functions.ts",
    `import type { Handler } from "urocket";
interface operations {
  make: {
    parameters: { query?: { limit?: number; tag?: string }; header?: { "X-Depth"?: number }; path: { id: number }; cookie?: never };
    requestBody: { content: { "application/json": { name: string } } };
    responses: {
      200: { headers: { [name: string]: unknown }; content: { "application/json": { id: number; name: string } } };
      201: { headers: { Location: string; [name: string]: unknown }; content: { "application/json": { id: number; name: string } } };
      default: { headers: { [name: string]: unknown }; content: { "application/problem+json": { title: string } } };
    };
  };
  remove: {
    parameters: { query?: never; header?: never; path: { id: number }; cookie?: never };
    requestBody?: never;
    responses: { 204: { headers: { [name: string]: unknown }; content?: never } };
  };
}
export const make: Handler<operations["make"]> = ({ body, params, query, headers }) =>
  query.limit === headers["x-depth"] ? { id: params.id, name: body.name } : { status: 201, headers: { Location: "/" }, body: { id: 1, name: "a" } };
export const remove: Handler<operations["remove"]> = ({ body }) => void body?.cancel();
// @ts-expect-error: the header is required
export const lacks: Handler<operations["make"]> = () => ({ status: 201, body: { id: 1, name: "a" } });
`,
  );
  expect(complaints("others", { module: "NodeNext", lib: ["ESNext"], types: ["bun-types"], skipLibCheck: true })).toBe("");
});

test("what docs/functions.md shows compiles", async () => {
  const page = readFileSync(join(root, "docs/functions.md"), "utf8");
  const blocks = [...page.matchAll(/```ts\n(.*?)```/gs)].map(([, block = ""]) => block);
  expect(blocks.length).toBeGreaterThan(8);
  app.write("docs/package.json", '{"type":"module"}');
  app.write("docs/openapi.ts", await typingsOf(join(root, "examples/pets-functions/openapi.yaml")));
  for (const [at, block] of blocks.entries()) app.write(`docs/block-${at}.ts`, block);
  expect(complaints("docs", { module: "Preserve", lib: ["ESNext"], types: ["bun-types"], skipLibCheck: true })).toBe("");
});
