import { describe, expect, test } from "bun:test";
import { appOf } from "../../tests/app-folder.ts";
import { loadApp } from "./load-app.ts";

const contract = (...operations: readonly string[]) =>
  `openapi: 3.1.0\ninfo: { title: t, version: "1" }\npaths:\n${operations
    .map((operation) => {
      const [method, path, id] = operation.split(" ");
      const named = id === undefined ? "" : `operationId: ${id}, `;
      return `  ${path}:\n    ${method?.toLowerCase()}: { ${named}responses: { default: { description: d } } }\n`;
    })
    .join("")}`;

const pets = contract("GET /pets listPets", "POST /pets/new addPet", "GET /health");

/** What is served and what is told, in short. */
async function load(service: string, files: Readonly<Record<string, string>>) {
  using app = appOf({ "urocket-service.yaml": service, ...files });
  const loaded = await loadApp(app.folder, { typeCheck: false });
  const short = (text: string): string => text.replaceAll(app.folder, ".");
  return {
    served: loaded.ok
      ? loaded.operations.map(({ key, handler }) => {
          const by =
            handler?.kind === "function" ? `${short(handler.function.file)}#${handler.function.export}` : (handler?.kind ?? "none");
          return `${key}: ${by}`;
        })
      : undefined,
    told: (loaded.ok ? loaded.warnings : loaded.problems)
      .filter(({ message }) => !message.includes("answered 501"))
      .map(({ severity, place, message, hint }) => `${severity} ${place?.line}:${place?.column} ${short(message)} | ${hint ?? ""}`),
  };
}

const whole = "openapi: o.yaml\nfunctions: f.ts\n";

describe("a file of functions", () => {
  test("serves the operations that its exports are named after, re-exports among them", async () => {
    const files = {
      "o.yaml": pets,
      "f.ts": 'export const listPets = () => [];\nexport * from "./g";\n',
      "g.ts": "export function addPet() {}\n",
    };
    expect(await load(whole, files)).toEqual({
      served: ["GET /pets: ./f.ts#listPets", "POST /pets/new: ./f.ts#addPet", "GET /health: none"],
      told: [],
    });
  });

  test("serves what nothing else does by its default export", async () => {
    const service = `${whole}paths: { /pets/new: { post: { inject: { cmd: sh } } } }\n`;
    const files = { "o.yaml": pets, "f.ts": "export const listPets = () => [];\nexport default { fetch: () => new Response() };\n" };
    expect((await load(service, files)).served).toEqual([
      "POST /pets/new: program",
      "GET /pets: ./f.ts#listPets",
      "GET /health: ./f.ts#default",
    ]);
  });

  test("leaves HEAD to what serves GET", async () => {
    const document = `${contract("GET /a a")}    head: { operationId: h, responses: { default: { description: d } } }\n`;
    expect((await load(whole, { "o.yaml": document, "f.ts": "export default { fetch() {} };\n" })).served).toEqual([
      "GET /a: ./f.ts#default",
    ]);
    expect((await load(whole, { "o.yaml": document, "f.ts": "export const h = () => 1;\nexport const a = () => 1;\n" })).served).toEqual([
      "GET /a: ./f.ts#a",
      "HEAD /a: ./f.ts#h",
    ]);
  });

  test("without a contract serves every method of every path by its default export", async () => {
    const { served } = await load("functions: f.ts\npaths: { /a: { get: { function: f.ts#a } } }\n", {
      "f.ts": "export const a = () => 1;\nexport default { fetch() {} };\n",
    });
    expect(served?.slice(0, 3)).toEqual(["GET /a: ./f.ts#a", "GET /*: ./f.ts#default", "PUT /*: ./f.ts#default"]);
    expect(served).toHaveLength(9);
  });

  test("without a contract and without a default export is refused", async () => {
    const { served, told } = await load("functions: f.ts\n", { "f.ts": "export const a = 1;\n" });
    expect(served).toBeUndefined();
    expect(told).toEqual([
      "error 1:1 f.ts serves nothing: there is no contract whose operationIds its exports could be, and no default export | Add `openapi:` with the contract's file, or export a default: an object with fetch(request, ctx)",
    ]);
  });

  test("is told of where its exports are nearly named as operations that nothing serves", async () => {
    const files = { "o.yaml": pets, "f.ts": "export const listPet = 1;\nexport const addPet = 1;\nexport const helper = 1;\n" };
    expect((await load(whole, files)).told).toEqual([
      'warning 2:1 f.ts exports "listPet", which is no operationId of the contract | Did you mean "listPets"?',
    ]);
  });

  test("is told of where it serves nothing", async () => {
    expect((await load(whole, { "o.yaml": pets, "f.ts": "export const other = 1;\n" })).told).toEqual([
      "warning 2:1 f.ts serves nothing: no export of it is named as an operationId of the contract | The contract has listPets, addPet",
    ]);
  });
});

describe("a function that the service file names", () => {
  const one = (reference: string) => `openapi: o.yaml\npaths: { /pets: { get: { function: ${reference} } } }\n`;
  const source = "export const listPets = () => [];\nexport const other = () => [];\nexport default () => [];\n";

  test.each([
    ["f.ts#other", source, "other"],
    ["f.ts", source, "listPets"],
    ["f.ts", "export default () => [];", "default"],
    ["f.js", "module.exports = { other() { return {}; }, async a(b) {}, listPets };", "listPets"],
    ["f.js", "exports.a = 1;", "default"],
    ["f.js#whatever", "module.exports = make();", "whatever"],
  ])("%s of %j is the export %s", async (reference, text, name) => {
    const file = reference.replace(/#.*/, "");
    expect((await load(one(reference), { "o.yaml": contract("GET /pets listPets"), [file]: text })).served).toEqual([
      `GET /pets: ./${file}#${name}`,
    ]);
  });

  test.each([
    ["f.ts#lsitPets", source, 'error 2:36 f.ts has no export "lsitPets" | Did you mean "listPets"?'],
    ["f.ts#zzz", source, 'error 2:36 f.ts has no export "zzz" | It exports default, listPets, other'],
    ["f.ts#Pet", "export interface Pet {}", 'error 2:36 f.ts has no export "Pet" | It exports nothing: write `export` before the function'],
    [
      "f.ts",
      "export const listPet = 1;",
      'error 2:36 f.ts exports neither "listPets", the operationId, nor a default | Did you mean "listPet"?',
    ],
  ])("%s of %j is refused", async (reference, text, message) => {
    expect((await load(one(reference), { "o.yaml": contract("GET /pets listPets"), "f.ts": text })).told).toEqual([message]);
  });

  test("and its listener's are looked for, each", async () => {
    const service = "listeners: [{ tcp: 0, function: f.ts#a }, { tcp: 0, function: f.ts }]\n";
    expect((await load(service, { "f.ts": "export const b = 1;\n" })).told).toEqual([
      'error 1:33 f.ts has no export "a" | It exports b',
      'error 1:63 f.ts has no export "default" | It exports b',
    ]);
  });
});
