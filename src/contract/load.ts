/**
 * From a file's name to a contract, or to every problem that keeps it from being one.
 */
import { basename, resolve } from "node:path";
import type { Diagnostic } from "../core/diagnostic.ts";
import { bundle } from "./bundle.ts";
import type { LoadedContract } from "./contract.ts";
import type { Dialect } from "./dialect.ts";
import { readDocuments } from "./documents.ts";
import { isRecord, member, textOf } from "./json.ts";
import { findOperations } from "./operations.ts";
import { Places } from "./places.ts";
import { readSource, type SourceFile } from "./source.ts";
import { checkStructure } from "./structure.ts";
import { Validators } from "./validators.ts";

/** Reads an OpenAPI document (3.0 or 3.1, YAML or JSON) and the files it refers to. Never throws. */
export async function loadContract(file: string): Promise<LoadedContract> {
  const read = await readSource(resolve(file));
  if (!read.ok) return { ok: false, problems: [read.problem] };
  const { source } = read;
  const version = versionOf(source);
  if (!version.ok) return { ok: false, problems: [version.problem] };
  const graph = await readDocuments(source);
  if (!graph.ok) return graph;
  const { documents } = graph;
  const structure = checkStructure(documents, version.dialect);
  if (structure.some((problem) => problem.severity === "error")) return { ok: false, problems: structure };
  const found = findOperations(documents, new Validators(documents, version.dialect));
  return {
    ok: true,
    contract: {
      file: source.path,
      openapi: version.version,
      title: textOf(member(member(source.value, "info"), "title")) ?? basename(source.path),
      operations: found.operations,
      files: [...documents.files.keys()],
      bundled: () => bundle(documents),
    },
    warnings: [...structure, ...graph.warnings, ...found.problems],
  };
}

type Version =
  | { readonly ok: true; readonly version: string; readonly dialect: Dialect }
  | { readonly ok: false; readonly problem: Diagnostic };

function versionOf(source: SourceFile): Version {
  if (!isRecord(source.value))
    return refused(source, [], "This is not an OpenAPI document: it must be an object", 'It begins with "openapi: 3.1.0" or the like.');
  const { openapi, swagger } = source.value;
  if (swagger !== undefined) {
    return refused(
      source,
      ["swagger"],
      `Swagger ${versionText(swagger)} is not supported, OpenAPI 3.0 and 3.1 are`,
      "Convert the document to OpenAPI 3.0: npx swagger2openapi, or editor.swagger.io, Edit, Convert.",
    );
  }
  if (openapi === undefined)
    return refused(
      source,
      [],
      'This is not an OpenAPI document: it lacks the key "openapi"',
      'Begin it with "openapi: 3.1.0" or the like.',
    );
  const version = versionText(openapi);
  const match = /^3\.([01])(?:\.\d+)?(?:-.*)?$/.exec(version);
  if (match) return { ok: true, version, dialect: match[1] === "0" ? "3.0" : "3.1" };
  if (version === "3") return refused(source, ["openapi"], "The OpenAPI version 3 is ambiguous", 'Write it as text: openapi: "3.0.3".');
  const hint = /^3\.\d/.test(version)
    ? 'Most documents of later versions work as "openapi: 3.1.1" once their new keywords are removed.'
    : "Use an OpenAPI 3.0 or 3.1 document.";
  return refused(source, ["openapi"], `OpenAPI ${version} is not supported, 3.0 and 3.1 are`, hint);
}

/** A version as text: unquoted, YAML reads a number. */
function versionText(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

function refused(source: SourceFile, trail: readonly string[], message: string, hint: string): Version {
  const place = new Places().find(source.path, source.text, trail);
  return { ok: false, problem: { severity: "error", ...(place ? { place } : { file: source.path }), message, hint } };
}
