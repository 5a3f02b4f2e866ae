/**
 * The documents that the conformance run goes through: a package of examples, and a folder of others where it exists.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "../..");

export function exampleDocuments(): readonly string[] {
  const folder = join(root, "node_modules/@readme/oas-examples");
  const found = [...new Bun.Glob("3.{0,1}/json/**/*.json").scanSync(folder)].map((path) => join(folder, path));
  return found.toSorted();
}

/** Documents of our own, of what the others leave out. */
export function cornerDocuments(): readonly string[] {
  const folder = join(import.meta.dir, "corners");
  return [...new Bun.Glob("*.yaml").scanSync(folder)].map((path) => join(folder, path)).toSorted();
}

/** Not part of the project: empty on most machines. Swagger 2.0 is for others to test. */
export function otherDocuments(): readonly string[] {
  const folder = resolve(root, "../shared/data/openapi");
  if (!existsSync(folder)) return [];
  const names = [...new Bun.Glob("*.{json,yaml}").scanSync(folder)].filter((name) => !name.includes("-2.0-"));
  return names.map((name) => join(folder, name)).toSorted();
}
