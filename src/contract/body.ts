/**
 * The body of a request: which of the contract's media types it is, and its value by that.
 */
import type { ReadRequest, RequestParts, Violation } from "./contract.ts";
import type { Documents } from "./documents.ts";
import { entriesOf, member, type JsonRecord } from "./json.ts";
import { bestEntry, formatOf, parseMediaType, type BodyFormat, type MediaType } from "./media-type.ts";
import { readFormBody } from "./body-form.ts";
import { readJsonBody } from "./body-json.ts";
import { readMultipartBody } from "./body-multipart.ts";
import { readTextBody } from "./body-text.ts";
import { readXmlBody } from "./body-xml.ts";
import { bodyFault, bodyOrigin, type BodyEntry, type BodyValue } from "./body-value.ts";
import { Shape } from "./shape.ts";
import { violationsOf } from "./violations.ts";
import type { Validators } from "./validators.ts";

export type BodyForm = Extract<ReadRequest, { ok: true }>["bodyForm"];
export type ReadBody =
  | { readonly ok: true; readonly form: BodyForm; readonly body?: unknown }
  | { readonly ok: false; readonly kind: "invalid-request" | "unsupported-media-type"; readonly errors: readonly Violation[] };

/** Bodies larger than this have their first fault told, not all of them. */
export const explainedBytesMax = 1024 * 1024;

const noBody: ReadBody = { ok: true, form: "none" };
const opaque: ReadBody = { ok: true, form: "opaque" };

/** The entries of a `content` map that can be read. */
export function bodyEntries(
  documents: Documents,
  validators: Validators,
  content: unknown,
  direction: "request" | "reply",
): readonly BodyEntry[] {
  const entries: BodyEntry[] = [];
  for (const [written, value] of entriesOf(content)) {
    const range = parseMediaType(written === "*" ? "*/*" : written);
    if (!range) continue;
    const media = documents.resolve(value);
    const schema = member(media, "schema");
    entries.push({
      written,
      range,
      shape: new Shape(documents, schema === undefined ? [] : [schema]),
      checker: schema === undefined || schema === true ? undefined : validators.checker(schema, direction),
      encoding: member(media, "encoding"),
    });
  }
  return entries;
}

/** A Content-Type, read, with the entry that it falls under. */
export interface MatchedType {
  readonly type: MediaType;
  readonly entry: BodyEntry;
  readonly format: BodyFormat;
}

/** Finds the entry of a Content-Type. Remembers the last one: clients of an operation mostly send the same. */
export class TypeMatcher {
  readonly #entries: readonly BodyEntry[];
  #last: string | undefined;
  #found: MatchedType | undefined;

  constructor(entries: readonly BodyEntry[]) {
    this.#entries = entries;
  }

  /** Undefined: it is none of them, or no media type. */
  match(contentType: string): MatchedType | undefined {
    if (contentType === this.#last) return this.#found;
    const type = parseMediaType(contentType);
    const entry = type && bestEntry(this.#entries, type);
    this.#found = type && entry && { type, entry, format: formatOf(type.essence) };
    this.#last = contentType;
    return this.#found;
  }
}

export class RequestBody {
  readonly #required: boolean;
  readonly #entries: readonly BodyEntry[];
  readonly #types: TypeMatcher;

  /** `mayBeRequired`: whether the document's word counts that the body is. */
  constructor(documents: Documents, validators: Validators, declared: JsonRecord | undefined, mayBeRequired: boolean) {
    this.#required = mayBeRequired && declared?.["required"] === true;
    this.#entries = bodyEntries(documents, validators, declared?.["content"], "request");
    this.#types = new TypeMatcher(this.#entries);
  }

  takes(contentType: string): boolean {
    return this.#entries.length === 0 || this.#types.match(contentType) !== undefined;
  }

  isOpaque(contentType: string | null): boolean {
    return this.#entries.length === 0 || this.#types.match(contentType ?? "")?.format === "opaque";
  }

  read(request: RequestParts, validate: boolean): ReadBody {
    const { body } = request;
    if (!body) return this.#absent(validate);
    const contentType = request.headers.get("content-type");
    if (body.length === 0 && contentType === null) return this.#absent(validate);
    if (this.#entries.length === 0) return opaque;
    const matched = this.#types.match(contentType ?? "");
    if (!matched) return validate ? this.#unsupported(contentType ?? "") : opaque;
    const { format } = matched;
    if (body.length === 0 && format !== "text" && format !== "opaque") return this.#absent(validate);
    return readEntry(matched, body, validate);
  }

  #absent(validate: boolean): ReadBody {
    return this.#required && validate ? { ...bodyFault("is required"), kind: "invalid-request" } : noBody;
  }

  #unsupported(contentType: string): ReadBody {
    const known = this.#entries.map((entry) => entry.written).join(", ");
    const message =
      contentType === "" ? `is missing: the body must be ${known}` : `must be ${known}, got ${JSON.stringify(contentType.slice(0, 100))}`;
    return { ok: false, kind: "unsupported-media-type", errors: [{ in: "header", path: "Content-Type", message }] };
  }
}

function readEntry({ entry, type, format }: MatchedType, body: Uint8Array, validate: boolean): ReadBody {
  if (format === "opaque") return opaque;
  const value = valueOf(entry, type, format, body);
  if (!value.ok) return { ok: false, kind: "invalid-request", errors: value.errors };
  const judged = judgeValue(entry, value, body.length, validate);
  if (!judged.ok) return { ok: false, kind: "invalid-request", errors: judged.errors };
  return format === "text" ? opaque : { ok: true, form: format, body: judged.value };
}

/** Reads a body as its entry has it. */
export function valueOf(entry: BodyEntry, type: MediaType, format: Exclude<BodyFormat, "opaque">, body: Uint8Array): BodyValue {
  switch (format) {
    case "json":
      return readJsonBody(body, type.parameters.get("charset"));
    case "xml":
      return readXmlBody(body, type.parameters.get("charset"), entry.shape);
    case "form":
      return readFormBody(body, entry);
    case "multipart":
      return readMultipartBody(body, type, entry);
    case "text":
      return readTextBody(body, type.parameters.get("charset"), entry.shape);
  }
}

type Judged = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly errors: readonly Violation[] };

/** The first valid candidate, or what is wrong with the first. */
export function judgeValue(entry: BodyEntry, value: Extract<BodyValue, { ok: true }>, size: number, validate: boolean): Judged {
  const { candidates, exact = false } = value;
  const [first] = candidates;
  const result = (candidate: unknown): Judged => ({ ok: true, value: "result" in value ? value.result : candidate });
  if (!entry.checker || !validate) return result(first);
  let errors: readonly Violation[] | undefined;
  for (const candidate of candidates) {
    const verdict = entry.checker.judge(candidate, { exact, firstOnly: size > explainedBytesMax });
    if (verdict !== "too-deep" && verdict.length === 0) return result(candidate);
    errors ??= violationsOf(verdict, candidate, bodyOrigin);
  }
  return { ok: false, errors: errors ?? [] };
}
