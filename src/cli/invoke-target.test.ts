import { describe, expect, test } from "bun:test";
import { findTarget, type Invocable, type Wanted } from "./invoke-target.ts";

const pets: Invocable = {
  app: "pets",
  base: "/v1",
  operations: [
    { method: "GET", path: "/pets", names: ["listPets"] },
    { method: "POST", path: "/pets", names: ["addPet"] },
    { method: "GET", path: "/pets/{petId}", names: ["showPet"] },
    { method: "GET", path: "/files/{name}.json", names: [] },
  ],
  listeners: ["tcp:1234"],
  servesAnyPath: false,
};

function find(operation: string, more: Partial<Wanted> = {}, invocable = pets): string {
  const found = findTarget({ operation, parameters: [], query: [], ...more }, invocable);
  if (!found.ok) return found.complaints.map(({ message, hint }) => `${message} | ${hint}`).join("\n");
  return found.target.kind === "lines" ? `lines ${found.target.listener}` : `${found.target.method} ${found.target.path}`;
}

describe("an operation is found", () => {
  test.each([
    ["listPets", "GET /v1/pets"],
    ["POST /pets", "POST /v1/pets"],
    ["post /v1/pets", "POST /v1/pets"],
    ["/pets", "GET /v1/pets"],
    ["GET /pets?limit=1", "GET /v1/pets?limit=1"],
    ["GET /pets/7", "GET /v1/pets/7"],
    ["/v1/files/a.json", "GET /v1/files/a.json"],
    ["tcp:1234", "lines tcp:1234"],
  ])("by %p as %p", (written, expected) => expect(find(written)).toBe(expected));

  test("with its parameters encoded, whatever they are called where it is written", () => {
    expect(find("showPet", { parameters: [["petId", "a/b c"]] })).toBe("GET /v1/pets/a%2Fb%20c");
    expect(find("GET /pets/{id}", { parameters: [["id", "7"]] })).toBe("GET /v1/pets/7");
  });

  test("with its query encoded, after one that is written", () => {
    const query = [
      ["tag", "a&b"],
      ["tag", "c"],
    ] as const;
    expect(find("listPets", { query })).toBe("GET /v1/pets?tag=a%26b&tag=c");
    expect(find("/pets?limit=1", { query: [["tag", "+"]] })).toBe("GET /v1/pets?limit=1&tag=%2B");
  });

  test("at any path where a default export may serve it", () => {
    const fetching: Invocable = { app: "f", base: "", operations: [], listeners: [], servesAnyPath: true };
    expect(find("DELETE /what/ever", {}, fetching)).toBe("DELETE /what/ever");
  });
});

describe("is refused, with what to do,", () => {
  test.each([
    ["lstPets", 'Cannot find the operation "lstPets" in pets | Did you mean "listPets"?'],
    ["PUT /pets", 'Cannot find the operation "PUT /pets" in pets | Did you mean "GET /pets"?'],
    [
      "xyzzy",
      'Cannot find the operation "xyzzy" in pets | It has listPets, addPet, showPet, GET /v1/files/{name}.json, tcp:1234; `urocket check` shows what it serves',
    ],
    ["showPet", "Cannot invoke GET /v1/pets/{petId}: it has no value for petId | Add --param petId=VALUE"],
  ])("%p", (written, expected) => expect(find(written)).toBe(expected));

  test("a parameter that the path does not have", () => {
    expect(find("showPet", { parameters: [["petid", "1"]] })).toContain(
      'Cannot use --param petid: GET /v1/pets/{petId} has no such path parameter | Did you mean "petId"?',
    );
    expect(find("listPets", { parameters: [["limit", "1"]] })).toBe(
      "Cannot use --param limit: GET /v1/pets has no such path parameter | For the query write --query limit=VALUE",
    );
  });
});
