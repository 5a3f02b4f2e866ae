/**
 * What every implementation of the contract in `examples/pets` has to do, told over HTTP alone, so that the same tests
 * can be run against each of them.
 */
import { describe, expect, test } from "bun:test";
import { copyOfExample } from "./app-folder.ts";
import { servedApp } from "./served-app.ts";

interface Pet {
  readonly id: number;
  readonly name: string;
  readonly tag?: string;
}

interface Problem {
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly errors?: readonly { readonly in: string; readonly path: string; readonly message: string }[];
}

/** Declares the tests for the example in `examples/<name>`. */
export function describePetstore(name: string): void {
  describe(`examples/${name}`, () => {
    const host = servedApp(() => copyOfExample(name));

    const add = async (body: unknown): Promise<Response> =>
      await fetch(`${host.url}/pets`, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });
    const added = async (body: { readonly name: string; readonly tag?: string }): Promise<Pet> => {
      const response = await add(body);
      expect(response.status).toBe(201);
      return (await response.json()) as Pet;
    };
    const list = async (query = ""): Promise<Pet[]> => {
      const response = await fetch(`${host.url}/pets${query}`);
      expect(response.status).toBe(200);
      return (await response.json()) as Pet[];
    };
    const refused = async (response: Response, status: number): Promise<Problem> => {
      expect(response.status).toBe(status);
      expect(response.headers.get("content-type")).toStartWith("application/problem+json");
      const problem = (await response.json()) as Problem;
      expect(problem.status).toBe(status);
      return problem;
    };

    test("an empty shop lists no pets", async () => {
      expect(await list()).toEqual([]);
    });

    test("a pet that is added gets an id, is shown where Location says, and is listed", async () => {
      const response = await add({ name: "Rex", tag: "dog" });
      expect(response.status).toBe(201);
      expect(response.headers.get("content-type")).toStartWith("application/json");
      const pet = (await response.json()) as Pet;
      expect(pet).toEqual({ id: pet.id, name: "Rex", tag: "dog" });
      expect(response.headers.get("location")).toBe(`/pets/${pet.id}`);

      const shown = await fetch(new URL(response.headers.get("location") ?? "", host.url));
      expect(shown.status).toBe(200);
      expect(shown.headers.get("content-type")).toStartWith("application/json");
      expect(await shown.json()).toEqual(pet);
      expect(await list()).toContainEqual(pet);
    });

    test("a tag is optional, and any text can be a name", async () => {
      const name = `Žofie "the ☃" \\ O'Hara $(id) \n&`;
      const pet = await added({ name });
      expect(await (await fetch(`${host.url}/pets/${pet.id}`)).json()).toEqual({ id: pet.id, name });
    });

    test("pets are listed by tag, in the order of their ids, up to the limit", async () => {
      for (const [index, name] of ["A", "B", "C"].entries()) await added({ name, tag: index === 1 ? "other" : "listed" });
      expect((await list("?tag=listed")).map((pet) => pet.name)).toEqual(["A", "C"]);
      expect((await list("?tag=listed&limit=1")).map((pet) => pet.name)).toEqual(["A"]);
      expect(await list("?tag=nobody")).toEqual([]);
      const ids = (await list("?limit=100")).map((pet) => pet.id);
      expect(ids).toEqual(ids.toSorted((one, other) => one - other));
    });

    test("without a limit twenty pets are listed", async () => {
      await Promise.all(Array.from({ length: 21 }, async () => await added({ name: "One of many", tag: "many" })));
      expect(await list("?tag=many")).toHaveLength(20);
      expect(await list("?tag=many&limit=100")).toHaveLength(21);
    });

    test("pets that are added at the same time all get ids of their own", async () => {
      const pets = await Promise.all(Array.from({ length: 20 }, async (_, index) => await added({ name: `Twin ${index}`, tag: "twin" })));
      expect(new Set(pets.map((pet) => pet.id)).size).toBe(20);
      expect((await list("?tag=twin&limit=100")).map((pet) => pet.name).toSorted()).toEqual(pets.map((pet) => pet.name).toSorted());
    });

    test("a pet that is removed is gone, and its id is not given again", async () => {
      const pet = await added({ name: "Short stay" });
      const gone = await fetch(`${host.url}/pets/${pet.id}`, { method: "DELETE" });
      expect(gone.status).toBe(204);
      expect(await gone.text()).toBe("");
      await refused(await fetch(`${host.url}/pets/${pet.id}`), 404);
      await refused(await fetch(`${host.url}/pets/${pet.id}`, { method: "DELETE" }), 404);
      expect((await added({ name: "Next" })).id).toBeGreaterThan(pet.id);
    });

    test("of clients that remove the same pet at once, one is told that it did", async () => {
      const pet = await added({ name: "Wanted" });
      const statuses = await Promise.all(
        Array.from({ length: 8 }, async () => (await fetch(`${host.url}/pets/${pet.id}`, { method: "DELETE" })).status),
      );
      expect(statuses.filter((status) => status === 204)).toHaveLength(1);
      expect(statuses.filter((status) => status === 404)).toHaveLength(7);
    });

    test("a pet that does not exist is a problem that names it", async () => {
      const problem = await refused(await fetch(`${host.url}/pets/999999`), 404);
      expect(problem.detail).toContain("999999");
    });

    test("a pet that breaks the contract is refused with every violation", async () => {
      const problem = await refused(await add({ name: 1, tag: "Not A Tag", colour: "red" }), 400);
      expect(problem.errors?.map(({ in: where, path }) => `${where} ${path}`).toSorted()).toEqual([
        "body $.colour",
        "body $.name",
        "body $.tag",
      ]);
      expect((await refused(await add({}), 400)).errors).toMatchObject([{ in: "body", path: "$.name" }]);
      expect((await refused(await add({ name: "" }), 400)).errors).toMatchObject([{ in: "body", path: "$.name" }]);
    });

    test("a body that is no JSON, of another type, or not there at all is refused", async () => {
      const headers = { "content-type": "application/json" };
      await refused(await fetch(`${host.url}/pets`, { method: "POST", headers, body: '{"name": "Rex"' }), 400);
      await refused(await fetch(`${host.url}/pets`, { method: "POST", headers }), 400);
      await refused(await fetch(`${host.url}/pets`, { method: "POST", headers: { "content-type": "text/csv" }, body: "name\nRex" }), 415);
    });

    test.each(["limit=0", "limit=101", "limit=ten", "tag=NO", "limit=0&tag=NO"])("the parameters %s are refused", async (query) => {
      const problem = await refused(await fetch(`${host.url}/pets?${query}`), 400);
      expect(problem.errors).toHaveLength(query.split("&").length);
      expect(problem.errors?.every((error) => error.in === "query")).toBeTrue();
    });

    test.each(["abc", "0", "-1", "1.5", "%2e%2e%2fsequence"])("the id %s is refused", async (id) => {
      const problem = await refused(await fetch(`${host.url}/pets/${id}`), 400);
      expect(problem.errors).toMatchObject([{ in: "path", path: "petId" }]);
    });

    test("verbs and paths that the contract does not have are refused", async () => {
      const put = await fetch(`${host.url}/pets`, { method: "PUT", body: "{}" });
      expect(put.headers.get("allow")).toContain("POST");
      await refused(put, 405);
      await refused(await fetch(`${host.url}/owners`), 404);
    });
  });
}
