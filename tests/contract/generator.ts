/**
 * Makes requests for every operation of a contract: valid ones, and such that differ from a valid one in a single way.
 * They can be given to `readRequest`, or be sent to any server of that contract.
 */
import { isObject, makeJudge, textOr, type Json, type Judge } from "./judge.ts";
import { mutations, sample, seeded, type Random } from "./sample.ts";
import { writeForm, writeFormBody, writeHeader, writeMultipart, writePath, writeXml } from "./write.ts";

export interface GeneratedRequest {
  /** "GET /pets/{petId}" */
  readonly operation: string;
  readonly method: string;
  /** Path and query, as a request line has them. */
  readonly url: string;
  /** The raw path parameters, for those who match no paths themselves. */
  readonly pathParameters: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly expected: "accepted" | "refused";
  readonly why: string;
}

const verbs = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
/** Valid requests of each operation and media type. */
const validPerOperation = 6;
/** Refused ones of each operation and media type, at the most. */
const mutationsPerOperationMax = 60;
const boundary = "----generated-boundary";

/** Every request that can be made of a document of one file. */
export async function generateRequests(contractFile: string, seed: number): Promise<readonly GeneratedRequest[]> {
  const text = await Bun.file(contractFile).text();
  const document: unknown = contractFile.endsWith(".json") ? JSON.parse(text) : Bun.YAML.parse(text);
  if (!isObject(document)) return [];
  const judge = makeJudge(document);
  const random = seeded(seed);
  const requests: GeneratedRequest[] = [];
  for (const [path, item] of Object.entries(isObject(judge.document["paths"]) ? judge.document["paths"] : {})) {
    const pathItem = judge.resolve(item);
    if (!isObject(pathItem) || !/^\/[^?#]*$/.test(path)) continue;
    for (const verb of verbs)
      if (isObject(pathItem[verb])) requests.push(...ofOperation(judge, path, verb, pathItem, pathItem[verb], random));
  }
  return requests;
}

interface Given {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly style: string;
  readonly explode: boolean;
  readonly json: boolean;
  readonly schema: unknown;
}

interface Media {
  readonly type: string;
  readonly schema: unknown;
  readonly encoding: unknown;
}

function ofOperation(judge: Judge, path: string, verb: string, pathItem: Json, operation: Json, random: Random): GeneratedRequest[] {
  const parameters = parametersOf(judge, path, pathItem, operation);
  const declared = judge.resolve(operation["requestBody"]);
  const medias = verb === "get" || verb === "head" || verb === "trace" ? [] : mediasOf(judge, declared);
  const requests: GeneratedRequest[] = [];
  for (const media of medias.length > 0 ? medias : [undefined]) {
    for (let round = 0; round < validPerOperation; round++) {
      const draft = draftOf(judge, path, verb, parameters, media, round > 0 && random() < 0.5, random);
      if (!draft) continue;
      requests.push(write(judge, draft, "accepted", "valid"));
      if (round === 0)
        requests.push(
          ...mutated(judge, draft, isObject(declared) && declared["required"] === true, random).slice(0, mutationsPerOperationMax),
        );
    }
  }
  return requests;
}

function parametersOf(judge: Judge, path: string, pathItem: Json, operation: Json): Given[] {
  const found = new Map<string, Given>();
  for (const holder of [pathItem, operation]) {
    for (const entry of Array.isArray(holder["parameters"]) ? holder["parameters"] : []) {
      const one = judge.resolve(entry);
      if (!isObject(one) || typeof one["name"] !== "string") continue;
      if (one["in"] === "header" && ["accept", "content-type", "authorization"].includes(one["name"].toLowerCase())) continue;
      if (one["in"] === "path" && !path.includes(`{${one["name"]}}`)) continue;
      found.set(`${String(one["in"])} ${one["name"]}`, given(judge, one));
    }
  }
  return [...found.values()];
}

function given(judge: Judge, one: Json): Given {
  const content = isObject(one["content"]) ? Object.entries(one["content"])[0] : undefined;
  const style = textOr(one["style"], one["in"] === "query" || one["in"] === "cookie" ? "form" : "simple");
  const media = content && judge.resolve(content[1]);
  return {
    name: String(one["name"]),
    in: String(one["in"]),
    required: one["required"] === true || one["in"] === "path",
    style,
    explode: typeof one["explode"] === "boolean" ? one["explode"] : style === "form",
    json: content !== undefined && content[0].includes("json"),
    schema: content ? isObject(media) && media["schema"] : (one["schema"] ?? {}),
  };
}

function mediasOf(judge: Judge, declared: unknown): Media[] {
  if (!isObject(declared) || !isObject(declared["content"])) return [];
  return Object.entries(declared["content"]).flatMap(([type, value]) => {
    const media = judge.resolve(value);
    const concrete = type === "*/*" || type === "application/*" ? "application/json" : type;
    return isObject(media) && /^[^/*]+\/[^/*]+$/.test(concrete)
      ? [{ type: concrete, schema: media["schema"] ?? {}, encoding: media["encoding"] }]
      : [];
  });
}

/** A request as values, before it is written. */
interface Draft {
  readonly path: string;
  readonly verb: string;
  readonly values: readonly { readonly parameter: Given; readonly value: unknown }[];
  readonly media: Media | undefined;
  readonly body: unknown;
}

const pathLetters = "abcXYZ019_é ~";
const plainLetters = "abcdefXYZ0189";
const bodyLetters = "abcXYZ019 é&<\"'=+%ß漢";

function draftOf(
  judge: Judge,
  path: string,
  verb: string,
  parameters: readonly Given[],
  media: Media | undefined,
  sparse: boolean,
  random: Random,
): Draft | undefined {
  const values: { parameter: Given; value: unknown }[] = [];
  for (const parameter of parameters) {
    if (!parameter.required && (sparse ? random() < 0.7 : random() < 0.1)) continue;
    const letters = parameter.in === "path" || parameter.in === "query" ? pathLetters : plainLetters;
    const value = validSample(judge, parameter.schema, random, letters, (one) => isWritable(parameter, one));
    if (value === undefined && parameter.required) return undefined;
    if (value !== undefined) values.push({ parameter, value });
  }
  if (!media) return { path, verb, values, media, body: undefined };
  const isText = !/json/.test(media.type);
  const body = validSample(judge, media.schema, random, bodyLetters, (one) => !isText || isWritableAsText(one, media));
  return body === undefined ? undefined : { path, verb, values, media, body };
}

function validSample(judge: Judge, schema: unknown, random: Random, letters: string, fits: (value: unknown) => boolean): unknown {
  for (let tries = 0; tries < 30; tries++) {
    const value = sample(judge, schema, random, letters);
    if (value !== undefined && fits(value) && judge.valid(schema, value) === true) return value;
  }
  return undefined;
}

function isScalar(value: unknown): boolean {
  return typeof value !== "object" && value !== "";
}

/** What a style can write without ambiguity: OpenAPI leaves nested values to `deepObject` and to JSON. */
function isWritable(parameter: Given, value: unknown): boolean {
  if (parameter.json) return true;
  // An encoded space is the separator of this style, so that no value can have one.
  if (parameter.style === "spaceDelimited" && !parameter.explode && JSON.stringify(value)?.includes(" ")) return false;
  if (Array.isArray(value))
    return value.length > 0 && value.every(isScalar) && (parameter.style !== "label" || value.every((one) => !String(one).includes(".")));
  if (!isObject(value)) return isScalar(value) && !/^\.+$/.test(String(value));
  const inner = Object.values(value);
  if (inner.length === 0) return false;
  if (parameter.style === "deepObject")
    return inner.every((one) => isScalar(one) || (isObject(one) && Object.keys(one).length > 0 && Object.values(one).every(isScalar)));
  return inner.every(isScalar) && (parameter.style !== "label" || inner.every((one) => !String(one).includes(".")));
}

function isWritableAsText(value: unknown, media: Media): boolean {
  if (/xml/.test(media.type)) return !Array.isArray(value) && writableInXml(value);
  if (media.type.startsWith("text/")) return typeof value !== "object";
  if (!/form/.test(media.type)) return true;
  return (
    isObject(value) &&
    Object.keys(value).length > 0 &&
    Object.values(value).every(
      (one) =>
        isScalar(one) || isObject(one) || (Array.isArray(one) && one.length > 0 && one.every((item) => isScalar(item) || isObject(item))),
    )
  );
}

function writableInXml(value: unknown): boolean {
  if (value === null) return false;
  if (Array.isArray(value)) return value.length > 0 && value.every((one) => !Array.isArray(one) && writableInXml(one));
  return (
    !isObject(value) || (Object.keys(value).every((key) => /^[A-Za-z_][\w.-]*$/.test(key)) && Object.values(value).every(writableInXml))
  );
}

function mutated(judge: Judge, draft: Draft, bodyRequired: boolean, random: Random): GeneratedRequest[] {
  const found: GeneratedRequest[] = [];
  for (const { parameter, value } of draft.values) {
    const others = draft.values.filter((one) => one.parameter !== parameter);
    if (parameter.required && parameter.in !== "path")
      found.push(write(judge, { ...draft, values: others }, "refused", `${parameter.in} ${parameter.name} dropped`));
    for (const mutation of mutations(judge, parameter.schema, value, random, !parameter.json)) {
      if (!isWritable(parameter, mutation.value) || judge.valid(parameter.schema, mutation.value) !== false) continue;
      found.push(
        write(
          judge,
          { ...draft, values: [...others, { parameter, value: mutation.value }] },
          "refused",
          `${parameter.in} ${parameter.name}: ${mutation.why}`,
        ),
      );
    }
  }
  const { media } = draft;
  if (!media) return found;
  if (bodyRequired) found.push(write(judge, { ...draft, media: undefined, body: undefined }, "refused", "body dropped"));
  if (!/[/+]json\b|[/+]xml\b|x-www-form-urlencoded|^multipart\/|^text\//.test(media.type)) return found;
  const isText = !/json/.test(media.type);
  for (const mutation of mutations(judge, media.schema, draft.body, random, isText)) {
    if ((isText && !isWritableAsText(mutation.value, media)) || judge.valid(media.schema, mutation.value) !== false) continue;
    found.push(write(judge, { ...draft, body: mutation.value }, "refused", `body: ${mutation.why}`));
  }
  return found;
}

function write(judge: Judge, draft: Draft, expected: "accepted" | "refused", why: string): GeneratedRequest {
  const pathParameters: Record<string, string> = {};
  const query: string[] = [];
  const cookies: string[] = [];
  const headers: Record<string, string> = {};
  for (const { parameter, value } of draft.values) {
    const { name, style, explode } = parameter;
    const written = parameter.json ? JSON.stringify(value) : value;
    if (parameter.in === "path") pathParameters[name] = writePath(name, written, style, explode);
    else if (parameter.in === "query") query.push(...writeForm(name, written, style, explode));
    else if (parameter.in === "cookie") cookies.push(...cookiesOf(name, written, style, explode));
    else headers[name] = writeHeader(written, explode);
  }
  if (cookies.length > 0) headers["Cookie"] = cookies.join("; ");
  const body = writeBody(judge, draft, headers);
  const path = draft.path.replace(/\{([^{}]*)\}/g, (_, name: string) => pathParameters[name] ?? "x");
  const method = draft.verb.toUpperCase();
  return {
    operation: `${method} ${draft.path}`,
    method,
    url: `${path}${query.length > 0 ? `?${query.join("&")}` : ""}`,
    pathParameters,
    headers,
    ...(body === undefined ? {} : { body }),
    expected,
    why,
  };
}

/** An exploded list is one cookie, written as in a query; the properties of an exploded object are cookies. */
function cookiesOf(name: string, value: unknown, style: string, explode: boolean): string[] {
  const parts = writeForm(name, value, style, explode);
  return Array.isArray(value) ? [parts.join("&")] : parts;
}

function writeBody(judge: Judge, { media, body }: Draft, headers: Record<string, string>): string | undefined {
  if (!media) return undefined;
  headers["Content-Type"] = media.type;
  if (/json/.test(media.type)) return JSON.stringify(body);
  if (/xml/.test(media.type)) return writeXml(judge, media.schema, body);
  if (media.type === "application/x-www-form-urlencoded" && isObject(body)) return writeFormBody(body, media.encoding);
  if (!media.type.startsWith("multipart/") || !isObject(body)) return typeof body === "string" ? body : JSON.stringify(body);
  headers["Content-Type"] = `${media.type}; boundary=${boundary}`;
  return writeMultipart(body, boundary, (name) => isBinary(judge, media.schema, name));
}

function isBinary(judge: Judge, schema: unknown, name: string): boolean {
  const own = judge.resolve(schema);
  const property = judge.resolve(isObject(own) && isObject(own["properties"]) ? own["properties"][name] : undefined);
  const item = isObject(property) && property["items"] !== undefined ? judge.resolve(property["items"]) : property;
  return isObject(item) && item["format"] === "binary";
}
