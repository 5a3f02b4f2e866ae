import { describe, expect, test } from "bun:test";
import { appOf } from "../../tests/app-folder.ts";
import { loadApp } from "./load-app.ts";

const document = `openapi: 3.1.0
info: { title: t, version: "1" }
paths:
  /a:
    get: { operationId: a, responses: { default: { description: d } } }
    head: { operationId: h, responses: { default: { description: d } } }
  /b:
    post: { operationId: b, responses: { default: { description: d } } }
`;

async function load(service: string, files: Readonly<Record<string, string>> = {}) {
  using app = appOf({ "urocket-service.yaml": service, ...files });
  const loaded = await loadApp(app.folder, { typeCheck: false });
  return {
    served: loaded.ok ? loaded.operations.map(({ key, handler }) => `${key}: ${handler?.kind ?? "none"}`) : undefined,
    told: (loaded.ok ? loaded.warnings : loaded.problems).map(({ severity, message }) => `${severity} ${message}`),
  };
}

describe("an app's daemon", () => {
  test("serves the operations of the contract that nothing else does, and HEAD with GET", async () => {
    const paths = "paths: { /b: { post: { inject: { cmd: sh } } } }\n";
    expect(await load(`openapi: o.yaml\nservice: { cmd: sh }\n${paths}`, { "o.yaml": document })).toEqual({
      served: ["POST /b: program", "GET /a: service"],
      told: [],
    });
  });

  test("serves every method of every path without a contract, beside what the service file gives to others", async () => {
    const { served, told } = await load("service: { cmd: sh }\npaths: { /b: { post: { inject: { cmd: sh } } } }\n");
    expect(told).toEqual([]);
    expect(served?.slice(0, 3)).toEqual(["POST /b: program", "GET /*: service", "PUT /*: service"]);
    expect(served).toHaveLength(9);
  });

  test("that gets no requests is told of", async () => {
    const { told } = await load("openapi: o.yaml\nservice: { cmd: sh }\nfunctions: f.ts\n", {
      "o.yaml": document,
      "f.ts": "export default { fetch: () => new Response() };\n",
    });
    expect(told).toEqual(["warning The service gets no requests: programs and functions serve every operation already"]);
  });
});
