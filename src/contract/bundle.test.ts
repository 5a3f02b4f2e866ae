import { expect, test } from "bun:test";
import { appOf } from "../../tests/app-folder.ts";
import { loadContract } from "./load.ts";

/** The bundled document of `openapi.yaml` among these files. */
async function bundled(files: Readonly<Record<string, string>>): Promise<Record<string, unknown>> {
  using folder = appOf(files);
  const loaded = await loadContract(folder.path("openapi.yaml"));
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join("; "));
  return loaded.contract.bundled();
}

const head = 'openapi: 3.1.0\ninfo: { title: T, version: "1" }\n';

test("a document of one file stays as it is, examples that look like references included", async () => {
  const text = `${head}paths:
  /pets/{id}:
    get:
      parameters: [{ $ref: "#/components/parameters/id" }]
      responses: { "200": { description: ok, content: { application/json: { schema: { $ref: "#/components/schemas/Pet" } } } } }
components:
  parameters: { id: { name: id, in: path, required: true, schema: { type: integer } } }
  schemas: { Pet: { type: object, properties: { parent: { $ref: "#/components/schemas/Pet" } }, example: { $ref: other.yaml } } }
`;
  expect(await bundled({ "openapi.yaml": text })).toEqual(Bun.YAML.parse(text) as Record<string, unknown>);
});

test("what other files hold is put where its kind belongs, once, under a free name", async () => {
  const document = await bundled({
    "openapi.yaml": `${head}paths:
  /pets: { $ref: paths/pets.yaml }
components: { schemas: { Pet: { type: string } } }
`,
    "paths/pets.yaml": `get:
  parameters: [{ $ref: ../shared.yaml#/limit }]
  responses: { "200": { $ref: ../shared.yaml#/ok } }
post:
  requestBody: { $ref: ../shared.yaml#/body }
  responses: { "200": { $ref: ../shared.yaml#/ok } }
`,
    "shared.yaml": `limit: { name: limit, in: query, schema: { type: integer } }
ok: { description: ok, content: { application/json: { schema: { $ref: Pet.yaml } } } }
body: { content: { application/json: { schema: { $ref: Pet.yaml } } } }
`,
    "Pet.yaml": "type: object\nproperties: { parent: { $ref: Pet.yaml }, name: { $ref: 'openapi.yaml#/components/schemas/Pet' } }\n",
  });
  const schema = { $ref: "#/components/schemas/Pet_2" };
  const content = { "application/json": { schema } };
  expect(document["paths"]).toEqual({
    "/pets": {
      get: { parameters: [{ $ref: "#/components/parameters/limit" }], responses: { "200": { $ref: "#/components/responses/ok" } } },
      post: { requestBody: { $ref: "#/components/requestBodies/body" }, responses: { "200": { $ref: "#/components/responses/ok" } } },
    },
  });
  expect(document["components"]).toEqual({
    schemas: {
      Pet: { type: "string" },
      Pet_2: { type: "object", properties: { parent: schema, name: { $ref: "#/components/schemas/Pet" } } },
    },
    parameters: { limit: { name: "limit", in: "query", schema: { type: "integer" } } },
    responses: { ok: { description: "ok", content } },
    requestBodies: { body: { content } },
  });
});

test("references by $id and $anchor become pointers, and properties called like keywords are properties", async () => {
  const document = await bundled({
    "openapi.yaml": `${head}paths: {}
components:
  schemas:
    Cat: { $id: "https://example.com/cat", type: object, properties: { parameters: { properties: { a: { $ref: "#tail" } } } }, $defs: { t: { $anchor: tail, type: string } } }
    Dog: { $ref: "https://example.com/cat", description: like a cat }
`,
  });
  expect(document["components"]).toEqual({
    schemas: {
      Cat: {
        type: "object",
        properties: { parameters: { properties: { a: { $ref: "#/components/schemas/Cat/$defs/t" } } } },
        $defs: { t: { type: "string" } },
      },
      Dog: { description: "like a cat", $ref: "#/components/schemas/Cat" },
    },
  });
});
