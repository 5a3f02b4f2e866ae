import { describe, expect, test } from "bun:test";
import { appOf } from "../../tests/app-folder.ts";
import type { App } from "../config/app.ts";
import { loadServiceFile } from "../config/service-file.ts";
import type { Contract, ContractOperation } from "../contract/contract.ts";
import { joinContract, withoutContract } from "./join-contract.ts";

/** The app of operations such as "GET /pets" or "POST /pets validate-in: true". */
async function appWith(...operations: readonly string[]): Promise<App> {
  const paths = operations.map((operation) => {
    const [, method = "", path = "", more = ""] = /^(\S+) (\S+) ?(.*)$/.exec(operation) ?? [];
    return `  ${path}:\n    ${method.toLowerCase()}: { inject: { cmd: sh }${more === "" ? "" : `, ${more}`} }\n`;
  });
  using folder = appOf({ "urocket-service.yaml": `openapi: o.yaml\npaths:\n${paths.join("")}`, "o.yaml": "" });
  const loaded = await loadServiceFile(folder.folder);
  if (!loaded.ok) throw new Error(loaded.problems.map((problem) => problem.message).join("\n"));
  return loaded.app;
}

/** A contract of operations such as "GET /pets", which are not asked anything here. */
function contractWith(...operations: readonly string[]): Contract {
  return {
    file: "/app/o.yaml",
    openapi: "3.1.0",
    title: "Test",
    files: [],
    bundled: () => ({}),
    operations: operations.map((operation): ContractOperation => {
      const [method = "", path = ""] = operation.split(" ");
      return {
        method,
        path,
        pathParameters: [],
        readRequest: () => ({ ok: true, parameters: {}, located: { path: {}, query: {}, header: {}, cookie: {} }, bodyForm: "none" }),
        checkReply: () => [],
        replyMediaType: () => undefined,
        replyMediaTypes: () => ({}),
        canProduce: () => true,
        takesMediaType: () => true,
        isOpaque: () => false,
      };
    }),
  };
}

async function join(service: readonly string[], contract: readonly string[]) {
  const { operations, diagnostics } = joinContract(await appWith(...service), contractWith(...contract));
  return {
    operations: operations.map(
      ({ key, handler, contract: described }) => `${key}${handler ? " handled" : ""}${described ? " described" : ""}`,
    ),
    told: diagnostics.map(
      ({ severity, place, message, hint }) => `${severity} ${place?.line ?? "-"}:${place?.column ?? "-"} ${message} | ${hint ?? ""}`,
    ),
  };
}

describe("the operations of service file and contract", () => {
  test("are joined by verb and path, whatever their parameters are called, and keep the contract's names", async () => {
    expect(await join(["GET /pets/{id}", "POST pets"], ["POST /pets", "GET /pets/{petId}"])).toEqual({
      operations: ["GET /pets/{petId} handled described", "POST /pets handled described"],
      told: [],
    });
  });

  test("keep the service file's path and handler in the handler", async () => {
    const [joined] = joinContract(await appWith("GET /pets/{id}"), contractWith("GET /pets/{petId}")).operations;
    expect(joined).toMatchObject({
      path: "/pets/{petId}",
      method: "GET",
      handler: { path: "/pets/{id}" },
      contract: { path: "/pets/{petId}" },
    });
  });

  test("are the service file's alone where there is no contract", async () => {
    expect(withoutContract(await appWith("GET /a", "PUT /b")).map(({ key }) => key)).toEqual(["GET /a", "PUT /b"]);
  });

  test("that only the contract has are kept, and told in one warning", async () => {
    expect(await join(["GET /a"], ["GET /a", "PUT /a"])).toEqual({
      operations: ["GET /a handled described", "PUT /a described"],
      told: [
        "warning -:- 1 operation of the contract has no handler and is answered 501: PUT /a | Give it an `inject:` or a `function:` under `paths:`",
      ],
    });
    const many = Array.from({ length: 300 }, (_, number) => `GET /many/${number}`);
    const { operations, told } = await join(["GET /a"], ["GET /a", ...many]);
    expect(operations).toHaveLength(301);
    expect(told).toEqual([
      "warning -:- 300 operations of the contract have no handler and are answered 501: GET /many/0, GET /many/1, GET /many/2, GET /many/3, GET /many/4 and 295 more | Give them an `inject:` or a `function:` under `paths:`",
    ]);
  });

  test("that are HEAD in the contract are GET's where that has a handler", async () => {
    expect((await join(["GET /a/{x}"], ["GET /a/{x}", "HEAD /a/{y}", "HEAD /b"])).operations).toEqual([
      "GET /a/{x} handled described",
      "HEAD /b described",
    ]);
  });
});

describe("an operation that the contract lacks", () => {
  test.each([
    ["GET /pet", ["GET /pets"], "Did you mean /pets?"],
    ["GET /pets", ["POST /pets", "PUT /pets"], "The contract has POST, PUT for this path"],
    ["GET /v1/pets/{id}", ["GET /pets/{petId}", "GET /"], "The contract has /pets/{petId}; if /v1 is its prefix, write it as `base:`"],
    ["GET /other", ["GET /pets"], "Write `validate-in: false` if that is meant"],
  ])("%s beside %p gets a warning with the hint %p", async (operation, contract, hint) => {
    const { told } = await join([operation], contract);
    expect(told[0]).toBe(`warning 4:5 ${operation} is served without validation: the contract has no ${operation} | ${hint}`);
  });

  test("of a thousand is told quickly, and the first twenty with the nearest path", async () => {
    const numbered = (prefix: string, count: number) => Array.from({ length: count }, (_, number) => `GET /${prefix}/${number}/items`);
    const { told } = await join(numbered("pet", 1000), numbered("pets", 10_000));
    expect(told.filter((line) => line.includes("Did you mean"))).toHaveLength(20);
    expect(told).toHaveLength(1001);
  });

  test("is told to be meant by validate-in: false", async () => {
    expect((await join(["GET /other validate-in: false"], [])).told).toEqual([]);
  });

  test.each([
    ["validate-in", "GET /other validate-in: true"],
    ["validate-out", "GET /other validate-in: false, validate-out: true"],
  ])("is an error at its line when %s is asked for", async (key, operation) => {
    const { told } = await join([operation], []);
    const column = 33 + operation.indexOf(`${key}: true`) - operation.indexOf("validate-in");
    expect(told).toEqual([
      `error 4:${column} Cannot apply ${key}: the contract has no GET /other | Add it to /app/o.yaml, or take ${key} out`,
    ]);
  });
});
