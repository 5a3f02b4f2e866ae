/**
 * The operations of a document, and what is odd about how their paths are declared.
 */
import type { Diagnostic } from "../core/diagnostic.ts";
import type { ContractOperation } from "./contract.ts";
import type { Documents } from "./documents.ts";
import { entriesOf, isRecord, listOf, member, textOf, type JsonTrail } from "./json.ts";
import { parseMediaType } from "./media-type.ts";
import { DocumentOperation, namesInTemplate } from "./operation.ts";
import { isHeaderName } from "./parameters.ts";
import type { Validators } from "./validators.ts";

const verbs = ["get", "put", "post", "delete", "options", "head", "patch", "trace"] as const;

/** Operations of one contract, at the most. */
export const operationsMax = 100_000;

export interface FoundOperations {
  readonly operations: readonly ContractOperation[];
  readonly problems: readonly Diagnostic[];
}

export function findOperations(documents: Documents, validators: Validators): FoundOperations {
  const finder = new Finder(documents, validators);
  for (const [path, item] of entriesOf(member(documents.root.value, "paths"))) if (path.startsWith("/")) finder.addPath(path, item);
  return { operations: finder.operations, problems: finder.problems };
}

class Finder {
  readonly operations: ContractOperation[] = [];
  readonly problems: Diagnostic[] = [];
  readonly #documents: Documents;
  readonly #validators: Validators;
  readonly #ids = new Set<string>();
  /** By verb and template with its names left out. */
  readonly #templates = new Map<string, string>();

  constructor(documents: Documents, validators: Validators) {
    this.#documents = documents;
    this.#validators = validators;
  }

  addPath(path: string, item: unknown): void {
    const pathItem = this.#documents.resolve(item);
    if (!isRecord(pathItem)) return;
    const names = namesInTemplate(path);
    const end = /[?#]/.exec(path)?.[0];
    if (end !== undefined)
      this.#warn(
        ["paths", path],
        `Path "${path}" is never reached: it has a "${end}"`,
        "A request's query is not part of its path: declare it under parameters, in: query.",
      );
    if (new Set(names).size < names.length)
      this.#warn(["paths", path], `Path "${path}" has the same name twice`, "The last value is the one that is used.");
    for (const verb of verbs) if (isRecord(pathItem[verb])) this.#addOperation(path, names, verb, pathItem);
  }

  #addOperation(path: string, names: readonly string[], verb: string, pathItem: unknown): void {
    const operation = member(pathItem, verb);
    const trail = ["paths", path, verb];
    const method = verb.toUpperCase();
    const template = `${method} ${path.replace(/\{[^{}]*\}/g, "{}")}`;
    const other = this.#templates.get(template);
    if (other !== undefined)
      return this.#warn(
        trail,
        `${method} ${path} is never reached: it is the same path as "${other}"`,
        "Give the operation to one of them.",
      );
    if (this.operations.length >= operationsMax)
      return this.#warn(trail, `${method} ${path} is left out: a contract has at most ${operationsMax} operations`);
    this.#templates.set(template, path);
    this.#checkId(operation, trail);
    this.#checkNames(path, names, [pathItem, operation], trail);
    this.#checkHeaders(`${method} ${path}`, [pathItem, operation], trail);
    this.#checkContent(`${method} ${path}`, operation, trail);
    this.operations.push(
      new DocumentOperation({ documents: this.#documents, validators: this.#validators, path, method, pathItem, operation }),
    );
  }

  #checkId(operation: unknown, trail: JsonTrail): void {
    const id = textOf(member(operation, "operationId"));
    if (id === undefined) return;
    if (this.#ids.has(id)) this.#warn([...trail, "operationId"], `operationId "${id}" is used twice`, "It must be unique in the document.");
    this.#ids.add(id);
  }

  #checkNames(path: string, names: readonly string[], holders: readonly unknown[], trail: JsonTrail): void {
    const declared = holders
      .flatMap((holder) => listOf(member(holder, "parameters")))
      .map((parameter) => this.#documents.resolve(parameter))
      .filter((parameter) => member(parameter, "in") === "path")
      .map((parameter) => textOf(member(parameter, "name")) ?? "");
    for (const name of names)
      if (!declared.includes(name))
        this.#warn(
          trail,
          `Path parameter "${name}" of "${path}" is not declared`,
          "Its value is passed on as text; declare it under parameters, in: path.",
        );
    for (const name of declared)
      if (!names.includes(name))
        this.#warn(trail, `Path parameter "${name}" is not in the path "${path}"`, `Write {${name}} in the path, or remove the parameter.`);
  }

  #checkHeaders(title: string, holders: readonly unknown[], trail: JsonTrail): void {
    for (const parameter of holders.flatMap((holder) => listOf(member(holder, "parameters"))).map((one) => this.#documents.resolve(one))) {
      const name = textOf(member(parameter, "name"));
      if (member(parameter, "in") === "header" && name !== undefined && !isHeaderName(name))
        this.#warn(
          trail,
          `Header parameter ${JSON.stringify(name)} of ${title} has a name that no header can have`,
          "It is ignored; names have no spaces.",
        );
    }
  }

  #checkContent(title: string, operation: unknown, trail: JsonTrail): void {
    const declared = member(operation, "requestBody");
    for (const [written] of entriesOf(member(this.#documents.resolve(declared), "content")))
      if (written !== "*" && !parseMediaType(written))
        this.#warn(
          [...trail, "requestBody", ...(member(declared, "$ref") === undefined ? ["content", written] : [])],
          `${JSON.stringify(written)} of ${title} is not a media type`,
          "It is ignored, and so is its schema; write a type and a subtype, application/json for instance.",
        );
  }

  #warn(trail: JsonTrail, message: string, hint?: string): void {
    const place = this.#documents.place(trail);
    this.problems.push({
      severity: "warning",
      ...(place ? { place } : { file: this.#documents.root.path }),
      message,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}
