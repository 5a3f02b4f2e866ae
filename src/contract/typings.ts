/**
 * A contract as TypeScript: for each operation what its requests and replies hold, in the shape that `openapi-typescript` made
 * common (`operations["addPet"]["requestBody"]["content"]`), but as a function here gets and returns it: defaults filled in, forms
 * and XML read. `Handler` of the SDK makes a handler's type of it.
 */
import type { Contract } from "./contract.ts";
import { entriesOf, isRecord, listOf, member, textOf, type JsonRecord } from "./json.ts";
import { formatOf, parseMediaType } from "./media-type.ts";
import { isHeaderName } from "./parameters.ts";
import { commentOf, SchemaTypings } from "./typings-schema.ts";
import { atom, commentText, indented, keyText, memberText, objectText, union, type TypeText } from "./typings-text.ts";

/** How every file begins that was written here. */
export const typingsMark = "// Written by `urocket types` from ";

/**
 * The text of a TypeScript file. The same contract gives the same text.
 * @param from the contract, as the file is to name it.
 */
export function writeTypings(contract: Contract, from: string): string {
  return new Typings(contract).write(from);
}

const verbs = ["get", "put", "post", "delete", "options", "head", "patch", "trace"] as const;
const bytes = atom("Uint8Array");
const nothing = atom("Record<never, never>");

class Typings {
  readonly #document: JsonRecord;
  readonly #is30: boolean;
  readonly #schemas: SchemaTypings;

  constructor(contract: Contract) {
    this.#document = contract.bundled();
    this.#is30 = contract.openapi.startsWith("3.0");
    this.#schemas = new SchemaTypings(this.#document, this.#is30 ? "3.0" : "3.1");
  }

  write(from: string): string {
    const operations = this.#operations();
    const { declarations, schemas } = this.#schemas.declarations();
    const head = `${typingsMark}${from.replace(/[\r\n]/g, " ")}. Changes are overwritten: change the contract, and run it again.\n`;
    return [
      head,
      interfaceText("operations", operations),
      ...declarations.map((declaration) => `${declaration}\n`),
      interfaceText("components", [memberText("schemas", false, objectText(schemas), "")]),
    ].join("\n");
  }

  #operations(): string[] {
    const members: string[] = [];
    const keys = new Set<string>();
    for (const [path, declared] of entriesOf(this.#document["paths"])) {
      const item = this.#schemas.resolve(declared);
      if (!path.startsWith("/") || !isRecord(item)) continue;
      for (const verb of verbs) {
        const operation = item[verb];
        if (!isRecord(operation)) continue;
        const place = `${verb.toUpperCase()} ${path}`;
        const id = textOf(operation["operationId"]);
        const key = id === undefined || keys.has(id) ? place : id;
        if (keys.has(key)) continue;
        keys.add(key);
        const comment = commentText([
          textOf(operation["summary"]),
          textOf(operation["description"]),
          key === place ? undefined : place,
          deprecation(operation),
        ]);
        members.push(memberText(keyText(key), false, this.#operation(path, verb, item, operation), comment));
      }
    }
    return members;
  }

  #operation(path: string, verb: string, item: JsonRecord, operation: JsonRecord): TypeText {
    const parameters = this.#parameters(path, item, operation);
    const members = [
      ...mapText(
        "parameters",
        (["path", "query", "header"] as const).flatMap((place) => mapText(place, this.#place(place, parameters))),
      ),
      ...this.#requestBody(verb, operation),
      ...mapText("responses", this.#responses(operation)),
    ];
    return members.length === 0 ? nothing : objectText(members);
  }

  // --- requests

  /** Its own, and of its path those that it does not declare itself. */
  #parameters(path: string, item: JsonRecord, operation: JsonRecord): JsonRecord[] {
    const byKey = new Map<string, JsonRecord>();
    const templateNames = [...path.matchAll(/\{([^{}]*)\}/g)].map((match) => match[1] ?? "");
    for (const declared of [...listOf(item["parameters"]), ...listOf(operation["parameters"])]) {
      const parameter = this.#schemas.resolve(declared);
      const name = textOf(member(parameter, "name"));
      const place = textOf(member(parameter, "in"));
      if (!isRecord(parameter) || name === undefined || place === undefined) continue;
      if (place === "path" && !templateNames.includes(name)) continue;
      if (place === "header" && (/^(accept|content-type|authorization)$/i.test(name) || !isHeaderName(name))) continue;
      byKey.set(`${place} ${place === "header" ? name.toLowerCase() : name}`, parameter);
    }
    for (const name of templateNames)
      if (!byKey.has(`path ${name}`)) byKey.set(`path ${name}`, { name, in: "path", content: { "text/plain": {} } });
    return [...byKey.values()];
  }

  #place(place: "path" | "query" | "header", parameters: readonly JsonRecord[]): string[] {
    return parameters
      .filter((parameter) => parameter["in"] === place)
      .map((parameter) => {
        const name = String(parameter["name"]);
        const { type, hasDefault } = this.#parameter(parameter);
        const isThere = place === "path" || parameter["required"] === true || hasDefault;
        return memberText(keyText(place === "header" ? name.toLowerCase() : name), !isThere, type, commentOf(parameter));
      });
  }

  #parameter(parameter: JsonRecord): { readonly type: TypeText; readonly hasDefault: boolean } {
    const [content] = entriesOf(parameter["content"]);
    const schema = content === undefined ? parameter["schema"] : member(this.#schemas.resolve(content[1]), "schema");
    const isText = content !== undefined && formatOf(parseMediaType(content[0])?.essence ?? "") !== "json";
    const type = isText ? atom("string") : this.#schemas.type(schema, "request");
    const empty = parameter["in"] === "query" && parameter["allowEmptyValue"] === true;
    const hasDefault = member(this.#schemas.resolve(schema), "default") !== undefined;
    return { type: empty ? union([type, atom('""')]) : type, hasDefault };
  }

  #requestBody(verb: string, operation: JsonRecord): string[] {
    const body = this.#schemas.resolve(operation["requestBody"]);
    if (!isRecord(body)) return [];
    // OpenAPI 3.0 ignores bodies where HTTP gives them no meaning (§4.7.10).
    const isRequired = body["required"] === true && !(this.#is30 && (verb === "get" || verb === "head"));
    const content = this.#content(body, "request");
    return [memberText("requestBody", !isRequired, objectText(content), commentText([textOf(body["description"])]))];
  }

  #content(holder: unknown, direction: "request" | "reply"): string[] {
    const members = entriesOf(member(holder, "content")).map(([mediaType, media]) =>
      memberText(keyText(mediaType), false, this.#bodyType(mediaType, media, direction), ""),
    );
    return mapText("content", members);
  }

  /** A body that is not parsed is bytes: a function gets, or may return, a stream of them. */
  #bodyType(mediaType: string, media: unknown, direction: "request" | "reply"): TypeText {
    const schema = member(this.#schemas.resolve(media), "schema");
    switch (formatOf(parseMediaType(mediaType)?.essence ?? "")) {
      case "json":
        return this.#schemas.type(schema, direction);
      case "xml":
        return direction === "request" ? this.#schemas.type(schema, direction) : atom("string");
      case "form":
      case "multipart":
        return direction === "request" ? this.#schemas.type(schema, direction) : bytes;
      case "text":
        return direction === "request" ? bytes : atom("string");
      case "opaque":
        return bytes;
    }
  }

  // --- replies

  #responses(operation: JsonRecord): string[] {
    return entriesOf(operation["responses"])
      .filter(([key]) => !key.startsWith("x-"))
      .map(([key, declared]) => {
        const response = this.#schemas.resolve(declared);
        const members = [...mapText("headers", this.#headers(response)), ...this.#content(response, "reply")];
        return memberText(
          statusKey(key),
          false,
          members.length === 0 ? nothing : objectText(members),
          commentText([textOf(member(response, "description"))]),
        );
      });
  }

  #headers(response: unknown): string[] {
    return entriesOf(member(response, "headers"))
      .filter(([name]) => name.toLowerCase() !== "content-type" && isHeaderName(name))
      .map(([name, declared]) => {
        const header = this.#schemas.resolve(declared);
        const type = this.#schemas.type(member(header, "schema"), "reply");
        return memberText(keyText(name), member(header, "required") !== true, type, commentOf(header));
      });
  }
}

/** "200" as the number, "2xx" as "2XX". */
function statusKey(key: string): string {
  if (/^[1-5][0-9]{2}$/.test(key)) return key;
  return keyText(/^[1-5]xx$/i.test(key) ? key.toUpperCase() : key);
}

function deprecation(operation: JsonRecord): string | undefined {
  return operation["deprecated"] === true ? "@deprecated" : undefined;
}

/** A member that holds others; none where these are none. */
function mapText(key: string, members: readonly string[]): string[] {
  return members.length === 0 ? [] : [memberText(key, false, objectText(members), "")];
}

function interfaceText(name: string, members: readonly string[]): string {
  return `export interface ${name} {\n${indented(members.join("\n"))}\n}\n`;
}
