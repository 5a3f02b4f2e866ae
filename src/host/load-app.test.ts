import { describe, expect, test } from "bun:test";
import { basename } from "node:path";
import { appOf } from "../../tests/app-folder.ts";
import { loadApp } from "./load-app.ts";

const contract = `openapi: 3.1.0
info: { title: Pets, version: "1" }
paths:
  /pets/{petId}:
    get:
      operationId: showPet
      parameters: [{ name: petId, in: path, required: true, schema: { type: string } }]
      responses: { "200": { description: A pet } }
    delete:
      parameters: [{ name: petId, in: path, required: true, schema: { type: string } }]
      responses: { "204": { description: Gone } }
`;

const service = (more = "") => `openapi: openapi.yaml\npaths:\n  /pets/{id}:\n    get: { inject: { cmd: sh } }\n${more}`;

/** Each diagnostic in short: "error openapi.yaml:3:5 message". */
async function told(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
  using app = appOf(files);
  const loaded = await loadApp(app.folder);
  return (loaded.ok ? loaded.warnings : loaded.problems).map(({ severity, place, file, message }) =>
    place
      ? `${severity} ${basename(place.file)}:${place.line}:${place.column} ${message}`
      : `${severity} ${basename(file ?? "")} ${message}`,
  );
}

describe("an app", () => {
  test("is its service file joined with its contract", async () => {
    using app = appOf({ "urocket-service.yaml": service(), "openapi.yaml": contract });
    expect(await loadApp(app.folder)).toMatchObject({
      ok: true,
      app: { name: "app", openapi: app.path("openapi.yaml") },
      contract: { file: app.path("openapi.yaml"), title: "Pets" },
      operations: [
        {
          key: "GET /pets/{petId}",
          handler: { path: "/pets/{id}", inject: { argv: ["sh"] } },
          contract: { operationId: "showPet", pathParameters: ["petId"] },
        },
        { key: "DELETE /pets/{petId}", contract: { method: "DELETE" } },
      ],
      warnings: [{ severity: "warning", message: "1 operation of the contract has no handler and is answered 501: DELETE /pets/{petId}" }],
    });
  });

  test("without a contract has the service file's operations, unvalidated", async () => {
    using app = appOf({ "urocket-service.yaml": "paths: { pets: { get: { inject: { cmd: sh } } } }" });
    const loaded = await loadApp(app.folder);
    expect(loaded).toMatchObject({ ok: true, operations: [{ key: "GET /pets", handler: { path: "/pets" } }], warnings: [] });
    expect(loaded.ok && loaded.contract).toBeUndefined();
  });

  test("tells the problems of both files at once", async () => {
    const problems = await told({ "urocket-service.yaml": service("nmae: x\n"), "openapi.yaml": contract.replace("3.1.0", "2.9.0") });
    expect(problems).toEqual(['error urocket-service.yaml:5:1 Unknown key "nmae"', expect.stringMatching(/^error openapi\.yaml\S* /)]);
  });

  test("tells the warnings of a service file beside the problems of its contract", async () => {
    const problems = await told({ "urocket-service.yaml": service().replace("cmd: sh", "cmd: ./nowhere"), "openapi.yaml": "" });
    expect(problems[0]).toBe('warning urocket-service.yaml:4:27 Cannot find the program "./nowhere"');
    expect(problems.slice(1)).toEqual([expect.stringMatching(/^error openapi\.yaml/)]);
  });

  test("with an operation that the contract lacks gets a warning, or an error when it is to be validated", async () => {
    const warnings = await told({ "urocket-service.yaml": service("    put: { inject: { cmd: sh } }\n"), "openapi.yaml": contract });
    expect(warnings).toContain(
      "warning urocket-service.yaml:5:5 PUT /pets/{id} is served without validation: the contract has no PUT /pets/{id}",
    );
    const problems = await told({
      "urocket-service.yaml": service("    put: { inject: { cmd: sh }, validate-in: true }\n"),
      "openapi.yaml": contract,
    });
    expect(problems).toContain("error urocket-service.yaml:5:33 Cannot apply validate-in: the contract has no PUT /pets/{id}");
  });

  test("that is not there is a problem of its folder", async () => {
    expect(await told({})).toEqual(["error app There is no service file in app"]);
  });
});
