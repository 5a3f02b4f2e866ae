/** The pets example by functions: the same contract, and the same tests. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describePetstore } from "./petstore.ts";
import { root, urocket } from "./urocket-command.ts";

describePetstore("pets-functions");

test("it is the contract of the pets by programs", () => {
  const [one, other] = ["pets", "pets-functions"].map((name) => readFileSync(join(root, "examples", name, "openapi.yaml"), "utf8"));
  expect(other).toBe(one ?? "");
});

test("its types are up to date", async () => {
  expect(await urocket(["types", "--check", join(root, "examples/pets-functions")])).toMatchObject({ code: 0, stderr: "" });
});
